"""The picture of a comparison, as the frame behind it and the artists in it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from stackens.displays import ScoreLatencyDisplay
from stackens.displays._score_latency import _spread

matplotlib = pytest.importorskip("matplotlib")


def frame():
    return pd.DataFrame(
        {
            "score": [0.9, 0.9, 0.8, np.nan],
            "score_se": [0.01, 0.02, 0.01, np.nan],
            "batch_us_per_row": [5.0, 50.0, 1.0, 2.0],
            "combination": [True, True, False, False],
        },
        index=["stack", "blend", "linear", "unscored"],
    )


def labels(display):
    return {text.get_text(): text for text in display.ax_.texts}


def test_every_scored_name_is_written_beside_the_axes():
    display = ScoreLatencyDisplay(frame(), score_name="accuracy", title="On new rows").plot()
    assert set(labels(display)) == {"stack", "blend", "linear"}
    heights = sorted(text.xyann[1] for text in labels(display).values())
    assert min(np.diff(heights)) > 0.045
    assert all(text.xyann[0] > 1 for text in labels(display).values())


def test_axes_say_what_they_are():
    display = ScoreLatencyDisplay(frame(), score_name="accuracy").plot()
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert "microseconds" in ax.get_xlabel()
    assert ax.get_ylabel() == "accuracy ± one standard error (higher is better)"
    assert not ax.yaxis_inverted()
    turned = ScoreLatencyDisplay(frame(), lower_is_better=True).plot().ax_
    assert turned.yaxis_inverted()
    assert "lower is better" in turned.get_ylabel()


def test_labels_stand_in_the_order_of_their_points():
    for lower in (False, True):
        display = ScoreLatencyDisplay(frame(), lower_is_better=lower).plot()
        found = {name: text.xyann[1] for name, text in labels(display).items()}
        assert (found["linear"] > found["stack"]) == lower


def test_it_draws_into_given_axes():
    figure = matplotlib.figure.Figure()
    ax = figure.add_subplot()
    display = ScoreLatencyDisplay(frame()).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_notebooks_show_it():
    display = ScoreLatencyDisplay(frame())
    assert display._repr_png_() is None
    assert display.plot()._repr_png_().startswith(b"\x89PNG")


def test_nothing_scored_is_an_empty_picture():
    empty = frame().assign(score=np.nan)
    assert ScoreLatencyDisplay(empty).plot().ax_.texts[:] == []


def test_the_frame_is_a_copy():
    display = ScoreLatencyDisplay(frame())
    changed = display.frame()
    changed["score"] = 0
    pd.testing.assert_frame_equal(display.frame(), frame())


def test_pyplot_is_not_touched():
    code = """
import sys
import pandas as pd
from stackens.displays import ScoreLatencyDisplay
assert "matplotlib" not in sys.modules
columns = {"score": [1.0], "score_se": [0.1], "batch_us_per_row": [1.0], "combination": [True]}
ScoreLatencyDisplay(pd.DataFrame(columns, index=["a"])).plot()
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 40])
def test_spread_keeps_order_and_distance(n):
    heights = np.random.default_rng(n).random(n) ** 3
    placed = _spread(heights, 0.05)
    assert placed.min() >= 0
    assert placed.max() <= 1 + 1e-12
    order = np.argsort(heights, kind="stable")
    gap = 0.05 if 0.05 * (n - 1) < 1 else 1 / (n - 1)
    assert (np.diff(placed[order]) >= gap - 1e-12).all()


def test_spread_leaves_what_is_apart():
    np.testing.assert_allclose(_spread(np.array([0.9, 0.1, 0.5]), 0.1), [0.9, 0.1, 0.5])

"""The picture of a comparison, as the frame behind it and the artists in it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from stackens.displays import ScoreLatencyDisplay

matplotlib = pytest.importorskip("matplotlib")
Text = pytest.importorskip("matplotlib.text").Text


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
    assert min(np.diff(heights)) > 0.035
    assert all(text.xyann[0] > 1 for text in labels(display).values())


def test_axes_say_what_they_are():
    display = ScoreLatencyDisplay(frame(), score_name="accuracy").plot()
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "time to predict a row in a batch"
    assert ax.xaxis.get_major_formatter()(2e-6) == "2 µs"
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
        assert found["stack"] > found["blend"]  # equally good, and first in the frame


def crowd(**outliers):
    """Ten alike models, and others given by score and microseconds."""
    steps = np.arange(10)
    alike = pd.DataFrame(
        {
            "score": 0.40 + 0.002 * steps,
            "score_se": 0.01,
            "batch_us_per_row": 20.0 * 1.2**steps,
            "combination": steps < 4,
        },
        index=[f"model {step}" for step in steps],
    )
    for name, (score, latency) in outliers.items():
        alike.loc[name] = [score, 0.01, latency, False]
    return alike.astype({"combination": bool})


def triangles(display):
    """Positions of the markers at the edge, by their kind."""
    lines = display.ax_.get_lines()
    found = {kind: [] for kind in "v<>"}
    for line in lines:
        if line.get_marker() in found:
            found[line.get_marker()] += line.get_xydata().tolist()
    return found


@pytest.mark.parametrize("lower", [True, False])
def test_a_very_bad_model_does_not_squeeze_the_others(lower):
    sign = 1 if lower else -1
    table = crowd(bad=(2.3, 30.0))
    table["score"] *= sign
    plain = crowd()
    plain["score"] *= sign
    display = ScoreLatencyDisplay(table, lower_is_better=lower).plot()
    without = ScoreLatencyDisplay(plain, lower_is_better=lower).plot()
    assert display.ax_.get_ylim() == pytest.approx(without.ax_.get_ylim())
    ((x, y),) = triangles(display)["v"]
    assert x == pytest.approx(30e-6)
    assert y == pytest.approx(display.ax_.get_ylim()[0])  # the lower edge in either direction
    assert f"bad ({sign * 2.3:.3g})" in labels(display)
    assert min(labels(display).values(), key=lambda text: text.xyann[1]).get_text()[:3] == "bad"


def test_very_slow_and_quick_models_stand_at_the_edges():
    display = ScoreLatencyDisplay(crowd(slow=(0.41, 2.1e6), quick=(0.42, 0.002))).plot()
    without = ScoreLatencyDisplay(crowd()).plot()
    assert display.ax_.get_xlim() == pytest.approx(without.ax_.get_xlim())
    found = triangles(display)
    assert found["<"] == [[pytest.approx(display.ax_.get_xlim()[0]), 0.42]]
    assert found[">"] == [[pytest.approx(display.ax_.get_xlim()[1]), 0.41]]
    assert {"slow (2.1 s)", "quick (2 ns)"} < set(labels(display))
    both = ScoreLatencyDisplay(crowd(both=(9.0, 2.1e6)), lower_is_better=True).plot()
    assert "both (9, 2.1 s)" in labels(both)
    large = crowd(bad=(2.3, 30.0))
    large["score"] *= 1e5
    assert "bad (230,000)" in labels(ScoreLatencyDisplay(large, lower_is_better=True).plot())


def test_what_is_only_somewhat_apart_is_shown_where_it_is():
    display = ScoreLatencyDisplay(crowd(worse=(0.45, 900.0)), lower_is_better=True).plot()
    assert triangles(display) == {"v": [], "<": [], ">": []}
    low, high = sorted(display.ax_.get_ylim())
    assert low < 0.39 < 0.46 < high
    few = crowd().iloc[[0, 9]].assign(score=[0.4, 0.9])
    assert triangles(ScoreLatencyDisplay(few).plot())["v"] == []


@pytest.mark.parametrize("n", [1, 12, 40])
def test_labels_never_overlap(n):
    frames = pd.DataFrame(
        {"score": 0.5, "score_se": 0.0, "batch_us_per_row": 7.0, "combination": False},
        index=[f"model {i}" for i in range(n)],
    )
    display = ScoreLatencyDisplay(frames).plot()
    display.figure_.draw_without_rendering()
    boxes = sorted(
        (Text.get_window_extent(text) for text in display.ax_.texts),  # without the line
        key=lambda box: box.y0,
    )
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))


def test_equal_latencies_still_have_a_tick():
    ax = ScoreLatencyDisplay(crowd().assign(batch_us_per_row=4.2)).plot().ax_
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 3


def test_it_draws_into_given_axes():
    figure = matplotlib.figure.Figure()
    ax = figure.add_subplot()
    display = ScoreLatencyDisplay(frame()).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_nothing_scored_is_an_empty_picture():
    empty = frame().assign(score=np.nan)
    assert ScoreLatencyDisplay(empty).plot().ax_.texts[:] == []

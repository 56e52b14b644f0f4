"""The picture of curves over weights, as the frame behind it and the artists in it."""

import numpy as np
import pandas as pd
import pytest

from stackens.displays import WeightCurvesDisplay

matplotlib = pytest.importorskip("matplotlib")


def frame(se=0.01):
    return pd.DataFrame(
        {
            "x": [2, 1, 1, 2, 1, 2],
            "series": ["single", "single", "equal", "equal", "ends", "ends"],
            "kind": ["single", "single", "average", "average", "chord", "chord"],
            "score": [0.8, 0.7, 0.8, 0.9, 0.7, 0.7],
            "se": se,
        }
    )


def test_points_lines_and_bands():
    ax = WeightCurvesDisplay(frame(), x_label="n", title="Scan").plot().ax_
    assert len(ax.containers) == 1  # the points with their error bars
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["equal"].get_ydata(), [0.8, 0.9])
    assert lines["ends"].get_linestyle() == "--"
    band = ax.collections[-1].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([band.min(), band.max()], [0.78, 0.92])
    assert ax.get_xlabel() == "n"
    assert ax.get_title(loc="left") == "Scan"
    assert ax.get_ylabel() == "score ± two standard errors (higher is better)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["equal", "ends", "single"]


def test_points_are_drawn_in_the_order_of_x():
    ax = WeightCurvesDisplay(frame()).plot().ax_
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_xdata(), [1, 2])


def test_without_errors_none_are_mentioned():
    for se in (np.nan, 0.0):
        display = WeightCurvesDisplay(frame(se), score_name="loss", lower_is_better=True).plot()
        assert display.ax_.get_ylabel() == "loss (lower is better)"


def test_many_curves_have_colours():
    many = pd.concat([frame().assign(series=f"series {i}", kind="average") for i in range(9)])
    assert len(WeightCurvesDisplay(many).plot().ax_.lines) == 9


def test_it_draws_into_given_axes():
    figure = matplotlib.figure.Figure()
    ax = figure.add_subplot()
    display = WeightCurvesDisplay(frame())
    assert display.plot(ax).ax_ is ax
    assert display.figure_ is figure

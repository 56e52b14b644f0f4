"""The picture of weights, as the artists in it."""

import numpy as np
import pandas as pd
import pytest

from stackens.displays import WeightBarsDisplay

matplotlib = pytest.importorskip("matplotlib.figure")


def bars(frame):
    """Return (left, width) of each part, a row for each model."""
    ax = WeightBarsDisplay(frame, y_label="groups", title="Mixed").plot().ax_
    return ax, [[(bar.get_x(), bar.get_width()) for bar in part] for part in ax.containers]


def test_parts_stand_one_after_the_other():
    ax, parts = bars(pd.DataFrame({"a": [0.2, 0.9], "b": [0.8, 0.1]}, index=["first", "second"]))
    np.testing.assert_allclose(parts, [[(0, 0.2), (0, 0.9)], [(0.2, 0.8), (0.9, 0.1)]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert ax.yaxis.get_inverted()
    assert (ax.get_ylabel(), ax.get_title(loc="left")) == ("groups", "Mixed")


def test_negative_weights_go_to_the_left():
    _, parts = bars(pd.DataFrame({"a": [-0.5], "b": [1.0], "c": [-0.25], "d": [0.75]}))
    assert [part[0] for part in parts] == [(0, -0.5), (0, 1.0), (-0.5, -0.25), (1.0, 0.75)]


def test_many_models_have_colours_of_their_own():
    ax, parts = bars(pd.DataFrame(np.full((1, 30), 1 / 30), columns=range(30)))
    assert len({part.patches[0].get_facecolor() for part in ax.containers}) == len(parts) == 30
    assert len(ax.get_legend().get_texts()) == 30


def test_it_draws_into_given_axes():
    ax = matplotlib.Figure().add_subplot()
    display = WeightBarsDisplay(pd.DataFrame({"a": [1.0]})).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure

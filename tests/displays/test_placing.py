"""Where points and their names stand."""

import numpy as np
import pandas as pd
import pytest

from stackens.displays._placing import limits, name_beside, spread, too_far

Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.mark.parametrize("n", [1, 2, 5, 12, 40])
def test_spread_keeps_order_and_distance(n):
    heights = np.random.default_rng(n).random(n) ** 3
    placed = spread(heights, 0.05)
    assert placed.min() >= 0
    assert placed.max() <= 1 + 1e-12
    order = np.argsort(heights, kind="stable")
    gap = 0.05 if 0.05 * (n - 1) < 1 else 1 / (n - 1)
    assert (np.diff(placed[order]) >= gap - 1e-12).all()


def test_spread_leaves_what_is_apart():
    np.testing.assert_allclose(spread(np.array([0.9, 0.1, 0.5]), 0.1), [0.9, 0.1, 0.5])


def test_too_far_is_what_squeezes_the_others():
    near = pd.Series([0.0, 1.0, 1.2, 0.9])
    assert not too_far(near, 0.1).any()
    assert too_far(pd.concat([near, pd.Series([30.0])]), 0.1).tolist() == [False] * 4 + [True]
    assert not too_far(pd.concat([near, pd.Series([30.0])]), 20.0).any()  # hardly shorter without


def test_limits_have_a_margin_and_a_least_width():
    low, high = pd.Series([1.0, 2.0]), pd.Series([2.0, 3.0])
    assert limits(low, high, 0.0) == pytest.approx((0.84, 3.16))
    assert limits(low, high, 4.0) == pytest.approx((-0.32, 4.32))
    below, above = limits(pd.Series([5.0]), pd.Series([5.0]), 0.0)
    assert below < 5.0 < above


def test_names_stand_right_of_the_axes_in_the_order_of_their_points():
    ax = Figure().add_subplot()
    points = pd.DataFrame(
        {
            "x": 0.5,
            "y": [0.5, 0.501, 0.1],
            "label": ["a", "b", "c"],
            "colour": ["red", "blue", "black"],
            "weight": ["normal", "bold", "normal"],
        }
    )
    name_beside(ax, points)
    a, b, c = ax.texts
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    assert all(text.xyann[0] > 1 for text in ax.texts)
    assert c.xyann[1] < a.xyann[1] < b.xyann[1]
    assert b.xyann[1] - a.xyann[1] > 0.03
    assert a.get_color() == "red"
    assert (a.get_fontweight(), b.get_fontweight()) == ("normal", "bold")

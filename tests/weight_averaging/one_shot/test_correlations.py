"""Statistics of rows: which axes are smooth, what goes together, where levels differ."""

import numpy as np
import pytest

from stackens.weight_averaging.one_shot._correlations import (
    alike_axes,
    axis_correlations,
    correlation_length,
    places_differ,
)

RNG = np.random.default_rng(0)
WALKS = RNG.normal(size=(300, 20, 3)).cumsum(axis=1)


def test_walks_are_smooth_along_time_only():
    assert alike_axes(WALKS) == (0,)
    assert correlation_length(WALKS, (0,)) > 2
    assert correlation_length(RNG.normal(size=(300, 20, 3)), (0,)) == 0


def test_correlations_are_of_ranks_so_that_units_and_outliers_do_not_count():
    first = RNG.normal(size=(2000, 1))
    rows = np.concatenate([first, 0.8 * first + 0.6 * RNG.normal(size=first.shape)], axis=1)
    (plain,) = axis_correlations(rows, (0,))
    assert plain == pytest.approx(np.array([[1, 0.8], [0.8, 1]]), abs=0.04)
    (skewed,) = axis_correlations(np.exp(3 * rows), (0,))
    assert skewed == pytest.approx(plain, abs=1e-3)


def test_long_axes_have_none():
    rows = RNG.normal(size=(50, 100, 2))
    along_time, of_features = axis_correlations(rows, (0, 1))
    assert along_time is None
    assert of_features.shape == (2, 2)
    assert axis_correlations(RNG.normal(size=(9, 70)), (0,)) == [None]


def test_of_few_rows_correlations_shrink():
    rows = np.repeat(RNG.normal(size=(8, 1)), 8, axis=1)
    (matrix,) = axis_correlations(rows, (0,))
    assert matrix[0, 1] == pytest.approx(0.5)
    (single,) = axis_correlations(rows[:1], (0,))
    assert (single == np.eye(8)).all()


def test_what_never_changes_goes_with_nothing():
    rows = RNG.normal(size=(100, 3))
    rows[:, 1] = 7
    (matrix,) = axis_correlations(rows, (0,))
    assert matrix[1].tolist() == [0, 1, 0]


def test_levels_of_places():
    rows = RNG.normal(size=(200, 5, 2))
    assert not places_differ(rows, (0, 1))
    assert not places_differ(np.zeros((200, 5, 2)), (0, 1))
    apart = rows + np.arange(5)[:, None]
    assert places_differ(apart, (0, 1))
    assert not places_differ(apart[:99], (0, 1))
    assert not places_differ(apart, (0,))  # each has its own already
    assert not places_differ(np.tile(apart, (1, 1, 103)), (0, 1))  # too many numbers to send

"""Mixup: between which rows new ones stand, and where."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.extra_rows._mixup import mixup
from stackens.distillation.extra_rows._source_table import SourceTable


def new_cells(X, n_new, **settings):
    return list(mixup(SourceTable(X), n_new, np.random.default_rng(0), **settings))


def test_all_numbers_of_a_row_are_mixed_in_the_same_share():
    X = np.array([[0.0, 100.0, -5.0], [1.0, 300.0, 5.0]])
    drawn = np.column_stack([cells for _, cells in new_cells(X, 500)])
    shares = drawn / drawn.max(axis=0)  # each column counts from its smallest, in a unit of its own
    assert shares.min() == 0
    assert len(np.unique(shares[:, 0])) > 200  # a row mixed with itself stays what it is
    assert shares[:, 1] == pytest.approx(shares[:, 0])
    assert shares[:, 2] == pytest.approx(shares[:, 0])


def test_rows_are_nearer_to_real_ones_the_smaller_alpha_is():
    X = np.array([[0.0], [1.0]])

    def distance(alpha):
        ((_, drawn),) = new_cells(X, 4000, alpha=alpha)
        between = drawn[(drawn > 0) & (drawn < 1)]
        return np.minimum(between, 1 - between).mean()

    assert distance(0.1) < distance(0.4) < distance(1.0)
    assert distance(1.0) == pytest.approx(0.25, abs=0.02)  # shares are even


def test_each_real_row_is_a_first_row_as_often():
    ((rows, _),) = new_cells(pd.DataFrame({"level": list("abcd")}), 4000)
    counts = np.bincount(rows)
    assert counts.min() > 850
    assert len(counts) == 4


def test_missing_numbers_are_copied_and_levels_come_from_one_of_the_two():
    X = pd.DataFrame({"a": [1.0, np.nan, 3.0], "k": ["x", "y", "z"]})
    (rows, drawn), (level_rows, levels) = new_cells(X, 600)
    assert np.isnan(drawn[rows == 1]).all()
    assert np.isfinite(drawn).any()
    assert levels is None
    # drawn anew for each column, so that a row may have the number of one and the level of another
    assert (rows != level_rows).any()


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.nan])
def test_settings_are_checked(alpha):
    with pytest.raises(ValueError, match=r"The default is 0\.4"):
        new_cells(np.ones((2, 2)), 2, alpha=alpha)

"""SPUNGE: the number of cells replaced, where they come from, and the noise."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.extra_rows._source_table import SourceTable
from stackens.distillation.extra_rows._spunge import spunge


def new_cells(X, n_new, **settings):
    return list(spunge(SourceTable(X), n_new, np.random.default_rng(0), **settings))


@pytest.mark.parametrize(("fraction", "n_replaced"), [(0.1, 2), (0.0, 1), (1.0, 20)])
def test_each_row_gets_the_same_number_of_cells(fraction, n_replaced):
    n = 2000
    X = np.arange(n * 20.0).reshape(n, 20)
    rows = np.column_stack([r for r, _ in new_cells(X, n, fraction=fraction)])
    values, counts = np.unique(rows[0], return_counts=True)
    base = values[counts.argmax()] if n_replaced < 20 else None
    if base is not None:
        assert (rows[0] != base).sum() == n_replaced
        bases = np.array([np.bincount(r).argmax() for r in rows])
        changed = rows != bases[:, None]
        # a cell replaced by its own counts as not replaced: once in n
        assert changed.sum() == pytest.approx(n * n_replaced, abs=20)
        assert changed.sum(axis=1).max() == n_replaced
        # every column as often
        assert changed.mean(axis=0) == pytest.approx(n_replaced / 20, abs=0.03)
    else:
        assert len(values) > 15


def test_noise_is_a_share_of_the_deviation():
    X = np.random.default_rng(1).normal(0, 50, size=(5000, 1))
    rows, drawn = new_cells(X, 5000, noise=0.2)[0]
    assert (drawn - X[rows, 0]).std() == pytest.approx(0.2 * X.std(), rel=0.05)
    rows, drawn = new_cells(X, 5000, noise=0.0)[0]
    assert np.array_equal(drawn, X[rows, 0])


def test_numbers_too_large_to_be_squared_are_copied():
    _, drawn = new_cells(np.array([[1e300], [-1e300], [3e300]]), 9)[0]
    assert not np.isfinite(drawn).any()


def test_missing_cells_stay_missing_and_levels_are_copied():
    X = pd.DataFrame({"a": [1.0, np.nan, 3.0], "k": ["x", "y", "z"]})
    (rows, drawn), (_, levels) = new_cells(X, 300)
    assert np.array_equal(np.isnan(drawn), rows == 1)
    assert levels is None


@pytest.mark.parametrize("settings", [{"fraction": -0.1}, {"fraction": 2}, {"noise": -1.0}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="The defaults are 0.1 and 0.1"):
        new_cells(np.ones((2, 2)), 2, **settings)

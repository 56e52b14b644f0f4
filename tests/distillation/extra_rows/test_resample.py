"""Conditional resampling: one cell per row, from a row that is like it in the other columns."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.extra_rows._resample import resample
from stackens.distillation.extra_rows._source_table import SourceTable


def new_cells(X, n_new, **settings):
    table = SourceTable(X)
    return np.column_stack(
        [rows for rows, _ in resample(table, n_new, np.random.default_rng(0), **settings)]
    )


def test_one_cell_of_each_row_is_another_rows():
    rng = np.random.default_rng(0)
    rows = new_cells(rng.normal(size=(300, 5)), 600)
    bases = np.array([np.bincount(r).argmax() for r in rows])
    changed = rows != bases[:, None]
    assert (changed.sum(axis=1) == 1).all()
    assert changed.mean(axis=0) == pytest.approx(0.2, abs=0.06)


def test_donors_are_the_nearest_in_the_other_columns():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 3))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = new_cells(X, 200, n_neighbors=4)
    for row in rows:
        base = np.bincount(row).argmax()
        column = np.flatnonzero(row != base)[0]
        others = np.delete(Z, column, axis=1)
        distances = np.linalg.norm(others - others[base], axis=1)
        # rank 0 is the row itself
        assert 1 <= (distances < distances[row[column]]).sum() <= 4


def test_dependence_between_columns_is_kept():
    rng = np.random.default_rng(2)
    x = rng.normal(size=2000)
    X = pd.DataFrame({"x": x, "y": x + 0.05 * rng.normal(size=2000)})
    rows = new_cells(X, 4000)
    new = X["x"].to_numpy()[rows[:, 0]], X["y"].to_numpy()[rows[:, 1]]
    assert np.corrcoef(*new)[0, 1] > 0.99


def test_few_rows():
    assert new_cells(np.ones((1, 2)), 3).tolist() == [[0, 0]] * 3
    rows = new_cells(np.array([[1.0, 1.0], [2.0, 2.0]]), 10)
    assert (rows[:, 0] != rows[:, 1]).all()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="The default is 10"):
        new_cells(np.ones((2, 2)), 2, n_neighbors=0)

"""Rows that have a label already are left out, whatever holds them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from stackens.distillation.extra_rows import without_known_rows

KNOWN = np.array([[0.0, 1.0], [2.0, 0.0], [np.nan, 3.0]])
MORE = np.array([[2.0, 0.0], [2.0, 1.0], [np.nan, 3.0], [2.0, 1.0]])


def test_arrays_frames_and_arrays_of_any_shape():
    np.testing.assert_array_equal(without_known_rows(MORE, KNOWN), MORE[[1, 3]])
    images = without_known_rows(MORE.reshape(4, 1, 2), KNOWN.reshape(3, 1, 2))
    np.testing.assert_array_equal(images, MORE[[1, 3]].reshape(2, 1, 2))
    objects = without_known_rows(MORE.astype(object), KNOWN.astype(object))
    np.testing.assert_array_equal(objects.astype(float), MORE[[1, 3]])
    known, more = (pd.DataFrame(part, columns=["a", "b"]) for part in (KNOWN, MORE))
    kinds = pd.CategoricalDtype(["x", "y"])
    known["c"], more["c"] = pd.Series(["x"] * 3, dtype=kinds), pd.Series(["x"] * 4, dtype=kinds)
    assert without_known_rows(more, known)["a"].tolist() == [2.0, 2.0]
    more["c"] = pd.Series(["y"] * 4, dtype=kinds)
    pd.testing.assert_frame_equal(without_known_rows(more, known), more)


def test_polars_sparse_and_lists():
    polars = pytest.importorskip("polars")
    found = without_known_rows(polars.DataFrame(MORE), polars.DataFrame(KNOWN))
    assert found.rows() == [(2.0, 1.0), (2.0, 1.0)]
    numbers = np.nan_to_num(MORE), np.nan_to_num(KNOWN)
    rows = without_known_rows(*(sparse.csr_matrix(part) for part in numbers))
    np.testing.assert_array_equal(rows.toarray(), MORE[[1, 3]])
    assert without_known_rows(["a b", "c"], ["c", "d"]) == ["a b"]
    assert len(without_known_rows(KNOWN, KNOWN)) == 0


def test_numbers_are_compared_by_value_whatever_their_types():
    whole, more = np.array([[0, 1], [2, 0]]), np.array([[2.0, -0.0], [2.5, 0.0]])
    np.testing.assert_array_equal(without_known_rows(more, whole), more[[1]])
    known, rows = (pd.DataFrame(part, columns=["a", "b"]).assign(c="x") for part in (whole, more))
    known["a"] = known["a"].astype("Int64")
    assert without_known_rows(rows, known)["a"].tolist() == [2.5]
    polars = pytest.importorskip("polars")
    found = without_known_rows(polars.from_pandas(rows), polars.from_pandas(known))
    assert found["a"].to_list() == [2.5]
    stored = sparse.csr_matrix((np.array([0.0, 2.0]), [1, 0], [0, 2]), shape=(1, 2))
    assert without_known_rows(stored, sparse.csr_matrix(whole)).shape == (0, 2)


def test_columns_that_changed_places_make_another_row():
    for kind in (np.array, sparse.csr_matrix, pd.DataFrame):
        assert without_known_rows(kind([[1.0, 2.0]]), kind([[2.0, 1.0]])).shape == (1, 2)


def test_cells_of_mixed_objects():
    cells = np.empty(4, dtype=object)
    cells[:] = [(1, 2), 3, "x", pd.NA]
    frame = pd.DataFrame({"a": cells})
    assert without_known_rows(frame, frame.iloc[[0, 2, 3]]).index.tolist() == [1]


def test_cells_that_hold_lists_or_arrays():
    long = [np.arange(5_000) + (np.arange(5_000) == 2_500) * i for i in range(3)]
    rows = [{"signal": signal} for signal in long]
    assert without_known_rows(rows, rows[:1]) == rows[1:]
    frame = pd.DataFrame({"a": [1.0] * 3, "signal": long})
    assert without_known_rows(frame, frame[:2]).index.tolist() == [2]

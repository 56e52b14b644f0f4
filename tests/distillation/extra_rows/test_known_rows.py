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

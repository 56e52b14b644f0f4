"""Leaves out rows that have a label already: a teacher would repeat the answer it was given."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._rows import take_rows
from stackens.preprocessing._reading import is_polars, level_text

__all__ = ["without_known_rows"]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # so that multiplication loses nothing


def without_known_rows(rows: Any, known: Any) -> Any:
    """Return those rows that do not occur among known ones, in their order.

    Parameters
    ----------
    rows : as `known`, such as :func:`collect_unlabeled` gives
        Numbers are compared by their values, whatever their types.
    known : array, sparse matrix, pandas or polars DataFrame, Series or list

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.distillation.extra_rows import without_known_rows
    >>> without_known_rows(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [5.0]]))
    array([[1.],
           [3.]])
    """
    return take_rows(rows, np.flatnonzero(~np.isin(_hashes(rows), _hashes(known))))


def _hashes(rows: Any) -> np.ndarray:
    """Return a hash of 64 bits for each row, equal for equal rows."""
    if is_polars(rows):
        numeric = sys.modules["polars"].selectors.numeric()
        return rows.with_columns(numeric.cast(float)).hash_rows().to_numpy()
    if sparse.issparse(rows):
        return _hashes_of_sparse(rows)
    if isinstance(rows, np.ndarray):
        rows = pd.DataFrame(rows.reshape(len(rows), -1))
    elif not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame({0: pd.Series(list(rows), dtype=object)})  # of texts or dicts
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for position in range(rows.shape[1]):
        hashes = hashes * _ODD + _hashes_of_column(rows.iloc[:, position])
    return hashes


def _hashes_of_column(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        column = pd.Series(column.to_numpy(np.float64, na_value=np.nan))
    elif column.dtype == object:  # the hash of a cell must not depend on the others
        column = pd.Series([_text(cell) for cell in column], dtype=object)
    return pd.util.hash_pandas_object(column, index=False).to_numpy()


def _text(cell: Any) -> str | None:
    try:
        return level_text(cell, "")
    except TypeError:  # lists, dicts or arrays
        return pickle.dumps(cell).hex()


def _hashes_of_sparse(rows: Any) -> np.ndarray:
    rows = sparse.csr_matrix(rows, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    indices, values = (pd.util.hash_array(part) for part in (rows.indices, rows.data))
    cells = pd.util.hash_array(indices * _ODD + values)  # their sum is the same in any order
    sums = np.cumsum(np.append(np.uint64(0), cells))
    return sums[rows.indptr[1:]] - sums[rows.indptr[:-1]]

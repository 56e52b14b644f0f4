"""Leaves out rows that have a label already: a teacher would repeat the answer it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._rows import take_rows
from stackens.preprocessing._reading import is_polars

__all__ = ["without_known_rows"]


def without_known_rows(rows: Any, known: Any) -> Any:
    """Return those rows that do not occur among known ones, in their order.

    Parameters
    ----------
    rows : as `known`, such as :func:`collect_unlabeled` gives
    known : array, sparse matrix, pandas or polars DataFrame, or list

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.distillation.extra_rows import without_known_rows
    >>> without_known_rows(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [5.0]]))
    array([[1.],
           [3.]])
    """
    have = set(_keys(known))
    new = [row for row, key in enumerate(_keys(rows)) if key not in have]
    return take_rows(rows, np.array(new, dtype=int))


def _keys(rows: Any) -> list[Any]:
    """Return something for each row that is equal for equal rows."""
    if is_polars(rows):
        return rows.hash_rows().to_list()
    if isinstance(rows, np.ndarray) and rows.dtype == object:
        rows = pd.DataFrame(rows.reshape(len(rows), -1))
    if isinstance(rows, pd.DataFrame):
        return pd.util.hash_pandas_object(rows, index=False).tolist()
    if isinstance(rows, np.ndarray):
        return [row.tobytes() for row in np.ascontiguousarray(rows)]
    if sparse.issparse(rows):
        rows = rows.tocsr(copy=True)
        rows.sum_duplicates()
        parts = (rows.indices.astype(np.int64), rows.data)
        ends = list(zip(rows.indptr[:-1], rows.indptr[1:], strict=True))
        return [tuple(part[start:stop].tobytes() for part in parts) for start, stop in ends]
    return [repr(row) for row in rows]

"""Turns rows of any form into one array for each column, with numpy and the standard library.

The text of this file is put into exported files, after that of ``_values.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackens.export.numpy._values import READERS, frame_columns, is_one_row, row_values

__all__ = ["columns_of"]

# Types that numpy itself turns into the doubles that are meant.
_PLAIN_NUMBERS = {float, int, bool, type(None), np.bool_}.union(
    np.dtype(letter).type for letter in "bBhHiIqQfd"
)


def columns_of(
    rows: Any, columns: Sequence[tuple[str, str]], named: bool = True
) -> tuple[list[np.ndarray], bool]:
    """Turn rows into columns.

    Parameters
    ----------
    rows : dict, list, tuple, array or DataFrame
        One row: a dict, a flat list or tuple, an array of one dimension, a pandas Series. Many: a
        list of those, an array of two dimensions, a pandas or polars DataFrame.
    columns : sequence of (name, kind)
        Kinds are "number", "category", "datetime", "timedelta", and "unread" for a column whose
        values count for nothing and which dicts and frames may lack.
    named : bool, default=True
        Whether columns of frames are found by name, in any order. If not, by place.

    Returns
    -------
    columns : list of arrays of shape (n_samples,)
        float64 with NaN for missing values; for categories objects that are text or None.
    is_one_row : bool

    Raises
    ------
    ValueError, TypeError
        If a column is missing or a value is not of its column's kind; the message names both.

    Examples
    --------
    >>> from stackens.export.numpy import columns_of
    >>> columns_of({"town": "Oslo", "age": 3}, [("age", "number"), ("town", "category")])
    ([array([3.]), array(['Oslo'], dtype=object)], True)
    """
    if is_one_row(rows):
        return _columns_of_row(row_values(rows, columns, named=named), columns), True
    if isinstance(rows, (list, tuple)):
        listed = [row_values(row, columns, f"Row {i}", named) for i, row in enumerate(rows)]
        return _columns_of_lists(listed, columns), False
    if hasattr(rows, "columns"):
        found = frame_columns(rows, columns, named)
    else:
        matrix = np.asarray(rows)
        if matrix.ndim != 2:
            raise TypeError(
                f"Rows must be an array or a DataFrame. Got {type(rows).__name__}, which numpy "
                "does not read as a matrix. Convert it, for example with .toarray()."
            )
        if matrix.shape[1] != len(columns):
            row_values(matrix[0] if len(matrix) else [], columns)  # tells what is wrong
        found = [matrix[:, j] for j in range(len(columns))]
    return [
        np.full(len(rows), np.nan) if values is None else _read(values, name, kind)
        for values, (name, kind) in zip(found, columns)  # noqa: B905
    ], False


def _columns_of_row(row: list[Any], columns: Sequence[tuple[str, str]]) -> list[np.ndarray]:
    """Make arrays of one value, those of numbers as views of one array: that is quicker."""
    plain = _PLAIN_NUMBERS.issuperset(map(type, row))
    if plain and all(kind == "number" for _, kind in columns):
        try:
            return list(np.array(row, dtype=np.float64).reshape(-1, 1))
        except OverflowError:  # an integer beyond doubles: the reader names its column
            pass
    read = [READERS[kind](value, name) for value, (name, kind) in zip(row, columns)]  # noqa: B905
    texts = [j for j, (_, kind) in enumerate(columns) if kind == "category"]
    found = {j: read[j] for j in texts}
    for j in texts:
        read[j] = 0.0
    arrays = list(np.array(read, dtype=np.float64).reshape(-1, 1))
    for j in texts:
        arrays[j] = np.empty(1, dtype=object)
        arrays[j][0] = found[j]
    return arrays


def _columns_of_lists(
    rows: list[list[Any]], columns: Sequence[tuple[str, str]]
) -> list[np.ndarray]:
    return [
        _read_objects([row[j] for row in rows], name, kind)
        for j, (name, kind) in enumerate(columns)
    ]


def _read_objects(values: list[Any], name: str, kind: str) -> np.ndarray:
    """Read Python objects, one by one but for plain numbers."""
    read = READERS[kind]
    if kind == "number" and set(map(type, values)) <= _PLAIN_NUMBERS:
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:  # an integer beyond doubles: the reader names its column
            pass
    if kind != "category":
        return np.array([read(value, name) for value in values], dtype=np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = [value if type(value) is str else read(value, name) for value in values]
    return out


def _read(values: Any, name: str, kind: str) -> np.ndarray:
    """Read one column: a numpy array, or a Series of pandas or polars."""
    if kind == "unread":
        return np.full(len(values), np.nan)
    if hasattr(values, "to_list"):
        values = _read_series(values, kind)
    if isinstance(values, list):
        return _read_objects(values, name, kind)
    letter = values.dtype.kind
    if letter in "biuf" and kind in ("number", "timedelta"):
        return values.astype(np.float64, copy=False)
    if letter == "M" and kind == "datetime":
        return _since_epoch(values.astype("M8[us]"))
    if letter == "m" and kind == "timedelta":
        return _since_epoch(values.astype("m8[us]")) / 1e6
    if letter in "iufb" and kind == "category":
        levels, places = np.unique(values, return_inverse=True)
        texts = np.empty(len(levels), dtype=object)
        texts[:] = [READERS[kind](level, name) for level in levels]
        return texts[places.reshape(-1)]
    return _read_objects(list(values) if letter in "Mm" else values.tolist(), name, kind)


def _read_series(series: Any, kind: str) -> Any:
    """A numpy array of a Series where its values can be had at once, else a list of them."""
    dtype = str(series.dtype)
    if kind == "category" and dtype == "category" and hasattr(series, "cat"):
        texts = _read_objects([*series.cat.categories.to_list(), None], str(series.name), kind)
        return texts[series.cat.codes.to_numpy()].tolist()  # code -1: missing
    letter = getattr(series.dtype, "kind", "")
    if isinstance(series.dtype, np.dtype):
        return series.to_numpy()
    if letter == "M":  # of pandas, with a time zone
        return series.to_numpy(dtype="M8[us]")
    if letter and letter in "biuf" and kind != "category":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if hasattr(series, "null_count"):  # of polars, which reads whole numbers with gaps as floats
        exact = kind != "category" or series.null_count() == 0
        if dtype.startswith(("Float", "Date", "Duration", "Boolean")):
            return series.to_numpy()
        if dtype.startswith(("Int", "UInt")) and exact:
            return series.to_numpy()
    return series.to_list()


def _since_epoch(times: np.ndarray) -> np.ndarray:
    counts = times.astype(np.int64).astype(np.float64)
    counts[np.isnat(times)] = np.nan
    return counts

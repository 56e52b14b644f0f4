"""Reads the columns of a table so that new ones of the same type can be written.

A new cell is either a copy of a cell, whatever that holds, or a number drawn between two others.
What is drawn becomes a value that the column could hold: within the range seen, and a multiple of
the step that all values share (1 for most whole numbers, a day for dates without a time).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stackens.preprocessing._reading import column, column_kind, is_polars

__all__ = ["SourceColumn", "read_columns", "write_table"]

WIDEST = 2**62  # differences of whole numbers up to here fit into an int64
EXACT = 2**53  # whole numbers up to here are exact in a float64


@dataclass(frozen=True, eq=False)
class SourceColumn:
    """A column to make new cells from.

    Attributes
    ----------
    values : ndarray, pandas extension array or polars Series of shape (n_samples,)
        The cells.
    numbers : float64 array of shape (n_samples,) or None
        The cells as numbers from the smallest value on, in a unit of the column's own, NaN for
        those that can only be copied (missing, infinite). None where all can only be copied.
    restore : callable or None
        From drawn numbers to values of the column.
    """

    values: Any
    numbers: np.ndarray | None = None
    restore: Callable[[np.ndarray], Any] | None = None

    def new(self, rows: np.ndarray, drawn: np.ndarray | None = None) -> Any:
        """Make a column of the same type.

        Parameters
        ----------
        rows : int array of shape (n_new,)
            Where each cell is copied from.
        drawn : float array of shape (n_new,), optional
            Numbers to write over the copies, NaN where the copy stays.
        """
        cells = self.values[rows]
        written = np.isfinite(drawn) if drawn is not None else np.zeros(len(rows), dtype=bool)
        if self.restore is None or drawn is None or not written.any():
            return cells
        values = self.restore(drawn[written])
        if _is_polars_series(cells):
            return cells.scatter(np.flatnonzero(written), values)
        cells[written] = values
        return cells


def read_columns(X: Any) -> list[SourceColumn]:
    """Read every column of an array, or of a pandas or polars DataFrame.

    Raises
    ------
    TypeError
        If a polars column holds lists or structs.
    """
    return [_read(X, position) for position in range(X.shape[1])]


def write_table(columns: list[Any], like: Any) -> Any:
    """Put new columns, as :meth:`SourceColumn.new` makes them, side by side as `like` has them."""
    if isinstance(like, np.ndarray):
        table = np.empty((len(columns[0]), len(columns)), dtype=like.dtype)
        for position, cells in enumerate(columns):
            table[:, position] = cells
        return table
    if is_polars(like):
        return type(like)(
            [cells.alias(name) for name, cells in zip(like.columns, columns, strict=True)]
        )
    frame = pd.DataFrame(
        {
            position: pd.array(cells, dtype=dtype)
            if isinstance(dtype, pd.SparseDtype)
            else pd.Series(cells, dtype=dtype)
            for position, (cells, dtype) in enumerate(zip(columns, like.dtypes, strict=True))
        }
    )
    frame.columns = like.columns
    return frame


def _is_polars_series(values: Any) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(values, polars.Series)


def _read(X: Any, position: int) -> SourceColumn:
    values = column(X, position)
    kind = column_kind(values)
    if is_polars(X):
        values = X.to_series(position)
    elif isinstance(values.dtype, pd.SparseDtype):
        values = np.asarray(values)
    if kind not in ("numeric", "datetime", "timedelta"):
        return SourceColumn(values)
    if isinstance(values, np.ndarray):
        found = _in_array(values)
    elif _is_polars_series(values):
        found = _in_polars(values)
    else:
        found = _in_extension_array(values)
    if found is None or not found[0].any():
        return SourceColumn(values)
    present, raw, back = found
    scale = _whole_scale(raw) or _range_scale(raw)
    if scale is None:
        return SourceColumn(values)
    numbers = np.full(len(values), np.nan)
    numbers[present], value_of = scale
    return SourceColumn(values, numbers, lambda drawn: back(value_of(drawn)))


# ------------------------------------------------------------------ storage <-> raw numbers

# Where there are numbers (a mask), the numbers there (integers or floats), and the way back.
_Found = tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], Any]] | None


def _in_array(values: np.ndarray) -> _Found:
    if values.dtype.kind in "Mm":
        present = ~np.isnat(values)
        dtype = values.dtype.newbyteorder("=")
        return present, values[present].astype(dtype).view(np.int64), lambda x: x.view(dtype)
    if values.dtype.kind == "O":
        present = ~pd.isna(values)
        types = set(map(type, values[present]))
        if not all(issubclass(t, (int, float, np.integer)) for t in types):
            return None  # decimals, dates: values of other types are only copied
        numbers = np.array(values[present].tolist())
        if numbers.dtype.kind == "f":
            present[present] = np.isfinite(numbers)
            numbers = numbers[np.isfinite(numbers)]
        return present, numbers, lambda x: x.tolist()
    present = np.isfinite(values)
    return present, values[present], lambda x: x


def _in_extension_array(values: Any) -> _Found:
    present = ~np.asarray(pd.isna(values))
    kind = values.dtype.kind
    if kind in "Mm":
        index: Any = (pd.DatetimeIndex if kind == "M" else pd.TimedeltaIndex)(values[present])
        storage = f"{kind}8[{index.unit}]"

        def back(x: np.ndarray) -> Any:
            times = type(index)(x.view(storage))
            zone = getattr(index, "tz", None)
            return times if zone is None else times.tz_localize("UTC").tz_convert(zone)

        return present, index.asi8, back
    if kind not in "iuf":
        return None
    numbers = values[present].to_numpy(dtype=np.dtype(f"{kind}8"))
    present[present] = np.isfinite(numbers)
    return present, numbers[np.isfinite(numbers)], lambda x: x


def _in_polars(series: Any) -> _Found:
    polars = sys.modules["polars"]
    dtype, physical = series.dtype, series.to_physical()
    if dtype.is_decimal() or not (physical.dtype.is_integer() or physical.dtype.is_float()):
        return None  # decimals are only copied
    present = physical.is_not_null().to_numpy().copy()
    numbers = physical.drop_nulls().to_numpy()
    present[present] = np.isfinite(numbers)
    return (
        present,
        numbers[np.isfinite(numbers)],
        lambda x: polars.Series(x).cast(physical.dtype).cast(dtype),
    )


# ------------------------------------------------------------------ raw numbers <-> drawn numbers

_Scale = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]] | None


def _whole_scale(raw: np.ndarray) -> _Scale:
    """Count steps from the smallest value; None where values are not whole."""
    given = raw.dtype
    if raw.dtype.kind == "f":
        raw = raw.astype(np.float64)  # which can hold the bound
        if not (np.all(np.abs(raw) < EXACT) and np.all(raw == np.rint(raw))):
            return None
        raw = raw.astype(np.int64)
    elif raw.dtype.kind == "i":
        raw = raw.astype(np.int64)
    elif raw.dtype.kind != "u":
        return None
    low, high = int(raw.min()), int(raw.max())
    if high - low >= WIDEST:
        return None
    dtype = np.dtype(np.uint64 if raw.dtype.kind == "u" else np.int64)
    offsets = (raw.astype(dtype) - dtype.type(low)).astype(np.int64)
    step = max(int(np.gcd.reduce(offsets)), 1)
    most = (high - low) // step

    def value_of(drawn: np.ndarray) -> np.ndarray:
        steps = np.minimum(np.rint(np.clip(drawn, 0, most)).astype(np.int64), most)
        whole = steps.astype(dtype) * dtype.type(step) + dtype.type(low)
        return whole.astype(given) if given.kind == "f" else whole

    return offsets / step, value_of


def _range_scale(raw: np.ndarray) -> _Scale:
    """Floats as they are; None for whole numbers, which come here when their range is too wide."""
    if raw.dtype.kind != "f":
        return None
    numbers = raw.astype(np.float64)
    low, high = numbers.min(), numbers.max()
    return numbers, lambda drawn: np.clip(drawn, low, high)

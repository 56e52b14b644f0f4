"""Reads columns of arrays, pandas and polars frames: their kind, their numbers, their levels."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_scalar

# What a column of each kind is made of. A name ends in its part; a plain number needs none.
PARTS = {
    "numeric": ("",),
    "boolean": ("",),
    "timedelta": ("seconds",),
    "datetime": ("days", "year", "month", "weekday", "hour"),
}
FEW_ROWS = 32  # up to here, one pass over Python objects is quicker than one call per column

_KIND_OF_DTYPE = {
    "b": "boolean",
    "i": "numeric",
    "u": "numeric",
    "f": "numeric",
    "M": "datetime",
    "m": "timedelta",
    "c": "complex",
}
_KIND_OF_OBJECTS = {
    "integer": "numeric",
    "floating": "numeric",
    "mixed-integer-float": "numeric",
    "decimal": "numeric",
    "boolean": "boolean",
    "datetime64": "datetime",
    "datetime": "datetime",
    "date": "datetime",
    "timedelta64": "timedelta",
    "timedelta": "timedelta",
    "complex": "complex",
    "empty": "missing",
}
_NUMBER_TYPES = (Real, Decimal, np.bool_, NoneType, type(pd.NA), type(pd.NaT))


# ------------------------------------------------------------------ containers


def is_polars(X: Any) -> bool:
    """Whether X is a polars DataFrame (polars itself is never imported for the answer)."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def is_frame(X: Any) -> bool:
    """Whether X is a pandas or polars DataFrame."""
    return isinstance(X, pd.DataFrame) or is_polars(X)


def cells(X: Any) -> np.ndarray:
    """Turn a frame into a matrix of Python objects, for frames of few rows.

    Parameters
    ----------
    X : pandas or polars DataFrame of shape (n_samples, n_features)

    Returns
    -------
    array of shape (n_samples, n_features), object
    """
    if isinstance(X, pd.DataFrame):
        return X.to_numpy(dtype=object)
    matrix = np.empty(X.shape, dtype=object)
    for i, row in enumerate(X.rows()):
        matrix[i] = row
    return matrix


def column(X: Any, position: int) -> Any:
    """Take one column as a numpy array or a pandas extension array, without nested values."""
    if isinstance(X, np.ndarray):
        return X[:, position]
    if isinstance(X, pd.DataFrame):
        series = X.iloc[:, position]
        return series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array
    return _polars_column(X.to_series(position))


def _polars_column(series: Any) -> Any:
    polars = sys.modules["polars"]
    if hasattr(series.dtype, "ext_storage"):  # pandas' periods and intervals arrive as extensions
        series = series.ext.storage()
    dtype = series.dtype
    if dtype.is_nested():
        raise TypeError(
            f"Column {series.name!r} must hold single values. Got the polars type {dtype}. "
            "Spread it over several columns, or leave it out."
        )
    if dtype == polars.Null:
        return np.full(len(series), None, dtype=object)
    if dtype == polars.Enum:
        codes = series.to_physical().cast(polars.Int64).fill_null(-1).to_numpy()
        declared = pd.CategoricalDtype(dtype.categories.to_list(), ordered=True)
        return pd.Categorical.from_codes(codes, dtype=declared)
    if dtype == polars.Categorical:
        series = series.cast(polars.String)
    if dtype == polars.Datetime and dtype.time_zone is not None:  # numpy would forget the zone
        stamps = pd.DatetimeIndex(series.to_numpy()).tz_localize("UTC")
        return stamps.tz_convert(dtype.time_zone).array
    if dtype.is_integer() or dtype.is_decimal():
        series = series.cast(polars.Float64) if series.has_nulls() else series
    return series.to_numpy()


# ------------------------------------------------------------------ kinds


def column_kind(values: Any) -> str:
    """Name what a column holds.

    Parameters
    ----------
    values : numpy array or pandas extension array of shape (n_samples,)

    Returns
    -------
    {"numeric", "boolean", "datetime", "timedelta", "categorical", "missing", "complex"}
        "missing" is a column of objects without a single value.
    """
    kind = _KIND_OF_DTYPE.get(values.dtype.kind)
    if kind is not None:
        return kind
    if isinstance(values.dtype, (pd.CategoricalDtype, pd.StringDtype)):
        return "categorical"
    return _KIND_OF_OBJECTS.get(infer_dtype(values, skipna=True), "categorical")


# ------------------------------------------------------------------ numbers


def number_block(X: Any, positions: np.ndarray) -> np.ndarray | None:
    """Read several columns of numbers at once.

    Parameters
    ----------
    X : array or DataFrame of shape (n_samples, n_features)
    positions : int array of shape (n_columns,)

    Returns
    -------
    float64 array of shape (n_samples, n_columns) with NaN for missing, or None
        None where a column is not stored as numbers, and has to be looked at by itself.
    """
    if isinstance(X, np.ndarray):
        block = X if len(positions) == X.shape[1] else X[:, positions]
        if block.dtype.kind in "biuf":
            return block.astype(np.float64, copy=False)
        if block.dtype.kind == "O":
            return _float64(block) if _are_numbers(block) else None
        return None
    if isinstance(X, pd.DataFrame):
        frame = X.iloc[:, positions]
        if all(dtype.kind in "biuf" for dtype in frame.dtypes):
            return frame.to_numpy(dtype=np.float64, na_value=np.nan)
        return None
    polars = sys.modules["polars"]
    frame = X[:, positions.tolist()]
    if all(dtype.is_numeric() or dtype == polars.Boolean for dtype in frame.dtypes):
        return frame.cast(polars.Float64).to_numpy()
    return None


def numbers(values: Any, kind: str, name: str) -> np.ndarray:
    """Read one column as the numbers of its kind.

    Parameters
    ----------
    values : numpy array or pandas extension array of shape (n_samples,)
    kind : {"numeric", "boolean", "datetime", "timedelta"}
    name : str
        The column's name, for the error.

    Returns
    -------
    float64 array of shape (n_samples, n_parts)
        One column for each of ``PARTS[kind]``, NaN where the value is missing.

    Raises
    ------
    ValueError
        If the column holds something else, such as text.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = np.asarray(values)
    if kind in ("numeric", "boolean"):
        fits = values.dtype.kind in "biuf" or (values.dtype.kind == "O" and _are_numbers(values))
    else:
        fits = column_kind(values) == kind
    if not fits:
        if not np.all(pd.isna(values)):
            raise _not_of_kind(values, kind, name)
        return np.full((len(values), len(PARTS[kind])), np.nan)
    if kind == "datetime":
        return _datetime_parts(_as_numpy_time(values, "M8[us]"))
    if kind == "timedelta":
        return _seconds(_as_numpy_time(values, "m8[us]"))[:, None]
    return _float64(values)[:, None]


def _are_numbers(objects: Any) -> bool:
    """Whether objects are all numbers, booleans or missing."""
    return all(issubclass(t, _NUMBER_TYPES) for t in set(map(type, np.ravel(objects))))


def _float64(values: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    if values.dtype.kind == "O":
        values = np.where(pd.isna(values), np.nan, values)
    return values.astype(np.float64, copy=False)


def _as_numpy_time(values: Any, dtype: str) -> np.ndarray:
    """Times as numpy has them, those with a time zone as UTC."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values.astype(dtype)
    if dtype.startswith("m"):
        return pd.to_timedelta(values).to_numpy().astype(dtype)
    if values.dtype.kind == "M":
        stamps = pd.DatetimeIndex(pd.to_datetime(values, utc=True))  # of Arrow they are no index
        return stamps.tz_localize(None).to_numpy().astype(dtype)
    return np.array([_utc(v) for v in values], dtype=dtype)


def _utc(value: Any) -> np.datetime64:
    if pd.isna(value):
        return np.datetime64("NaT")
    stamp = pd.Timestamp(value)
    return (stamp if stamp.tzinfo is None else stamp.tz_convert(None)).to_datetime64()


def _datetime_parts(stamps: np.ndarray) -> np.ndarray:
    microseconds = stamps.astype(np.int64)
    day = stamps.astype("M8[D]").astype(np.int64)
    month = stamps.astype("M8[M]").astype(np.int64)
    parts = np.empty((len(stamps), 5))
    parts[:, 0] = microseconds / 86_400_000_000
    parts[:, 1] = month // 12 + 1970
    parts[:, 2] = month % 12 + 1
    parts[:, 3] = (day + 3) % 7  # 1970-01-01 was a Thursday
    parts[:, 4] = microseconds // 3_600_000_000 % 24
    parts[np.isnat(stamps)] = np.nan
    return parts


def _seconds(durations: np.ndarray) -> np.ndarray:
    seconds = durations.astype(np.int64) / 1e6
    seconds[np.isnat(durations)] = np.nan
    return seconds


def _not_of_kind(values: Any, kind: str, name: str) -> ValueError:
    present = [v for v in values if not (is_scalar(v) and pd.isna(v))]
    strange = [v for v in present if not isinstance(v, _NUMBER_TYPES)]
    example = (strange if strange and kind in ("numeric", "boolean") else present)[0]
    advice = {
        "numeric": "Convert the column with pandas.to_numeric",
        "boolean": "Convert the column to booleans or to 0 and 1",
        "datetime": "Convert the column with pandas.to_datetime",
        "timedelta": "Convert the column with pandas.to_timedelta",
    }[kind]
    return ValueError(
        f"Column {name!r} must be {kind}, as it was in fit. Got {example!r} of type "
        f"{type(example).__name__}. {advice}, or fit the encoder again on data of this type."
    )


# ------------------------------------------------------------------ levels


def level_text(value: Any, name: str) -> str | None:
    """Write one value in the text form that stands for its level; None where it is missing.

    Text stays as it is, so "NA", "nan" and "None" are levels like any other. A number is the
    shortest text of its double value, whole numbers without a point: ``1``, ``1.0`` and
    ``"1"`` are one level. Booleans are "True" and "False", dates are in ISO form, bytes are
    read as UTF-8, other objects give their ``str``.

    Parameters
    ----------
    value : object
    name : str
        The column's name, for the error.

    Returns
    -------
    str or None

    Raises
    ------
    TypeError
        If the value is a list, a dict or another container that can change.
    """
    if isinstance(value, str):
        return str(value)
    if value is None or (is_scalar(value) and pd.isna(value)):
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (datetime.timedelta, np.timedelta64)):  # numpy's is an integer as well
        return pd.Timedelta(value).isoformat()
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        whole = number.is_integer() and abs(number) < 2**53
        return str(int(number)) if whole else str(number)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, (datetime.date, np.datetime64)):
        return pd.Timestamp(value).isoformat()
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"Column {name!r} must hold single values, such as text or numbers. Got {value!r} of "
            f"type {type(value).__name__}. Convert the column to text, or leave it out."
        ) from None
    return str(value)


def factorise(values: Any, name: str) -> tuple[np.ndarray, Sequence[str]]:
    """Split a column into codes and the texts they stand for.

    Parameters
    ----------
    values : numpy array or pandas extension array of shape (n_samples,)
    name : str
        The column's name, for the error.

    Returns
    -------
    codes : int array of shape (n_samples,)
        -1 where the value is missing.
    texts : sequence of str
        The text of each code. A text may come twice (``1`` and ``"1"``) or be unused.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return np.asarray(values.codes), _texts(values.categories, name)
    if values.dtype.kind == "O" and infer_dtype(values, skipna=True) != "string":
        # pandas would take True, 1 and 1.0 for one value, named after whichever comes first
        values = np.array([level_text(v, name) for v in values], dtype=object)
    codes, levels = pd.factorize(values)
    return codes, _texts(levels, name)


def declared_order(values: Any, name: str) -> Sequence[str] | None:
    """Texts of an ordered categorical column in the order it declares, None for others."""
    if isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered:
        return _texts(values.categories, name)
    return None


def _texts(levels: Any, name: str) -> list[str]:
    return [level_text(v, name) or "" for v in levels]

"""Forms of pandas' and polars' containers: columns as plain arrays, or as Arrow has them."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from stackens.exceptions import MissingExtraError
from stackens.export.saving._parts import PartReader, PartWriter

__all__ = ["PART_READERS", "READERS", "write_frame"]


def write_frame(found: Any, parts: PartWriter) -> tuple[Any, ...] | None:
    """Return the form of a container, date or dtype of pandas or polars, or None."""
    polars = sys.modules.get("polars")  # without it there are no frames of it
    if polars is not None and isinstance(found, polars.DataFrame | polars.Series):
        frame = found.to_frame() if isinstance(found, polars.Series) else found
        name = parts.add("polars", "arrow", lambda file: frame.write_ipc(file))
        return "polars", name, isinstance(found, polars.Series)
    if isinstance(found, pd.DataFrame):
        return _write_frame(found) if type(found) is pd.DataFrame else None
    if isinstance(found, pd.Series):
        return "series", _values(found), found.index, found.name
    if isinstance(found, pd.Index):
        return _write_index(found)
    if isinstance(found, ExtensionArray):
        return _write_extension(found)
    if isinstance(found, ExtensionDtype):
        if isinstance(found, pd.CategoricalDtype):
            return "categories", found.categories, found.ordered
        return "pandas_dtype", _dtype_name(found)
    if found is pd.NaT or found is pd.NA:
        return "missing", "NaT" if found is pd.NaT else "NA"
    if isinstance(found, pd.Timestamp):
        moment = found if found.tz is None else found.tz_convert("UTC").tz_localize(None)
        return "timestamp", moment.to_datetime64(), found.tz
    if isinstance(found, pd.Timedelta):
        return "timedelta", found.to_timedelta64()
    if isinstance(found, pd.Period):
        return "period", found.ordinal, found.freqstr
    if isinstance(found, pd.Interval):
        return "interval", found.left, found.right, found.closed
    return None


def _write_frame(frame: pd.DataFrame) -> tuple[Any, ...]:
    dtypes = set(frame.dtypes)
    if len(dtypes) == 1 and isinstance(next(iter(dtypes)), np.dtype):
        block = frame.to_numpy()
        if block.dtype in dtypes:
            return "frame", frame.index, frame.columns, block
    columns = [_values(frame.iloc[:, i]) for i in range(frame.shape[1])]
    return "frame", frame.index, frame.columns, columns


def _values(container: Any) -> Any:
    """Return the array behind a Series or an Index, of numpy where it is one."""
    dtype = container.dtype
    return container.to_numpy() if isinstance(dtype, np.dtype) else container.array


def _write_index(index: pd.Index) -> tuple[Any, ...]:
    if isinstance(index, pd.RangeIndex):
        return "range_index", index.start, index.stop, index.step, index.name
    if isinstance(index, pd.MultiIndex):
        codes = [np.asarray(code) for code in index.codes]
        return "multi_index", list(index.levels), codes, list(index.names)
    is_regular = isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)
    frequency = getattr(index, "freqstr", None) if is_regular else None
    return "index", _values(index), index.name, frequency


def _write_extension(array: Any) -> tuple[Any, ...]:
    dtype = array.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categorical", np.asarray(array.codes), dtype.categories, bool(dtype.ordered)
    if isinstance(dtype, pd.DatetimeTZDtype):
        moments = np.asarray(array.tz_convert("UTC").tz_localize(None))
        return "zoned", moments, dtype.tz
    name = _dtype_name(dtype)
    if name in ("str", "string"):
        texts = [None if is_missing else text for text, is_missing in _told(array)]
        return "texts", texts, name
    if isinstance(dtype, pd.PeriodDtype):
        return "extension", np.asarray(array.asi8), name
    if isinstance(array, pd.arrays.IntervalArray):
        return "intervals", array.left, array.right, array.closed
    if hasattr(array, "_mask") and hasattr(array, "_data"):  # Int64, Float64, boolean
        return "masked_column", array._data, array._mask, name
    return "extension", array.astype(object), name


def _told(array: Any) -> Any:
    return zip(array.astype(object), array.isna(), strict=True)


def _dtype_name(dtype: Any) -> str:
    # Text is held by pyarrow where that is installed, which a file must not depend on.
    if isinstance(dtype, pd.StringDtype):
        return "string" if dtype.na_value is pd.NA else "str"
    return str(dtype)


# ---------------------------------------------------------------- reading
# Each takes just what is written, and no further argument that a file might add.


# pandas' stubs know fewer ways to say a dtype than pandas does
_array: Any = pd.array
_periods: Any = pd.arrays.PeriodArray


def _told_array(values: Any) -> Any:
    if not isinstance(values, np.ndarray | ExtensionArray):
        raise TypeError(f"a {type(values).__name__} is no array of values")
    return values


def _zone(zone: Any) -> Any:
    # the name of a zone may be that of a file, which dateutil would read
    if not (zone is None or isinstance(zone, datetime.tzinfo)):
        raise TypeError(f"{zone!r:.60} is no time zone")
    return zone


def _dtype(name: str) -> Any:
    if "dateutil" in name:
        raise ValueError(f"{name!r:.60} is no type of a column that is written")
    return pd.api.types.pandas_dtype(name)


def _read_frame(index: Any, columns: Any, values: Any) -> pd.DataFrame:
    if isinstance(values, np.ndarray):
        return pd.DataFrame(values, index=index, columns=columns)
    frame = pd.DataFrame(dict(enumerate(values)), index=index)
    frame.columns = columns
    return frame


def _read_series(values: Any, index: Any, name: Any) -> pd.Series:
    return pd.Series(_told_array(values), index=index, name=name, dtype=values.dtype)


def _read_index(values: Any, name: Any, frequency: str | None) -> pd.Index:
    found: Any = pd.Index(_told_array(values), name=name, dtype=values.dtype)
    if frequency is not None:
        found.freq = frequency
    return found


def _read_zoned(moments: np.ndarray, zone: Any) -> Any:
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(_zone(zone)).array


def _read_masked(data: np.ndarray, mask: np.ndarray, name: str) -> Any:
    array = _array(data, dtype=_dtype(name))
    array[mask] = pd.NA
    return array


def _read_extension(values: Any, name: str) -> Any:
    make = _periods if name.startswith("period") else _array
    return make(values, dtype=_dtype(name))


def _read_timestamp(moment: Any, zone: Any) -> pd.Timestamp:
    found = pd.Timestamp(moment)
    return found if zone is None else found.tz_localize("UTC").tz_convert(_zone(zone))


def _read_polars(parts: PartReader, name: str, is_series: bool) -> Any:
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError(
            "Loading an object that holds polars data needs the package 'polars', which could not "
            f"be imported ({error}). Install it with: python -m pip install polars"
        ) from error
    content = bytes(parts.content(name))
    if b"POLARS_EXTENSION_TYPE" in content:
        # older polars takes what is in it for the address of an object in memory
        raise ValueError(f"{name} has a column of a type that is not written to files")
    frame = polars.read_ipc(content)
    return frame.to_series() if is_series else frame


READERS: dict[str, Callable[..., Any]] = {
    "categorical": lambda codes, categories, ordered: pd.Categorical.from_codes(
        codes, categories, ordered=ordered
    ),
    "categories": lambda categories, ordered: pd.CategoricalDtype(categories, ordered),
    "extension": _read_extension,
    "frame": _read_frame,
    "index": _read_index,
    "interval": lambda left, right, closed: pd.Interval(left, right, closed),
    "intervals": lambda left, right, closed: pd.arrays.IntervalArray.from_arrays(
        left, right, closed
    ),
    "masked_column": _read_masked,
    "missing": lambda name: {"NaT": pd.NaT, "NA": pd.NA}[name],
    "multi_index": lambda levels, codes, names: pd.MultiIndex(levels, codes, names=names),
    "pandas_dtype": _dtype,
    "period": lambda ordinal, frequency: pd.Period(ordinal=ordinal, freq=frequency),
    "range_index": lambda start, stop, step, name: pd.RangeIndex(start, stop, step, name=name),
    "series": _read_series,
    "texts": lambda texts, name: _array(texts, dtype=name),
    "timedelta": lambda length: pd.Timedelta(length),
    "timestamp": _read_timestamp,
    "zoned": _read_zoned,
}
PART_READERS: dict[str, Callable[..., Any]] = {"polars": _read_polars}

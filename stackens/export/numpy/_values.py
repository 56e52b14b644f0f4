"""Reads single values and rows as users have them, with the standard library alone.

The text of this file is put into exported files, so it runs on Python 3.9 and knows numpy,
pandas and polars only by how their values look.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["READERS", "is_one_row", "row_reader", "row_values", "rows_of"]

# Of pandas; its types are known by name, so that it need not be there.
_MISSING_TYPES = ("NAType", "NaTType")
_TEXT_TYPES = ("Period",)
_FLOATS = {float}
_SINGLE = {float, str, int, bool, type(None)}


def read_number(value: Any, name: str) -> float:
    """Read a value of a column of numbers; NaN where it is missing."""
    if type(value) is float:
        return value
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return math.nan
    if not isinstance(value, (str, bytes)) and _dtype_kind(value) in "biuf":
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass  # not a number after all, or an integer beyond doubles: told below
    if _is_not_a_time(value):
        return math.nan
    raise ValueError(
        f"Column {name!r} must hold numbers. Got {value!r:.100} of type {type(value).__name__}. "
        "Convert it to a number, or give None where it is missing."
    )


def read_category(value: Any, name: str) -> str | None:
    """Read a value of a column of categories as text; None where it is missing."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if value is None or type(value).__name__ in _MISSING_TYPES or _is_not_a_time(value):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if type(value).__name__ in _TEXT_TYPES:
        return str(value)
    kind = _dtype_kind(value)
    if kind == "b" or isinstance(value, bool):
        return str(bool(value))
    if kind in "iu" or isinstance(value, int):
        return str(int(value))
    if kind == "f" and (isinstance(value, float) or hasattr(value, "dtype")):
        number = float(value)
        whole = number.is_integer() and abs(number) < 2**53
        return str(int(number)) if whole else str(number) if number == number else None
    raise TypeError(
        f"Column {name!r} must hold text, numbers or booleans. Got {value!r:.100} of type "
        f"{type(value).__name__}. Convert it to text, or give None where it is missing."
    )


def read_datetime(value: Any, name: str) -> float:
    """Read a moment as microseconds since 1970-01-01 UTC; NaN where it is missing."""
    if type(value).__name__ in _MISSING_TYPES:
        return math.nan
    if isinstance(value, str):
        value = _iso_moment(value, name)
    if isinstance(value, datetime.date):
        seconds = (value.toordinal() - 719163) * 86400  # days since 1970-01-01
        if not isinstance(value, datetime.datetime):
            return seconds * 1e6
        seconds += value.hour * 3600 + value.minute * 60 + value.second
        moment = seconds * 1_000_000 + value.microsecond
        return float(moment - _microseconds(value.utcoffset() or datetime.timedelta()))
    if _dtype_kind(value) == "M":
        return math.nan if value != value else float(int(value.astype("M8[us]").astype("i8")))
    try:
        number = read_number(value, name)
    except ValueError:
        number = 0.0
    if number != number:
        return number
    raise ValueError(
        f"Column {name!r} must hold moments. Got {value!r:.100} of type {type(value).__name__}. "
        "Give a datetime or text in ISO form (a number does not say its unit), or None where it "
        "is missing."
    )


def read_timedelta(value: Any, name: str) -> float:
    """Read a duration as seconds; NaN where it is missing."""
    if type(value).__name__ in _MISSING_TYPES:
        return math.nan
    if isinstance(value, datetime.timedelta):
        return _microseconds(value) / 1e6
    if _dtype_kind(value) == "m":
        return math.nan if value != value else int(value.astype("m8[us]").astype("i8")) / 1e6
    try:
        return read_number(value, name)
    except ValueError:
        raise ValueError(
            f"Column {name!r} must hold durations. Got {value!r:.100} of type "
            f"{type(value).__name__}. Give a timedelta or a number of seconds, or None where it is "
            "missing."
        ) from None


# How a value of each kind of column is read.
READERS: dict[str, Callable[[Any, str], Any]] = {
    "number": read_number,
    "category": read_category,
    "datetime": read_datetime,
    "timedelta": read_timedelta,
    "unread": lambda value, name: math.nan,
}


def _dtype_kind(value: Any) -> str:
    """Kind letter of a numpy scalar; "f" for other single values, which may yet be no number."""
    if getattr(value, "shape", ()) != ():
        return "?"  # an array in the place of a value
    return getattr(getattr(value, "dtype", None), "kind", "f")


def _is_not_a_time(value: Any) -> bool:
    return _dtype_kind(value) in "Mm" and bool(value != value)


def _microseconds(duration: datetime.timedelta) -> int:
    return (duration.days * 86400 + duration.seconds) * 1_000_000 + duration.microseconds


def _iso_moment(text: str, name: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" else text)
    except ValueError:
        raise ValueError(
            f"Column {name!r} must hold moments. Got {text!r:.100}. Write it in ISO form, as "
            "2024-12-31 or 2024-12-31T23:59:00+00:00."
        ) from None


# ------------------------------------------------------------------ rows


def is_one_row(rows: Any) -> bool:
    """Whether rows are one row: a dict, a flat list, a tuple, or an array of one dimension."""
    if isinstance(rows, (list, tuple)):
        return len(rows) > 0 and not _is_row(rows[0])
    if isinstance(rows, dict):
        return True
    dimensions = len(getattr(rows, "shape", ()))
    if not dimensions and isinstance(rows, Mapping):
        return True
    if dimensions not in (1, 2):
        raise TypeError(
            "Rows must be a dict, a list of values, a list of those, an array of one or two "
            f"dimensions, or a DataFrame. Got {type(rows).__name__}"
            + (f" of shape {rows.shape}. " if dimensions else ". ")
            + "Convert it to one of these."
        )
    return dimensions == 1


def row_values(
    row: Any, columns: Sequence[tuple[str, str]], where: str = "The row", named: bool = True
) -> list[Any]:
    """Take the values of one row, as they are, in the order of the columns.

    Parameters
    ----------
    row : dict, pandas Series, list, tuple or array of shape (n_columns,)
    columns : sequence of (name, kind)
    where : str, default="The row"
        How an error calls the row.
    named : bool, default=True
        Whether the values of a Series are found by name, if it has names, and not by place.
    """
    if hasattr(row, "to_dict"):  # a row of a pandas frame
        by_name = row.to_dict()
        has_names = named and any(isinstance(name, str) for name in by_name)
        is_known = named and _places(by_name).keys() >= {name for name, _ in columns}
        row = by_name if has_names or is_known else list(by_name.values())
    is_list = isinstance(row, (list, tuple))
    if isinstance(row, dict) or (not is_list and isinstance(row, Mapping)):
        try:
            return [row[name] for name, _ in columns]
        except KeyError:
            if not named and row.keys() == set(range(len(columns))):  # numbered, as in a frame
                return [row[i] for i in range(len(columns))]
            place = _places(row)
            absent = [name for name, kind in columns if name not in place and kind != "unread"]
            if absent:
                raise ValueError(_lacks(where, absent, list(row))) from None
            return [row[place[name]] if name in place else None for name, _ in columns]
    values = _plain(row)
    if not isinstance(values, (list, tuple)) or len(values) != len(columns):
        got = len(values) if isinstance(values, (list, tuple)) else repr(row)
        raise ValueError(
            f"{where} must have {len(columns)} values, one for each of the columns "
            f"{_listed([name for name, _ in columns])}. Got {got}. Give them all, in this order, "
            "or give a dict with their names."
        )
    return list(values)


def rows_of(
    rows: Any,
    columns: Sequence[tuple[str, str]],
    named: bool,
    read: Callable[[list[Any]], list[Any]],
) -> tuple[list[list[Any]], bool]:
    """Read rows of any form, one value at a time.

    Parameters
    ----------
    rows : dict, list, tuple, array or DataFrame
    columns : sequence of (name, kind)
        Kinds as in ``READERS``; values of the kind "unread" count for nothing.
    named : bool
        Whether columns of frames are found by name, not by place.
    read : callable
        What :func:`row_reader` returned for these columns.

    Returns
    -------
    rows : list of list of float, str or None
    is_one_row : bool
    """
    one = is_one_row(rows)
    if one:
        raw = [row_values(rows, columns, named=named)]
    elif isinstance(rows, (list, tuple)):
        raw = [row_values(row, columns, f"Row {i}", named) for i, row in enumerate(rows)]
    elif hasattr(rows, "columns"):
        unread = [None] * len(rows)
        found = frame_columns(rows, columns, named)
        lists = [
            unread if column is None else column.to_list() if hasattr(column, "to_list") else column
            for column in found
        ]
        raw = [list(values) for values in zip(*lists)]  # noqa: B905
    else:
        raw = [row_values(row, columns, f"Row {i}") for i, row in enumerate(_plain(rows))]
    return [read(row) for row in raw], one


def row_reader(columns: Sequence[tuple[str, str]]) -> Callable[[list[Any]], list[Any]]:
    """Return what reads the values of a row, each by the kind of its column.

    Parameters
    ----------
    columns : sequence of (name, kind)
    """
    # Values of the first type are what they should be already: no call for them.
    ready_types = {"category": str, "datetime": None}
    readers = [(ready_types.get(kind, float), READERS[kind], name) for name, kind in columns]

    def read(values: list[Any]) -> list[Any]:
        return [
            value if type(value) is ready else reader(value, name)
            for value, (ready, reader, name) in zip(values, readers)  # noqa: B905
        ]

    def read_floats(values: list[Any]) -> list[Any]:
        return values if _FLOATS.issuperset(map(type, values)) else read(values)

    return read_floats if all(ready is float for ready, _, _ in readers) else read


def frame_columns(frame: Any, columns: Sequence[tuple[str, str]], named: bool) -> list[Any]:
    """Take the columns of a pandas, polars or Arrow frame; None for one that nobody reads."""
    is_arrow = isinstance(getattr(frame, "column_names", None), list)
    present = list(frame.column_names if is_arrow else frame.columns)
    if not named:
        if len(present) != len(columns):
            raise ValueError(
                f"The frame must have {len(columns)} columns, in the order of the rows that the "
                f"model was fitted on. Got {len(present)}. Select them."
            )
        if is_arrow:
            return [column.to_pylist() for column in frame.columns]
        by_place = frame.iloc if hasattr(frame, "iloc") else frame
        return [by_place[:, j] for j in range(len(columns))]
    place = _places(present)
    absent = [name for name, kind in columns if name not in place and kind != "unread"]
    if absent:
        raise ValueError(_lacks("The frame", absent, present))
    counts = {name: present.count(place[name]) for name, _ in columns if name in place}
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(
            f"Each column must be there once. Got {twice[0]!r} {counts[twice[0]]} times. "
            "Drop or rename the others."
        )
    found = [None if kind == "unread" else frame[place[name]] for name, kind in columns]
    return [v.to_pylist() if is_arrow and v is not None else v for v in found]


def _places(names: Iterable[Any]) -> dict[Any, Any]:
    """Return names of values by themselves, and as LightGBM writes numbers and spaces."""
    names = list(names)
    return {
        **{str(name): name for name in names},
        **{name.replace(" ", "_"): name for name in names if isinstance(name, str)},
        **{name: name for name in names},
    }


def _is_row(value: Any) -> bool:
    # quicker than to ask for a shape that is not there
    if type(value) in _SINGLE or isinstance(value, (float, str)):
        return False
    if isinstance(value, (list, tuple, dict)) or len(getattr(value, "shape", ())) == 1:
        return True
    return isinstance(value, Mapping)


def _plain(values: Any) -> Any:
    """Return an array as lists of plain values, moments as datetime."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in ("M", "m"):
        values = values.astype(f"{kind}8[us]")
    for name in ("tolist", "to_list"):
        if hasattr(values, name):
            return getattr(values, name)()
    return values


def _lacks(what: str, absent: Sequence[str], present: Sequence[Any]) -> str:
    return (
        f"{what} lacks the column{'s' * (len(absent) > 1)} {_listed(absent)}. "
        f"Got {_listed(present)}. Give every column that the model reads; None stands for a "
        "missing value."
    )


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")

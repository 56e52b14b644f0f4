"""Gives a column of unlabeled rows the type of the same column in the rows models know."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from stackens.preprocessing._reading import column_kind, factorise, level_text

__all__ = ["cast_array", "cast_pandas", "cast_polars"]

# Among so many values of a column at least one level of X must occur: else it is another column,
# or written in another way, and all of it would silently become missing.
TELLING = 20


def cast_array(values: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
    """Return an array in another type, or as it is where that type would lose something.

    Parameters
    ----------
    values : array of shape (n_samples, ...)
    dtype : dtype
    name : str
        What to call the array in an error.

    Raises
    ------
    ValueError
        If numbers are wanted and the array holds none.
    """
    if dtype.kind in "biuf" and values.dtype.kind not in "biuf":
        try:
            values = values.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise _not_castable(name, dtype, error) from error
    if np.can_cast(values.dtype, dtype, "same_kind"):
        cast = values.astype(dtype)
        if dtype.kind in "fO" or np.array_equal(cast, values):
            return cast
    return values


def cast_pandas(values: pd.Series, like: pd.Series, name: str) -> Any:
    """Return the values of a column in the type of another.

    Parameters
    ----------
    values, like : Series
    name : str
        What to call the column in an error.

    Raises
    ------
    ValueError
        If a value cannot be of that type, or no level is known.
    """
    dtype = like.dtype
    if values.dtype == dtype:
        return values
    if isinstance(dtype, pd.CategoricalDtype):
        return _as_levels(values, dtype, name)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = pd.Series(np.asarray(values))
    kind = column_kind(like.array if isinstance(dtype, pd.StringDtype) else np.asarray(like))
    try:
        if kind == "categorical":
            return _as_text(values, name).astype(dtype)
        if kind == "boolean":
            return _as_booleans(values, dtype)
        if kind == "numeric":
            return _as_numbers(values, dtype)
        if kind in ("datetime", "timedelta"):
            return _as_times(values, like, kind)
    except (ValueError, TypeError, OverflowError) as error:
        raise _not_castable(name, dtype, error) from error
    return values  # X has no value there that could tell


def cast_polars(values: Any, like: Any, name: str) -> Any:
    """Return the values of a column in the type of another, as :func:`cast_pandas` does.

    Parameters
    ----------
    values, like : polars Series
    name : str

    Raises
    ------
    ValueError
        If a value cannot be of that type, or no level is known.
    """
    polars, dtype = sys.modules["polars"], like.dtype
    if values.dtype == dtype:
        return values
    try:
        if dtype == polars.Enum:
            cast = values.cast(polars.String).cast(dtype, strict=False)
            _check_telling(values.count(), cast.count(), name, like.drop_nulls().head(5).to_list())
            return cast
        if dtype == polars.Categorical:
            return values.cast(polars.String).cast(dtype)
        if dtype.is_temporal() and values.dtype.is_numeric():
            raise TypeError("Numbers do not say which time they mean.")
        if dtype.is_integer() and values.dtype.is_float():
            cast = values.cast(dtype, strict=False)
            return cast if cast.cast(values.dtype).eq_missing(values).all() else values
        return values.cast(dtype)
    except (polars.exceptions.PolarsError, TypeError) as error:
        raise _not_castable(name, dtype, error) from error


def _not_castable(name: str, dtype: Any, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0].rstrip(".")
    return ValueError(
        f"{name} must hold values of type {dtype}, as it does in X. Got others: {reason}. Convert "
        "the column first, or read it as X was read."
    )


def _check_telling(n_present: int, n_known: int, name: str, levels: list[Any]) -> None:
    if n_present >= TELLING and n_known == 0:
        raise ValueError(
            f"{name} must hold levels that occur in X, such as {levels[:5]}. Got none of them in "
            f"{n_present} values. Check that it is the same column, written in the same way."
        )


def _as_levels(values: pd.Series, dtype: pd.CategoricalDtype, name: str) -> pd.Series:
    codes, texts = factorise(values.array, name)
    place = {level_text(level, name): code for code, level in enumerate(dtype.categories)}
    code_of = np.array([place.get(text, -1) for text in texts] + [-1])  # the last: missing
    known = code_of[codes]
    _check_telling(int((codes >= 0).sum()), int((known >= 0).sum()), name, list(dtype.categories))
    return pd.Series(pd.Categorical.from_codes(known, dtype=dtype))


def _as_text(values: pd.Series, name: str) -> pd.Series:
    codes, texts = factorise(values.array, name)
    return pd.Series(np.array([*texts, None], dtype=object)[codes])


def _as_booleans(values: pd.Series, dtype: Any) -> pd.Series:
    present = values.dropna()
    if not present.isin([0, 1]).all():
        raise ValueError("not all are True or False.")
    if len(present) < len(values) and isinstance(dtype, np.dtype):
        return values.astype(object)  # as pandas reads booleans that may be missing
    return values.astype(dtype)


def _as_numbers(values: pd.Series, dtype: Any) -> pd.Series:
    numbers = pd.to_numeric(values)
    if dtype.kind == "f":
        return numbers.astype(dtype)
    try:
        cast = numbers.astype(dtype)
    except (ValueError, TypeError):  # missing values or fractions among whole numbers
        return numbers
    same = (cast == numbers) | numbers.isna()
    return cast if same.all() else numbers


def _as_times(values: pd.Series, like: pd.Series, kind: str) -> pd.Series:
    if like.dtype == object:
        return values.astype(object)
    if column_kind(np.asarray(values)) == "numeric":
        raise TypeError("Numbers do not say which time they mean.")
    if kind == "timedelta":
        return pd.to_timedelta(values).astype(like.dtype)
    # without a zone a time is taken as UTC, as TabularEncoder does
    text = column_kind(values.array) == "categorical"
    stamps = pd.to_datetime(values, utc=True, format="ISO8601" if text else None)
    zone = getattr(like.dt, "tz", None)
    return stamps.dt.tz_convert(zone).astype(like.dtype)

"""Turns one column of categories into rows of numbers, wherever the column comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._table import Column, ComputedColumn
from stackens.preprocessing._reading import level_text

__all__ = ["Keys", "Levels", "is_missing", "levels_of", "map_column"]

Keys = tuple[str, ...] | np.ndarray


@dataclass(frozen=True)
class Levels:
    """The categories that an encoder of scikit-learn knows, as keys.

    Attributes
    ----------
    keys : tuple of str, or float64 array of shape (n_keys,)
    places : int array of shape (n_keys,)
        Place of each key among the encoder's categories.
    missing : int or None
        Place of the missing value there; None: the encoder does not know it.
    missing_is_nan : bool
        Whether that missing value is NaN, not None.
    """

    keys: Keys
    places: np.ndarray
    missing: int | None
    missing_is_nan: bool


def levels_of(categories: np.ndarray, encoder: Any, filled: bool) -> Levels:
    """Read the categories of one column of an encoder.

    Parameters
    ----------
    categories : array of shape (n_categories,)
    encoder : object
        For the errors.
    filled : bool
        Whether a step before put a value in the place of missing ones.

    Raises
    ------
    ExportError
        If the categories are not all text or all numbers, or if the encoder tells None and NaN
        apart.
    """
    values = categories.tolist()
    absent = [i for i, v in enumerate(values) if is_missing(v)]
    if len(absent) > 1 or (absent and filled):
        raise ExportError(
            f"Missing values must be of one kind. Got categories {values!r:.200} of "
            f"{encoder!r:.200}, which tells None from NaN: a column of raw rows only has missing "
            "values. Replace None by NaN (X.fillna(numpy.nan)) before fit."
        )
    places = np.array([i for i, v in enumerate(values) if not is_missing(v)], dtype=np.int64)
    known = [values[i] for i in places]
    missing = absent[0] if absent else None
    is_nan = missing is not None and values[missing] is not None
    return Levels(_keys(known, encoder), places, missing, is_nan)


def _keys(known: list[Any], encoder: Any) -> Keys:
    if all(isinstance(v, str) for v in known):  # of bytes, the encoder would know no text
        return tuple(map(str, known))
    if not all(isinstance(v, Real) for v in known):
        kinds = sorted({type(v).__name__ for v in known})
        raise ExportError(
            f"Categories must be all text or all numbers. Got {' and '.join(kinds)} in "
            f"{encoder!r:.200}. Convert the column to text (astype(str)) before fit."
        )
    large = [v for v in known if isinstance(v, int) and abs(v) > 2**53]
    if large:
        raise ExportError(
            f"Categories that are whole numbers must be at most 2**53, which a double holds. Got "
            f"{large[0]!r} in {encoder!r:.200}. Convert the column to text (astype(str)) before "
            "fit."
        )
    return np.array(known, dtype=np.float64)


def is_missing(value: Any) -> bool:
    """Whether a single value is None, NaN or the like."""
    return value is None or (is_scalar(value) and bool(pd.isna(value)))


def map_column(
    graph: Graph,
    column: Column,
    keys: Keys,
    values: np.ndarray,
    *,
    missing: np.ndarray,
    unknown: np.ndarray,
) -> int:
    """Make the node that gives a row of numbers for each value of a column.

    Parameters
    ----------
    graph : Graph
    column : RawColumn or ComputedColumn
    keys : tuple of str, or float64 array of shape (n_keys,)
    values : float64 array of shape (n_keys, width)
        Finite.
    missing, unknown : float64 array of shape (width,)

    Raises
    ------
    ExportError
        If the keys are text and the column is computed.
    """
    if isinstance(column, ComputedColumn):
        return _map_numbers(graph, column, keys, values, missing, unknown)
    if column.fill is not None:
        missing = _row_of(column.fill, keys, values, unknown)
    if len(keys) == 0:
        # a target's table has at least one key
        keys, values = ("",), unknown[None, :]
    return graph.lookup(column.position, keys, values, missing=missing, unknown=unknown)


def _row_of(fill: Any, keys: Keys, values: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    text = isinstance(keys, tuple)
    wanted = level_text(fill, "") if text else fill
    for key, row in zip(keys, values, strict=True):
        if key == wanted:
            return row
    return unknown


def _map_numbers(
    graph: Graph,
    column: ComputedColumn,
    keys: Sequence[str] | np.ndarray,
    values: np.ndarray,
    missing: np.ndarray,
    unknown: np.ndarray,
) -> int:
    if not isinstance(keys, np.ndarray) and len(keys):
        raise ExportError(
            f"A column that an earlier step computes must have numbers as categories. Got "
            f"{keys!r:.200}. Encode the raw column instead."
        )
    x = graph.select(column.node, [column.position])
    if len(keys) == 0:
        out = graph.constant(unknown)
    else:
        marks = graph.arithmetic("equal", x, graph.constant(np.asarray(keys)))
        identity = values.shape[0] == values.shape[1] and np.array_equal(
            values, np.eye(len(values))
        )
        out = marks if identity else graph.dense(marks, np.asarray(values, dtype=np.float64))
        if np.any(unknown != 0):  # NaN too
            out = graph.choose(graph.reduce("maximum", marks), out, graph.constant(unknown))
    if not np.array_equal(missing, unknown, equal_nan=True):
        out = graph.choose(graph.elementwise("is_missing", x), graph.constant(missing), out)
    return out

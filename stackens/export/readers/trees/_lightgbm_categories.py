"""Turns categories of pandas columns into the codes that a LightGBM model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._table import Column, ComputedColumn, RawColumn, Table
from stackens.export.readers.trees._lightgbm_text import LightGBMModel

__all__ = ["category_columns", "encoded_categories"]


def encoded_categories(
    model: LightGBMModel,
    categories: Sequence[list[Any]],
    used: np.ndarray,
    graph: Graph,
    table: Table,
) -> tuple[Table, frozenset[int]]:
    """Replace columns of categories by their codes, NaN where missing or never seen.

    Parameters
    ----------
    model : LightGBMModel
    categories : sequence of lists
        ``booster.pandas_categorical``: the categories of each column of pandas' category type,
        in the order of the columns.
    used : int array
        Features that splits read. Other columns stay as they are.
    graph : Graph
    table : Table

    Returns
    -------
    table : Table
    encoded : frozenset of int
        Positions of the columns that are codes now.
    """
    columns = list(table.columns)
    places = category_columns(model, categories, used) if categories else {}
    for position, entry in places.items():
        name = str(position) if table.names is None else table.names[position]
        codes = _codes(columns[position], categories[entry], name, graph)
        columns[position] = ComputedColumn(codes, 0)
    return replace(table, columns=tuple(columns)), frozenset(places)


def category_columns(
    model: LightGBMModel, categories: Sequence[list[Any]], used: np.ndarray
) -> dict[int, int]:
    """Find the columns of the frame of training that held categories.

    A model lists the categories, but not where they stood. Features that were split as
    categories are known; ordered categories, which are split as numbers, are found by the order
    of columns and by the ranges of their values, where these leave one way only.

    Returns
    -------
    dict of int -> int
        Position of each used column of categories -> position in `categories`.

    Raises
    ------
    ExportError
        If it is open whether a used column holds categories, and which.
    """
    entries = _possible_entries(model, categories)
    unclear = [int(i) for i in used if len(entries[i]) != 1]
    if unclear:
        raise ExportError(
            "It must be known which columns of the frame that a LightGBM model was trained on "
            f"held categories. Got {len(categories)} lists of categories and "
            f"{len(model.categorical)} categorical features, which leave the columns {unclear} "
            "open. Turn ordered categories into numbers before training, and leave "
            "categorical_feature at 'auto'."
        )
    found = {int(i): next(iter(entries[i])) for i in used}
    return {i: entry for i, entry in found.items() if entry is not None}


def _possible_entries(
    model: LightGBMModel, categories: Sequence[list[Any]]
) -> list[set[int | None]]:
    """Return the lists of categories that each column may be, None for a column of numbers.

    Lists are given to columns in order, each to one; categorical features all get one.
    """
    n_columns, n_lists = len(model.ranges), len(categories)
    fits = [[_fits(text, len(known)) for known in categories] for text in model.ranges]
    may_skip = [i not in model.categorical for i in range(n_columns)]
    # whether the columns before i can have taken j lists; whether those from i on can take the
    # lists from j on
    before = np.zeros((n_columns + 1, n_lists + 1), dtype=bool)
    after = before.copy()
    before[0, 0] = after[n_columns, n_lists] = True
    for i in range(n_columns):
        before[i + 1] = before[i] & may_skip[i]
        before[i + 1, 1:] |= before[i, :-1] & fits[i]
    for i in reversed(range(n_columns)):
        after[i] = after[i + 1] & may_skip[i]
        after[i, :-1] |= after[i + 1, 1:] & fits[i]
    entries: list[set[int | None]] = []
    for i in range(n_columns):
        taken = np.flatnonzero(before[i, :-1] & after[i + 1, 1:] & fits[i])
        skipped = may_skip[i] and bool(np.any(before[i] & after[i + 1]))
        entries.append({*taken.tolist(), *([None] if skipped else [])})
    return entries


def _fits(text: str, n_categories: int) -> bool:
    """Whether a feature's range in training can be that of codes of so many categories."""
    if text == "none":  # one value only: never split
        return True
    numbers = [float(part) for part in text.strip("[]").split(":")]
    codes = all(number.is_integer() for number in numbers)
    lowest = 0 if text.startswith("[") else -1  # -1 stands among codes for what is rare
    return codes and lowest <= min(numbers) and max(numbers) < n_categories


def _codes(column: Column, known: list[Any], name: str, graph: Graph) -> int:
    if not isinstance(column, RawColumn):
        raise ExportError(
            f"Categories of a LightGBM model must come from the raw rows. Got the column {name!r}, "
            "which an earlier step computed. Encode its categories as numbers in that step."
        )
    keys = _keys(known, name)
    place = list(known).index(column.fill) if column.fill in known else None
    missing = np.nan if place is None else float(place)
    return graph.lookup(
        column.position,
        keys,
        np.arange(len(known), dtype=np.float64)[:, None],
        missing=np.array([missing]),
        unknown=np.array([np.nan]),
    )


def _keys(known: list[Any], name: str) -> tuple[str, ...] | np.ndarray:
    if all(isinstance(category, str) for category in known):
        return tuple(known)
    if all(isinstance(category, (Real, np.bool_)) for category in known):
        keys = np.array(known, dtype=np.float64)
        if len(np.unique(keys)) == len(keys):
            return keys
    raise ExportError(
        "Categories of one column must all be text, or all be different numbers. Got "
        f"{known!r:.200} in the column {name!r}. Turn them into text before training."
    )

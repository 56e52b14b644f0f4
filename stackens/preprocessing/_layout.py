"""Encodes all columns together: where each one is read, and where its output goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens.preprocessing._columns import (
    LARGEST,
    CategoricalColumn,
    Column,
    NumericColumn,
    NumericFeature,
)
from stackens.preprocessing._reading import FEW_ROWS, cells, column, is_frame, number_block

CHUNK_ROWS = 4096  # numbers of so many rows at a time stay in the processor's cache


@dataclass(frozen=True)
class NumericLayout:
    """The numeric features of all columns side by side, so that one formula serves them all.

    Attributes
    ----------
    block : tuple of (int, NumericColumn)
        Input position and record of the columns that are read together: plain numbers.
    timed : tuple of (int, NumericColumn)
        Those that are read one by one after them: dates and durations.
    positions : int array of shape (n_block,)
        The input positions of `block` again, as an index.
    low, high, fill, mean, scale : array of shape (n_features,)
    slots : int array of shape (n_features,)
        Output position of each feature.
    indicator_sources, indicator_slots : int array of shape (n_indicators,)
        The feature that each indicator watches, and the indicator's output position.
    """

    block: tuple[tuple[int, NumericColumn], ...]
    timed: tuple[tuple[int, NumericColumn], ...]
    positions: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fill: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    slots: np.ndarray
    indicator_sources: np.ndarray
    indicator_slots: np.ndarray


@dataclass(frozen=True)
class Layout:
    """Everything `encode` needs to know.

    Attributes
    ----------
    width : int
        Number of output columns.
    numeric : NumericLayout
    categorical : tuple of (int, int, CategoricalColumn)
        Input position, first output position and record of each categorical column.
    """

    width: int
    numeric: NumericLayout
    categorical: tuple[tuple[int, int, CategoricalColumn], ...]


def layout_of(columns: Sequence[Column]) -> Layout:
    """Lay the columns out in their order, the outputs of each one side by side.

    Parameters
    ----------
    columns : sequence of NumericColumn or CategoricalColumn
        One record per input column.
    """
    starts = np.cumsum([0, *(c.width for c in columns)]).tolist()
    plain: list[tuple[int, NumericColumn]] = []
    timed: list[tuple[int, NumericColumn]] = []
    categorical: list[tuple[int, int, CategoricalColumn]] = []
    for position, (record, start) in enumerate(zip(columns, starts, strict=False)):
        if isinstance(record, CategoricalColumn):
            categorical.append((position, start, record))
        else:
            group = plain if record.kind in ("numeric", "boolean") else timed
            group.append((position, record))
    return Layout(starts[-1], _numeric_layout(plain, timed, starts), tuple(categorical))


def _numeric_layout(
    plain: list[tuple[int, NumericColumn]],
    timed: list[tuple[int, NumericColumn]],
    starts: list[int],
) -> NumericLayout:
    features: list[NumericFeature] = []
    slots: list[int] = []
    sources, indicators = [], []
    for position, record in [*plain, *timed]:
        last = starts[position] + len(record.features)
        if record.indicator:
            sources.append(len(features))
            indicators.append(last)
        features.extend(record.features)
        slots.extend(range(starts[position], last))
    return NumericLayout(
        block=tuple(plain),
        timed=tuple(timed),
        positions=np.array([position for position, _ in plain], dtype=np.intp),
        low=np.array([f.low for f in features]),
        high=np.array([f.high for f in features]),
        fill=np.array([f.fill for f in features]),
        mean=np.array([f.mean for f in features]),
        scale=np.array([f.scale for f in features]),
        slots=np.array(slots, dtype=np.intp),
        indicator_sources=np.array(sources, dtype=np.intp),
        indicator_slots=np.array(indicators, dtype=np.intp),
    )


def encode(X: Any, layout: Layout) -> np.ndarray:
    """Encode a table.

    Parameters
    ----------
    X : array or DataFrame of shape (n_samples, n_features)
    layout : Layout

    Returns
    -------
    float64 array of shape (n_samples, layout.width)
        New memory; X is left as it is.
    """
    n_rows = X.shape[0]
    if n_rows <= FEW_ROWS and is_frame(X):
        X = cells(X)
    out = np.zeros((n_rows, layout.width))
    numeric = layout.numeric
    if len(numeric.slots):
        raw = _raw_numbers(X, numeric)
        for start in range(0, n_rows, CHUNK_ROWS):
            some = slice(start, start + CHUNK_ROWS)
            out[some, numeric.indicator_slots] = np.isnan(raw[some, numeric.indicator_sources])
            out[some, numeric.slots] = encode_numbers(raw[some], numeric)
    for position, start, record in layout.categorical:
        codes = record.codes(column(X, position))
        if record.one_hot:
            (rows,) = np.nonzero(codes >= 0)
            out[rows, start + codes[rows]] = 1.0
        else:
            out[:, start] = codes
    return out


def encode_numbers(raw: np.ndarray, numeric: NumericLayout) -> np.ndarray:
    """Fill, bound and scale numbers, array of shape (n_samples, n_features)."""
    if not np.all(np.abs(raw) <= LARGEST):
        raw = np.where(raw > LARGEST, numeric.high, raw)
        raw = np.where(raw < -LARGEST, numeric.low, raw)
        raw = np.where(np.isnan(raw), numeric.fill, raw)
    return (raw - numeric.mean) / numeric.scale


def _raw_numbers(X: Any, numeric: NumericLayout) -> np.ndarray:
    blocks = []
    if numeric.block:
        together = number_block(X, numeric.positions)
        blocks = [together] if together is not None else _one_by_one(X, numeric.block)
    blocks += _one_by_one(X, numeric.timed)
    return blocks[0] if len(blocks) == 1 else np.hstack(blocks)


def _one_by_one(X: Any, group: Sequence[tuple[int, NumericColumn]]) -> list[np.ndarray]:
    return [record.read(column(X, position)) for position, record in group]

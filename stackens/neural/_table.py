"""From the user's rows to the rows that a network learns from: numbers, merged, split, binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens._core._rows import n_rows, take_rows
from stackens.preprocessing import CategoricalColumn, TabularEncoder

__all__ = ["TargetRows", "bin_edges", "code_columns", "encoded", "fit_encoder", "held_out"]

MOST_LEVELS = 50  # of a column that becomes one-hot columns
_ROWS_AT_ONCE = 16_384


def fit_encoder(X: Any, sample_weight: np.ndarray, categories: str) -> TabularEncoder:
    """Fit the encoder of a network.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
    sample_weight : array of shape (n_samples,)
    categories : {"auto", "one_hot", "embedding"}
        "auto" asks for codes, to embed, where a column has more than 50 levels.
    """
    coded = TabularEncoder(scale="robust", add_indicator=True)
    if categories != "one_hot":
        coded.fit(X, sample_weight=sample_weight)
        most = max((n_codes for _, n_codes in code_columns(coded)), default=0)
        if categories == "embedding" or most - 2 > MOST_LEVELS:
            return coded
    one_hot = TabularEncoder(
        encoding="one-hot", scale="robust", add_indicator=True, max_categories=MOST_LEVELS
    )
    return one_hot.fit(X, sample_weight=sample_weight)


def encoded(encoder: TabularEncoder, X: Any, dtype: type = np.float32) -> np.ndarray:
    """Encode a table piece by piece, because the encoder works in double precision."""
    n = n_rows(X)
    if n <= _ROWS_AT_ONCE:
        return encoder.transform(X).astype(dtype)
    pieces = (np.arange(i, min(n, i + _ROWS_AT_ONCE)) for i in range(0, n, _ROWS_AT_ONCE))
    return np.concatenate([encoder.transform(take_rows(X, i)).astype(dtype) for i in pieces])


def code_columns(encoder: TabularEncoder) -> list[tuple[int, int]]:
    """Return output position and number of codes, counted from -2, of each ordinal column."""
    found, position = [], 0
    for column in encoder.columns_:
        if isinstance(column, CategoricalColumn) and not column.one_hot:
            found.append((position, len(column.levels) + (column.rare_code is not None) + 2))
        position += column.width
    return found


@dataclass(frozen=True)
class TargetRows:
    """Encoded rows with their targets and weights.

    Parameters
    ----------
    table : float32 array of shape (n_samples, n_columns)
    target : array of shape (n_samples,), int, or (n_samples, n_outputs), float
        Class codes, or numbers.
    weights : float64 array of shape (n_samples,)
    """

    table: np.ndarray
    target: np.ndarray
    weights: np.ndarray

    def merged(self) -> TargetRows:
        """Return equal rows as one with the sum of their weights, sorted; those of weight 0 go.

        A row of weight 2 is then the same thing as two rows, the order of the rows means
        nothing, and no copy of a training row can be held out.
        """
        keep = self.weights > 0
        table, target = self.table[keep] + np.float32(0), self.target[keep]  # -0.0 becomes 0.0
        keys = np.hstack([_as_bytes(table), _as_bytes(target.reshape(len(target), -1))])
        rows = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
        _, first, group = np.unique(rows, return_index=True, return_inverse=True)
        return TargetRows(table[first], target[first], np.bincount(group, self.weights[keep]))

    def take(self, index: np.ndarray) -> TargetRows:
        """Return some of the rows."""
        return TargetRows(self.table[index], self.target[index], self.weights[index])

    def __len__(self) -> int:
        return len(self.table)


def _as_bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)


def held_out(rows: TargetRows, fraction: float, rng: np.random.RandomState) -> np.ndarray:
    """Choose rows to validate on, from each class its share; one row at least is left of each.

    Parameters
    ----------
    rows : TargetRows
    fraction : float
        Share of the rows, between 0 and 1.
    rng : RandomState

    Returns
    -------
    bool array of shape (n_samples,)
    """
    chosen = np.zeros(len(rows), dtype=bool)
    codes = rows.target if rows.target.ndim == 1 else np.zeros(len(rows), dtype=int)
    for code in np.unique(codes):
        members = rng.permutation(np.flatnonzero(codes == code))
        wanted = min(round(fraction * len(members)), len(members) - 1)
        chosen[members[:wanted]] = True
    return chosen


def bin_edges(
    table: np.ndarray, weights: np.ndarray, n_bins: int, skip: set[int]
) -> list[tuple[int, np.ndarray]]:
    """Return position and quantiles of the columns with more than two different values.

    Parameters
    ----------
    table : array of shape (n_samples, n_columns)
    weights : array of shape (n_samples,)
    n_bins : int
        Largest number of bins of a column, of about the same weight each.
    skip : set of int
        Positions of columns that are not numbers.

    Returns
    -------
    list of (int, array of shape (n_edges,))
        Edges rise, the first and the last are the smallest and the largest value.
    """
    found = []
    for position in range(table.shape[1] if n_bins else 0):
        if position in skip:
            continue
        values, group = np.unique(table[:, position], return_inverse=True)
        up_to = np.cumsum(np.bincount(group, weights))
        cuts = np.arange(1, n_bins) / n_bins * up_to[-1]
        inner = values[np.searchsorted(up_to, cuts)]
        edges = np.unique(np.concatenate([values[:1], inner, values[-1:]]))
        # one over the width of a bin must be a number
        edges = edges[np.append(True, np.diff(edges) > np.finfo(np.float32).tiny)]
        if len(edges) > 2:
            found.append((position, edges))
    return found

"""How near two rows of mixed columns are: points whose Euclidean distance says it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from stackens.preprocessing import NumericColumn, TabularEncoder

__all__ = ["RowSpace", "nearest", "nearest_others"]

MOST_LEVELS = 32  # of a column; rarer ones count as one level
HAIR = 1e-5  # breaks ties, far below any difference that matters on standardised columns


class RowSpace:
    """Turns rows into points.

    The squared distance of two rows is a sum over the columns: of the squared difference of
    standardised numbers; 1 where levels or booleans differ; for dates, the mean over their parts
    (day, year, month, weekday, hour). A missing value against a present one counts 1, for numbers
    with the squared distance of the present one from the mean on top; two missing ones count 0.
    Of columns with more than 32 levels, the rarer ones count as one level.

    Parameters
    ----------
    X : array or DataFrame of shape (n_samples, n_features)
        Rows to learn means, deviations and levels from.

    Attributes
    ----------
    owner : int array of shape (n_dimensions,)
        The column of X that each dimension of the points belongs to.
    """

    def __init__(self, X: Any) -> None:
        self._encoder = TabularEncoder(
            encoding="one-hot",
            impute="mean",
            add_indicator=True,
            scale=True,
            max_categories=MOST_LEVELS,
        ).fit(X)
        records = self._encoder.columns_
        self.owner = np.repeat(np.arange(len(records)), [r.width for r in records])
        self._weights = np.concatenate([_weights(record) for record in records])

    def points(self, X: Any) -> np.ndarray:
        """Return the points of rows, shape (n_samples, n_dimensions)."""
        return self._encoder.transform(X) * self._weights


def _weights(record: Any) -> np.ndarray:
    if not isinstance(record, NumericColumn):
        # two levels that differ do so in two dimensions
        return np.full(record.width, np.sqrt(0.5))
    weights = np.ones(record.width)
    if record.kind == "boolean":
        weights[0] = record.features[0].scale  # undone: a difference counts 1
    else:
        weights[: len(record.features)] = 1.0 / np.sqrt(len(record.features))
    return weights


def nearest(points: np.ndarray, queries: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest points, block by block, in memory that does not grow with their number.

    Returns
    -------
    distances, rows : arrays of shape (n_queries, n)
        The nearest first.
    """
    # on tables of 50,000 rows the trees of scikit-learn win below 8 dimensions only
    return NearestNeighbors(algorithm="brute").fit(points).kneighbors(queries, n)


def nearest_others(
    points: np.ndarray, rows: np.ndarray, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find for some of the points the nearest one that differs from it.

    An exact copy of a row is not its neighbour: nothing lies between the two. Where all points
    are equal, the neighbour of a point is one at distance 0.

    Parameters
    ----------
    points : array of shape (n_samples, n_dimensions)
    rows : int array of shape (n_queries,)
        The points whose neighbours are wanted.
    rng : Generator, optional
        Draws which one is taken of several at the same distance, as is common among rows of
        levels. None leaves it to the search.

    Returns
    -------
    distances : array of shape (n_queries,)
    neighbours : int array of shape (n_queries,)
    """
    distinct = np.flatnonzero(~pd.DataFrame(points).duplicated().to_numpy())
    candidates, queries = points[distinct], points[rows]
    if rng is not None:
        candidates, queries = (
            np.column_stack([part, HAIR * rng.random(len(part))]) for part in (candidates, queries)
        )
    distances, found = nearest(candidates, queries, min(2, len(distinct)))
    is_copy = (points[distinct[found[:, 0]]] == points[rows]).all(axis=1)
    pick = (np.arange(len(rows)), np.where(is_copy, found.shape[1] - 1, 0))
    return distances[pick], distinct[found[pick]]

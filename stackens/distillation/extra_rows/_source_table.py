"""The table that new rows are made from: its columns, and its rows as points."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from stackens._core._rows import n_rows, take_rows
from stackens.distillation.extra_rows._columns import SourceColumn, read_columns
from stackens.distillation.extra_rows._metric import RowSpace

__all__ = ["SourceTable", "bounded_sample"]

# Nearest neighbours among so many rows take a second. Of larger tables a random part is read: rows
# made from it are drawn from the same distribution, from neighbours a little farther apart.
MOST_ROWS = 20_000
MOST_CELLS = 10_000_000
FEWEST_ROWS = 1_000


class SourceTable:
    """Columns and points of a table.

    Parameters
    ----------
    X : array or DataFrame of shape (n_samples, n_features)
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self.n_rows = n_rows(X)
        self.columns: list[SourceColumn] = read_columns(X)

    @cached_property
    def space(self) -> RowSpace:
        """Metric learnt from the rows."""
        return RowSpace(self.X)

    @cached_property
    def points(self) -> np.ndarray:
        """The rows as points, shape (n_samples, n_dimensions)."""
        return self.space.points(self.X)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n row numbers, each row as often as the others up to one, in random order."""
        passes = -(-n // self.n_rows)
        return np.concatenate([rng.permutation(self.n_rows) for _ in range(passes)])[:n]


def bounded_sample(X: Any, rng: np.random.Generator) -> Any:
    """Return X, or a random part of it where it is too large to search all neighbours in."""
    total = n_rows(X)
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // max(X.shape[1], 1)))
    if total <= most:
        return X
    return take_rows(X, np.sort(rng.choice(total, most, replace=False)))

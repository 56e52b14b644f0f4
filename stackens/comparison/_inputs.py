"""What a comparison starts from, for all of its rows or some."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stackens._core._rows import take_rows
from stackens._core._task import Task

__all__ = ["Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What every outer split starts from.

    Parameters
    ----------
    pairs : list of (str, estimator)
    X, y : the rows
    task : Task
    groups, sample_weight : ndarray of shape (n_samples,) or None
    cv : what the folds are made of
    options : dict
        The other parameters of :func:`stackens.cross_fit`.
    """

    pairs: list[tuple[str, Any]]
    X: Any
    y: Any
    task: Task
    groups: np.ndarray | None
    sample_weight: np.ndarray | None
    cv: Any
    options: dict[str, Any]

    def part(self, rows: np.ndarray) -> Inputs:
        """Return the same for some of the rows; ``cv`` still speaks of all of them."""
        groups, weights = self.groups, self.sample_weight
        return replace(
            self,
            X=take_rows(self.X, rows),
            y=take_rows(self.y, rows),
            groups=None if groups is None else groups[rows],
            sample_weight=None if weights is None else weights[rows],
        )

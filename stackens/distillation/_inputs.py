"""What a distillation starts from: rows, targets as numbers, weights, and how rows are split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np

from stackens._core._rows import n_rows, take_rows
from stackens._core._task import Task
from stackens.evaluation import inner_cv, is_time_ordered, outer_splits
from stackens.exceptions import RareClassWarning
from stackens.out_of_fold import Split

__all__ = ["Inputs"]

_STOPPING_SHARE = 0.15
_ENOUGH_TO_STOP_BY = 100  # rows
# Setting more rows aside than this makes no score clearer, only the training part smaller.
_MOST_SET_ASIDE = 50_000
_SET_ASIDE_SHARE = 0.2
# The guard needs many rows to see a small lead, and each outer fold costs a cross-fit of the
# teacher and a fit of every student: folds of all rows, fewer of them the more rows there are,
# and one hold-out where that is large enough.
_OUTER_FOLDS = ((1_000, 5), (5_000, 3), (20_000, 2))


@dataclass(frozen=True, eq=False)
class Inputs:
    """Rows with their targets.

    Parameters
    ----------
    X : rows
    y : array of shape (n_samples,) or (n_samples, n_outputs)
        As the user gave it, for teachers.
    task : Task
        What y is.
    hard : ndarray of shape (n_samples, n_outputs)
        The truth as students learn it: 0/1 for classes, else values.
    student_task : Task
        What students answer. It differs from `task` for quantiles, which are several outputs.
    weight : ndarray of shape (n_samples,) or None
    groups : ndarray of shape (n_samples,) or None
    cv : int, splitter or list of (train, test) pairs
        Folds of the teacher.
    seen : ndarray of bool of shape (n_samples,) or None, default=None
        Rows that a teacher which is not fitted here was trained on.
    targets : ndarray of shape (n_samples, n_outputs) or None, default=None
        What the teacher says, where that is known beforehand.
    """

    X: Any
    y: Any
    task: Task
    hard: np.ndarray
    student_task: Task
    weight: np.ndarray | None
    groups: np.ndarray | None
    cv: Any
    seen: np.ndarray | None = None
    targets: np.ndarray | None = None

    def __len__(self) -> int:
        return n_rows(self.X)

    @property
    def row_weights(self) -> np.ndarray:
        """Weights of the rows, ones where none were given."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def truth(self) -> np.ndarray:
        """The target in the form that scores compare with."""
        return self.hard if self.student_task is not self.task else np.asarray(self.y)

    def part(self, rows: np.ndarray) -> Inputs:
        """Return some of the rows, with the folds that remain inside, or fewer on few rows."""
        y = take_rows(self.y, rows)
        cv = inner_cv(self.cv, rows, len(self), self.groups)
        if isinstance(cv, Integral):
            classes = self.task.encode(y) if self.task.has_classes else np.zeros(len(rows), int)
            cv = max(2, min(int(cv), int(np.bincount(classes).max())))
        return replace(
            self,
            X=take_rows(self.X, rows),
            y=y,
            hard=self.hard[rows],
            weight=None if self.weight is None else self.weight[rows],
            groups=None if self.groups is None else self.groups[rows],
            cv=cv,
            seen=None if self.seen is None else self.seen[rows],
            targets=None if self.targets is None else self.targets[rows],
        )

    def outer_splits(self, outer: Any, random_state: int | None) -> list[Split]:
        """Split off the rows that are set aside before anything is fitted.

        Splits that the user listed are the outer ones too: the folds inside are what is left
        of the others. So a row keeps its part whatever its weight.
        """
        automatic = isinstance(outer, str) and outer == "auto"
        listed = isinstance(self.cv, list) and len(self.cv) > 2
        if automatic and listed and not self.is_ordered:
            outer = self.cv
        elif automatic and len(self) * _SET_ASIDE_SHARE > _MOST_SET_ASIDE:
            outer = _MOST_SET_ASIDE / len(self)
        elif automatic and not self.is_ordered:
            outer = self._outer_folds()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RareClassWarning)  # the folds inside say it again
            return outer_splits(
                outer,
                self.X,
                self.y,
                self.task,
                cv=self.cv,
                groups=self.groups,
                random_state=random_state,
            )

    def _outer_folds(self) -> int | float:
        """Return the number of outer folds, or the share of one hold-out."""
        folds = next((k for most, k in _OUTER_FOLDS if len(self) < most), None)
        if folds is None:
            return _SET_ASIDE_SHARE
        if self.groups is not None:
            most = len(np.unique(self.groups))
        elif self.task.has_classes:
            most = int(np.bincount(self.task.encode(self.y)).max())
        else:
            most = len(self)
        return max(2, min(folds, most))

    @property
    def is_ordered(self) -> bool:
        """Whether the folds keep time order."""
        return is_time_ordered(self.cv, self.X, self.y, self.groups)

    def stopping_rows(self, random_state: int | None) -> np.ndarray | None:
        """Return a mask of rows for early stopping; None where there are too few rows."""
        if len(self) < _ENOUGH_TO_STOP_BY:
            return None
        few_groups = self.groups is not None and len(np.unique(self.groups)) < 4
        ((_, held_back),) = outer_splits(
            _STOPPING_SHARE,
            self.X,
            self.y,
            self.task,
            cv=self.cv,
            groups=None if few_groups else self.groups,
            random_state=random_state,
        )
        mask = np.zeros(len(self), dtype=bool)
        mask[held_back] = True
        return mask

"""What a fitted teacher answers with: any model's raw values as checked, calibrated targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens._core._losses import renormalise
from stackens._core._rows import as_array, n_rows
from stackens._core._task import Task
from stackens.combiners import Combiner
from stackens.distillation.teachers._calibration import Calibration
from stackens.out_of_fold import CrossFit, respond

__all__ = ["AskedModel", "CombinedModels", "Model", "checked_targets"]

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Model:
    """A model with everything that turns its raw values into soft targets.

    Parameters
    ----------
    ask : callable
        ``ask(X)`` is an array of shape (n_samples, n_outputs of `known`).
    known : Task
        What it was fitted on, which may be fewer classes than there are.
    task : Task
        What it is asked for.
    width : int
        Columns of its answers.
    calibration : Calibration
    n_train : int or None
        Rows it was fitted on, for the probability of classes among which it never saw one.
    """

    ask: Callable[[Any], Any]
    known: Task
    task: Task
    width: int
    calibration: Calibration
    n_train: int | None = None

    def __call__(self, X: Any) -> np.ndarray:
        """Return soft targets for rows, float64 of shape (n_samples, width)."""
        return self.finished(self.ask(X), n_rows(X))

    def finished(self, values: Any, n_samples: int) -> np.ndarray:
        """Return raw values of rows as soft targets."""
        targets = self.calibration(values)
        if self.known.n_outputs != self.task.n_outputs:
            targets = _in_columns_of(self.task, targets, self.known, self.n_train)
        return checked_targets(targets, n_samples, self.width, self.task)


@dataclass(frozen=True, eq=False)
class AskedModel:
    """A single fitted model.

    Parameters
    ----------
    model : fitted estimator
    response : str
        Method to call.
    task : Task
        What it was fitted on.
    """

    model: Any
    response: Any
    task: Task

    def __call__(self, X: Any) -> np.ndarray:
        """Return its values, shape (n_samples, n_outputs)."""
        return respond(self.model, X, self.response, self.task)


@dataclass(frozen=True, eq=False)
class CombinedModels:
    """Models of a cross-fit and what combines them; without it their values stand side by side."""

    fitted: CrossFit
    combiner: Combiner | None

    def __call__(self, X: Any) -> np.ndarray:
        """Return the combined values, shape (n_samples, n_outputs)."""
        if self.combiner is None:
            return self.fitted.predict(X).values.reshape(n_rows(X), -1)
        names = self.fitted.names
        weights = np.asarray(getattr(self.combiner, "weights_", ()))
        skip: list[str] = []
        if weights.shape == (len(names),):
            skip = [names[i] for i in np.flatnonzero(weights == 0)]
        return self.combiner.combine(self.fitted.predict(X, skip=skip))


def checked_targets(values: Any, n_samples: int, width: int, task: Task) -> np.ndarray:
    """Return what a teacher says as float64 of shape (n_samples, width), or raise.

    A single column is the probability of the second class.

    Raises
    ------
    ValueError
        If it has another shape, holds NaN or infinity, or is no probability.
    """
    try:
        targets = as_array(values).astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A teacher must answer with numbers. Got {type(values).__name__} ({error}). Return an "
            "array of shape (n_samples, n_outputs)."
        ) from error
    if targets.ndim == 1:
        targets = targets[:, None]
    if task.kind == "binary" and targets.ndim == 2 and targets.shape[1] == 1:
        targets = np.column_stack([1.0 - targets, targets])
    if targets.shape != (n_samples, width):
        columns = (
            f"a column for each class of y, {task.classes.tolist()}"  # type: ignore[union-attr]
            if task.has_classes
            else f"{width} column(s)"
        )
        raise ValueError(
            f"A teacher must answer with a row for each row and {columns}. Got the shape "
            f"{np.shape(values)} for {n_samples} rows. Return an array of shape "
            f"({n_samples}, {width})."
        )
    bad = ~np.isfinite(targets).all(axis=1)
    if bad.any():
        raise ValueError(
            f"A teacher must answer with finite numbers. Got NaN or infinity for {bad.sum()} of "
            f"{n_samples} rows, the first at {int(bad.argmax())}. Correct the teacher, or what it "
            "reads."
        )
    if not task.is_classification:
        return targets
    if targets.size and (targets.min() < -1e-6 or targets.max() > 1 + 1e-6):
        raise ValueError(
            "A teacher of classes must answer with probabilities from 0 to 1. Got values from "
            f"{targets.min():.3g} to {targets.max():.3g}. Say teacher_output='logits' for a "
            "network or function without softmax or sigmoid at its end."
        )
    off = np.abs(targets.sum(axis=1) - 1.0)
    if task.has_classes and targets.size and off.max() > _SUM_TOLERANCE:
        raise ValueError(
            "The probabilities of a teacher must sum to 1 in each row. Got a sum of "
            f"{targets[off.argmax()].sum():.4g} in row {int(off.argmax())}. Normalise them."
        )
    return renormalise(targets, task)


def _in_columns_of(task: Task, values: np.ndarray, known: Task, n_train: int | None) -> np.ndarray:
    """Give classes that a model never saw a column of their own.

    Their probability is 1 / (n_train + n_classes), Laplace's rule.
    """
    columns = np.searchsorted(task.classes, known.classes)  # type: ignore[arg-type]
    floor = 0.0 if n_train is None else 1.0 / (n_train + task.n_outputs)
    full = np.full((len(values), task.n_outputs), floor)
    full[:, columns] = values * (1.0 - floor * (task.n_outputs - len(columns)))
    return full

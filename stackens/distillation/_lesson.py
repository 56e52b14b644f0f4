"""The lesson: rows that a student learns from, what the teacher says of them, and what is true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from stackens._core._losses import PROBABILITY_FLOOR, softmax
from stackens._core._rows import take_rows
from stackens._core._task import Task
from stackens.distillation._pinball import pinball_losses

__all__ = ["LOGIT_FLOOR", "Lesson", "centred_logits", "softened"]

LOGIT_FLOOR = 1e-4  # of probabilities whose logits are learnt by squared error

Loss = Literal["cross_entropy", "squared_logits", "squared_error", "pinball"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows with soft targets, hard targets, or both.

    A plain student gets the same kind of lesson with a soft weight of 0, so that teacher and
    truth are the only difference between it and a distilled one.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), or tensors
        Rows as the user gave them.
    soft : ndarray of shape (n_samples, n_outputs)
        What the teacher says: probabilities or values. NaN in all of a row where it says nothing.
    hard : ndarray of shape (n_samples, n_outputs)
        What is true: 0/1 for classes, values otherwise (for quantiles the value again and again).
        NaN in all of a row where it is not known, as for rows without a label.
    task : Task
        Binary, multiclass or regression.
    weight : ndarray of shape (n_samples,)
        Weight of each row, at least zero.
    soft_weight : float, default=1.0
        Share of the teacher in the loss of rows that have both targets; 0 is a plain lesson.
    temperature : float, default=1.0
        Softens teacher and student alike in the cross-entropy of soft targets, whose loss is
        multiplied by its square. Without effect on students that have no logits, and elsewhere.
    loss : {"cross_entropy", "squared_logits", "squared_error", "pinball"}
        Loss of the soft part: cross-entropy of probabilities, or the squared error of centred
        logits; squared error of values; with "pinball" the soft part is the squared error to
        the teacher's quantiles and the hard part the pinball loss.
    quantiles : tuple of float, default=()
        Levels of the outputs when the loss is "pinball".
    stopping : ndarray of bool of shape (n_samples,), optional
        Rows to judge by when to stop; students without early stopping learn from them too. None
        where nothing is to be held back.
    """

    X: Any
    soft: np.ndarray
    hard: np.ndarray
    task: Task
    weight: np.ndarray
    soft_weight: float = 1.0
    temperature: float = 1.0
    loss: Loss = "cross_entropy"
    quantiles: tuple[float, ...] = ()
    stopping: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.soft)

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a student."""
        return self.soft.shape[1]

    @property
    def soft_share(self) -> np.ndarray:
        """Share of the teacher in each row's loss, shape (n_samples,).

        It is `soft_weight` where both targets are known, 1 where only the teacher speaks and 0
        where only the truth is known.
        """
        taught, known = np.isfinite(self.soft[:, 0]), np.isfinite(self.hard[:, 0])
        return np.where(known & taught, self.soft_weight, taught.astype(np.float64))

    @property
    def targets(self) -> np.ndarray:
        """Mixture of teacher and truth at temperature 1, shape (n_samples, n_outputs).

        The cross-entropy against the mixture is the mixture of the cross-entropies, and the same
        holds for the squared error up to a constant.
        """
        share = self.soft_share[:, None]
        soft = np.where(share > 0, self.soft, 0.0)
        hard = np.where(share < 1, self.hard, 0.0)
        return share * soft + (1.0 - share) * hard

    def take(self, rows: np.ndarray) -> Lesson:
        """Return some of the rows, by numbers or by a mask."""
        return replace(
            self,
            X=take_rows(self.X, rows),
            soft=self.soft[rows],
            hard=self.hard[rows],
            weight=self.weight[rows],
            stopping=None if self.stopping is None else self.stopping[rows],
        )

    def parts(self) -> tuple[Lesson, Lesson | None]:
        """Return the rows to learn from and those to judge by when to stop (None without)."""
        if self.stopping is None or not self.stopping.any() or self.stopping.all():
            return replace(self, stopping=None), None
        whole = replace(self, stopping=None)
        return whole.take(~self.stopping), whole.take(self.stopping)

    def mean_loss(self, outputs: np.ndarray) -> float:
        """Return the weighted mean of what a student minimises, without its own penalties.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_outputs)
            Probabilities or values.
        """
        if self.task.is_classification:
            losses = self._class_losses(outputs)
        elif self.loss == "pinball":
            share, soft, hard = self._parts_of_targets()
            pinball = pinball_losses(outputs, hard, self.quantiles)
            losses = share * ((outputs - soft) ** 2).mean(axis=1) + (1.0 - share) * pinball
        else:
            losses = ((outputs - self.targets) ** 2).mean(axis=1)
        return float(np.average(losses, weights=self.weight))

    def _class_losses(self, outputs: np.ndarray) -> np.ndarray:
        if self.loss == "cross_entropy" and self.temperature == 1.0:
            return _cross_entropy(self.targets, outputs)
        share, soft, hard = self._parts_of_targets()
        if self.loss == "squared_logits":
            error = centred_logits(outputs) - centred_logits(soft)
            of_teacher = (error * error).mean(axis=1)
        else:
            soft, answer = softened(soft, self.temperature), softened(outputs, self.temperature)
            of_teacher = self.temperature**2 * _cross_entropy(soft, answer)
        return share * of_teacher + (1.0 - share) * _cross_entropy(hard, outputs)

    def _parts_of_targets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the teacher's share of each row and both targets, 0 where one is not known."""
        soft, hard = (np.where(np.isfinite(part), part, 0.0) for part in (self.soft, self.hard))
        return self.soft_share, soft, hard


def _cross_entropy(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    return -(targets * np.log(np.clip(outputs, PROBABILITY_FLOOR, None))).sum(axis=1)


def softened(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return p^(1/T), normalised: the softmax of the logits over the temperature."""
    if temperature == 1.0:
        return probabilities
    return softmax(np.log(np.clip(probabilities, PROBABILITY_FLOOR, None)) / temperature)


def centred_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms of probabilities whose mean in each row is zero.

    Probabilities under `LOGIT_FLOOR` are raised to it: otherwise those that are about zero, and
    the exact number does not matter, would decide what a squared error learns.
    """
    logs = np.log(np.clip(probabilities, LOGIT_FLOOR, None))
    return logs - logs.mean(axis=1, keepdims=True)

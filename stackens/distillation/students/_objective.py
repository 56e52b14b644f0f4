"""What tabular students minimise: losses of soft and hard targets as functions of raw scores.

A boosted student needs the gradient and the curvature of each score, a linear one the loss and its
gradient. Scores are logits (one for two classes) or values, laid out as (n_scores, n_samples):
LightGBM's own order, and fast to take a softmax of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from stackens._core._losses import PROBABILITY_FLOOR, softmax
from stackens.distillation._lesson import Lesson, centred_logits, softened
from stackens.distillation.students._best_constant import best_constant

__all__ = ["Objective", "objective_of", "outputs_of"]

_MOST_STEPS, _SMALL_STEP = 20, 1e-4  # of the search for what to start from
_BLOCK_ELEMENTS = 1 << 15  # numbers of a block of rows that stay in the processor's cache


def outputs_of(scores: np.ndarray, is_classification: bool) -> np.ndarray:
    """Return probabilities or values, shape (n_samples, n_outputs), of scores laid out likewise.

    One score of a classifier is a log-odds.
    """
    if not is_classification:
        return scores
    if scores.shape[1] == 1:
        return np.hstack([expit(-scores), expit(scores)])
    return softmax(scores)


class Term(ABC):
    """A weighted sum over rows of one kind of loss.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
    target : ndarray of shape (n_scores, n_samples)
    dtype : data type
        To store both as, and of the derivatives.
    """

    def __init__(self, weight: np.ndarray, target: np.ndarray, dtype: Any) -> None:
        self.weight = weight.astype(dtype)
        # a row without this kind of target has no weight here, and its NaN must not spread
        self.target = np.zeros(target.shape, dtype)
        np.copyto(self.target, target, casting="same_kind", where=weight > 0)

    @abstractmethod
    def loss(self, scores: np.ndarray, rows: slice, gradient: np.ndarray) -> float:
        """Return the loss of some rows and add its gradient, arrays (n_scores, n_rows)."""

    @abstractmethod
    def derivatives(
        self, scores: np.ndarray, rows: slice, gradient: np.ndarray, hessian: np.ndarray
    ) -> None:
        """Add the gradient and the curvature of some rows, arrays (n_scores, n_rows)."""


class CrossEntropy(Term):
    """Cross-entropy of softened probabilities; one score is the log-odds of the second class."""

    def __init__(
        self, weight: np.ndarray, target: np.ndarray, dtype: Any, temperature: float = 1.0
    ) -> None:
        super().__init__(weight, target, dtype)
        self.temperature = temperature

    def loss(self, scores: np.ndarray, rows: slice, gradient: np.ndarray) -> float:
        target, weight = self.target[:, rows], self.weight[rows]
        scores = scores / self.temperature
        if len(scores) == 1:
            losses = np.logaddexp(0.0, scores[0]) - target[0] * scores[0]
            probabilities = expit(scores)
        else:
            scores -= scores.max(axis=0)
            probabilities = np.exp(scores)
            total = probabilities.sum(axis=0)
            losses = np.log(total) - (target * scores).sum(axis=0)
            probabilities /= total
        gradient += (weight / self.temperature) * (probabilities - target)
        return float(weight @ losses)

    def derivatives(
        self, scores: np.ndarray, rows: slice, gradient: np.ndarray, hessian: np.ndarray
    ) -> None:
        target, weight = self.target[:, rows], self.weight[rows]
        n_scores = len(scores)
        if n_scores == 1:
            probabilities = expit((scores / self.temperature).astype(weight.dtype))
            factor = 1.0
        else:
            # scores are made small in double precision, then all else may be single
            probabilities = (scores - scores.max(axis=0)).astype(weight.dtype)
            if self.temperature != 1.0:
                probabilities /= self.temperature
            np.exp(probabilities, out=probabilities)
            probabilities /= probabilities.sum(axis=0)
            # As LightGBM's own softmax has it: trees of one round step together, so that each
            # one's curvature alone would be too small (Friedman, 2001, section 4.6).
            factor = n_scores / (n_scores - 1.0)
        slope = probabilities - target
        slope *= weight / self.temperature
        gradient += slope
        np.multiply(probabilities, probabilities, out=slope)
        probabilities -= slope
        probabilities *= weight * (factor / self.temperature**2)
        hessian += probabilities


class SquaredError(Term):
    """Squared error of values, the mean over the scores."""

    def _error(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        return scores - self.target[:, rows]

    @property
    def _factor(self) -> float:
        return 1.0 / len(self.target)

    def loss(self, scores: np.ndarray, rows: slice, gradient: np.ndarray) -> float:
        error, weight = self._error(scores, rows), self.weight[rows] * self._factor
        gradient += 2.0 * weight * error
        return float(weight @ (error * error).sum(axis=0))

    def derivatives(
        self, scores: np.ndarray, rows: slice, gradient: np.ndarray, hessian: np.ndarray
    ) -> None:
        weight = 2.0 * self._factor * self.weight[rows]
        gradient += weight * self._error(scores, rows)
        hessian += weight


class SquaredLogits(SquaredError):
    """Squared error of centred logits, the mean over the classes."""

    def _error(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        error = super()._error(scores, rows)
        # one score is a difference of two logits; more are free to move together
        return error if len(scores) == 1 else error - error.mean(axis=0)

    @property
    def _factor(self) -> float:
        # the logits of two classes are minus and plus half of the log-odds
        return 0.25 if len(self.target) == 1 else super()._factor


class Pinball(Term):
    """Pinball loss of quantiles, the mean over the levels.

    Parameters
    ----------
    levels : sequence of float
    smoothing : float, default=0.0
        Errors of less than this have a quadratic loss, so that the gradient is continuous.
    """

    def __init__(
        self,
        weight: np.ndarray,
        target: np.ndarray,
        dtype: Any,
        levels: Sequence[float],
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight / len(target), target, dtype)
        self.levels = np.asarray(levels, dtype=np.float64)[:, None]
        self.smoothing = smoothing

    def loss(self, scores: np.ndarray, rows: slice, gradient: np.ndarray) -> float:
        error, weight = scores - self.target[:, rows], self.weight[rows]
        size = np.abs(error)
        smooth = self.smoothing
        # |e| becomes e²/2s + s/2 up to s; the pinball loss is |e|/2 + (1/2 - level) e
        half = 0.5 * np.where(size < smooth, (error * error / smooth + smooth) / 2, size)
        gradient += weight * (0.5 * np.clip(error / smooth, -1.0, 1.0) + 0.5 - self.levels)
        return float((half + (0.5 - self.levels) * error).sum(axis=0) @ weight)

    def derivatives(
        self, scores: np.ndarray, rows: slice, gradient: np.ndarray, hessian: np.ndarray
    ) -> None:
        weight = self.weight[rows]
        gradient += weight * ((scores > self.target[:, rows]) - self.levels)
        # The loss has no curvature. With 1, as in LightGBM's own quantiles, a step is at most the
        # learning rate in standard units; it only sets the pace.
        hessian += weight


class Objective:
    """A sum of terms.

    Parameters
    ----------
    terms : list of Term
        Those without any weight are left out.
    start : ndarray of shape (n_scores,)
        Constant scores to begin with.
    """

    def __init__(self, terms: list[Term], start: np.ndarray) -> None:
        self.start = start
        self.terms = [term for term in terms if term.weight.any()]
        self.gradient = np.empty_like(terms[0].target)
        self.hessian: np.ndarray | None = None

    def _blocks(self) -> Iterator[slice]:
        n_scores, n = self.gradient.shape
        step = max(256, _BLOCK_ELEMENTS // n_scores)
        for first in range(0, n, step):
            yield slice(first, first + step)

    def loss_and_gradient(self, scores: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss, and its gradient by the scores in a buffer that is used again."""
        loss = 0.0
        self.gradient.fill(0.0)
        for rows in self._blocks():
            for term in self.terms:
                loss += term.loss(scores[:, rows], rows, self.gradient[:, rows])
        return loss, self.gradient

    def derivatives(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient and the curvature, in buffers that are used again.

        `scores` are counted from `start`.
        """
        if self.hessian is None:
            self.hessian = np.empty_like(self.gradient)
        self.gradient.fill(0.0)
        self.hessian.fill(0.0)
        start = self.start[:, None]
        for rows in self._blocks():
            block = scores[:, rows] + start
            for term in self.terms:
                term.derivatives(block, rows, self.gradient[:, rows], self.hessian[:, rows])
        return self.gradient, self.hessian


def _move_start(objective: Objective) -> None:
    """Move the start to the best constant by Newton steps, for sums of different losses."""
    constant = np.zeros_like(objective.gradient)
    for _ in range(_MOST_STEPS):
        gradient, hessian = objective.derivatives(constant)
        step = gradient.sum(axis=1) / np.maximum(hessian.sum(axis=1), PROBABILITY_FLOOR)
        objective.start = objective.start - step
        if np.abs(step).max() < _SMALL_STEP:
            break


def objective_of(lesson: Lesson, *, dtype: Any = np.float64, smoothing: float = 0.0) -> Objective:
    """Return the loss of a lesson as a function of scores.

    Parameters
    ----------
    lesson : Lesson
        Classes, or quantiles in standard units, as the squared and the pinball loss have different
        ones.
    dtype : data type, default=float64
        Of the derivatives. LightGBM reads float32.
    smoothing : float, default=0.0
        Of the pinball loss.

    References
    ----------
    Hinton, Vinyals & Dean (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531,
    section 2; Kim et al. (2021), Comparing Kullback-Leibler Divergence and Mean Squared Error Loss
    in Knowledge Distillation, arXiv:2105.08919.
    """
    taught = lesson.soft_share * lesson.weight
    told = lesson.weight - taught
    temperature = lesson.temperature
    if lesson.loss == "pinball":
        columns = zip(lesson.soft.T, lesson.hard.T, lesson.quantiles, strict=True)
        start = [best_constant(soft, taught, hard, told, q) for soft, hard, q in columns]
        return Objective(
            [
                SquaredError(taught, lesson.soft.T, dtype),
                Pinball(told, lesson.hard.T, dtype, lesson.quantiles, smoothing),
            ],
            np.array(start),
        )

    def scored(outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 1:].T if lesson.task.kind == "binary" else outputs.T

    targets = lesson.targets
    mean = np.average(targets, axis=0, weights=lesson.weight)
    logs = np.log(np.clip(mean, PROBABILITY_FLOOR, None))
    start = logs[1:] - logs[:1] if lesson.task.kind == "binary" else logs
    if lesson.loss == "cross_entropy" and temperature == 1.0:
        return Objective([CrossEntropy(lesson.weight, scored(targets), dtype)], start)
    if lesson.loss == "squared_logits":
        logits = centred_logits(lesson.soft)
        # of two classes the difference of their logits
        logits = scored(logits - logits[:, :1] if lesson.task.kind == "binary" else logits)
        soft_term: Term = SquaredLogits(taught, logits, dtype)
    else:
        soft = scored(softened(lesson.soft, temperature))
        soft_term = CrossEntropy(taught * temperature**2, soft, dtype, temperature)
    objective = Objective([soft_term, CrossEntropy(told, scored(lesson.hard), dtype)], start)
    _move_start(objective)
    return objective

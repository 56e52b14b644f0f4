"""Which kernel scores the candidates of greedy selection, and the kernels for sums of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from sklearn import metrics

from stackens._core._losses import (
    PROBABILITY_FLOOR,
    normalised_weights,
    output_scales,
    true_probabilities,
)
from stackens._core._task import Task
from stackens.combiners._greedy_ranks import AccuracyMetric, RocAucMetric
from stackens.combiners._greedy_scorer import ScorerMetric, checked_scorer
from stackens.combiners._quadratic import gram_matrix

__all__ = [
    "AbsoluteErrorMetric",
    "LogLossMetric",
    "QuadraticMetric",
    "SelectionMetric",
    "first_best",
    "plain_metric",
    "selection_metric",
]

_TIE = 1e-12
_BLOCK_TERMS = 1 << 14
_BLOCK_ELEMENTS = 1 << 18
# How many probabilities are multiplied before a logarithm is taken: the product of 16 numbers
# of at least 2.2e-16 is above 1e-251, so it cannot underflow.
_PRODUCT = 16


class SelectionMetric(Protocol):
    """Scores every mean that one more model would make; greater is better.

    ``slack`` is the smallest magnitude against which ties of 1e-12 are measured.
    """

    slack: float

    def best(self, step: int) -> tuple[int, float]:
        """Return the model to take as member number ``step`` (from 1), and the new score."""
        ...

    def add(self, model: int) -> None:
        """Take a model."""
        ...


def first_best(scores: np.ndarray, slack: float) -> int:
    """Return the first index whose score is within rounding of the greatest."""
    best = np.max(scores)
    return int(np.argmax(scores >= best - _TIE * max(slack, abs(best))))


def selection_metric(
    values: np.ndarray,
    y: Any,
    task: Task,
    scoring: str | Callable[..., float] | None,
    sample_weight: np.ndarray | None,
    X: Any = None,
) -> SelectionMetric:
    """Return the fastest kernel that computes this score.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target as the user gave it.
    task : Task
    scoring : str, callable or None
        None means log loss for classification, squared error for regression.
    sample_weight : ndarray of shape (n_samples,) or None
    X : features of shape (n_samples, n_features) or None, default=None
        The rows, for a scorer that reads them.
    """
    scorer: Any = None if scoring is None else checked_scorer(scoring, "GreedySelection")
    if scorer is None:
        name = "log_loss" if task.is_classification else "scaled_squared_error"
    else:
        name = plain_metric(scorer)
    target = task.encode(y)
    if task.kind == "regression":
        kernel = _regression_kernel(name, values, target, sample_weight)
    else:
        kernel = _classification_kernel(name, values, target, task, sample_weight)
    if kernel is not None:
        return kernel
    return ScorerMetric(values, y, task, scorer, sample_weight, X)


def plain_metric(scorer: Any) -> str:
    """Name the metric behind a scorer made of one function without options, else ''."""
    function = getattr(scorer, "_score_func", None)
    if getattr(scorer, "_kwargs", None):
        return ""
    sign = getattr(scorer, "_sign", 0)
    known = {
        metrics.log_loss: ("log_loss", -1),
        metrics.brier_score_loss: ("brier", -1),
        metrics.mean_squared_error: ("squared_error", -1),
        metrics.root_mean_squared_error: ("root_squared_error", -1),
        metrics.r2_score: ("r2", 1),
        metrics.mean_absolute_error: ("absolute_error", -1),
        metrics.accuracy_score: ("accuracy", 1),
        metrics.balanced_accuracy_score: ("balanced_accuracy", 1),
        metrics.roc_auc_score: ("roc_auc", 1),
    }
    name, usual = known.get(function, ("", 0))
    return name if sign == usual else ""


def _regression_kernel(
    name: str, values: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None
) -> SelectionMetric | None:
    weights = normalised_weights(sample_weight, len(values))
    n_outputs = values.shape[2]
    if name == "absolute_error":
        return AbsoluteErrorMetric(values, target, weights)
    ones = np.ones(n_outputs)
    if name == "r2" and (target.max(axis=0) == target.min(axis=0)).any():
        return None
    if name in ("squared_error", "root_squared_error"):
        scales = ones
    elif name == "r2":
        scales = output_scales(target, weights)
    elif name == "scaled_squared_error":
        scales = ones if n_outputs == 1 else output_scales(target, weights)
    else:
        return None
    gram, _ = gram_matrix(values, target, weights, scales, residuals=True)
    if name == "root_squared_error":
        return QuadraticMetric(gram, lambda losses: -np.sqrt(losses).mean(axis=0), slack=0.0)
    gram = gram.mean(axis=0, keepdims=True)
    if name == "r2":
        return QuadraticMetric(gram, lambda losses: 1.0 - losses[0], slack=1.0)
    return QuadraticMetric(gram, lambda losses: -losses[0], slack=0.0)


def _classification_kernel(
    name: str,
    values: np.ndarray,
    target: np.ndarray,
    task: Task,
    sample_weight: np.ndarray | None,
) -> SelectionMetric | None:
    weights = normalised_weights(sample_weight, len(values))
    if name == "log_loss":
        probabilities = true_probabilities(values, target, task)
        repeats = probabilities.shape[1] // len(values)
        weighted = sample_weight is not None and np.ptp(weights) > 0
        terms = np.repeat(weights, repeats) / repeats if weighted else None
        return LogLossMetric(probabilities, terms)
    if not task.has_classes:
        return None
    if name == "brier":
        binary = task.kind == "binary"
        classes = np.array([1]) if binary else np.arange(task.n_outputs)
        indicator = (target[:, None] == classes).astype(np.float64)
        used = values[:, :, 1:] if binary else values
        gram, _ = gram_matrix(used, indicator, weights, np.ones(len(classes)), residuals=True)
        gram = gram.sum(axis=0, keepdims=True)
        return QuadraticMetric(gram, lambda losses: -losses[0], slack=0.0)
    if name == "accuracy":
        return AccuracyMetric(values, target, weights)
    if name == "balanced_accuracy":
        totals = np.bincount(target, weights, minlength=task.n_outputs)
        present = totals > 0
        if present.all():  # scikit-learn warns about a class without rows: leave that to it
            return AccuracyMetric(values, target, (weights / totals[target]) / present.sum())
        return None
    if name == "roc_auc" and task.kind == "binary":
        both_present = np.bincount(target, weights, minlength=2).min() > 0
        if both_present:
            return RocAucMetric(values[:, :, 1], target, sample_weight)
    return None


class LogLossMetric:
    """Log loss from the probability of the true class, by lazy evaluation.

    With ``a`` the mean of the members so far, the loss of adding model ``p`` as number ``k``
    is convex in ``p``, so its tangent at ``a`` bounds it from below:
    ``loss(a) - (E[p / a] - 1) / k``. One matrix-vector product gives the bound of every
    model; they are evaluated in that order until the bound passes the best loss found.
    """

    slack = 1.0

    def __init__(self, probabilities: np.ndarray, weights: np.ndarray | None) -> None:
        n_models, n_terms = probabilities.shape
        self._probabilities = probabilities
        self._weights = weights
        self._floor = probabilities.min() < PROBABILITY_FLOOR
        self._sum = np.zeros(n_terms)
        self._scores = np.empty(n_models)
        self._loss = np.nan
        width = min(n_terms + _PRODUCT, _BLOCK_TERMS)
        self._buffer = np.empty(width - width % _PRODUCT)

    def best(self, step: int) -> tuple[int, float]:
        bounds = self._bounds(step)
        scores = np.full(len(bounds), -np.inf)
        best = -np.inf
        for model in np.argsort(bounds, kind="stable"):
            if -bounds[model] < best - 2 * _TIE * max(1.0, abs(best)):
                break
            scores[model] = -self._evaluate(model, step)
            best = max(best, scores[model])
        choice = first_best(scores, self.slack)
        self._loss = -scores[choice]
        return choice, float(scores[choice])

    def add(self, model: int) -> None:
        self._sum += self._probabilities[model]

    def _bounds(self, step: int) -> np.ndarray:
        """Return a lower bound on the loss that each model would give."""
        n_models, n_terms = self._probabilities.shape
        if step == 1:
            return np.full(n_models, -np.inf)
        slope = np.maximum(self._sum, (step - 1) * PROBABILITY_FLOOR)
        np.divide(step - 1, slope, out=slope)
        if self._weights is None:
            slope /= n_terms
        else:
            slope *= self._weights
        # Raising every probability to the floor can add at most this to the product.
        correction = PROBABILITY_FLOOR * slope.sum() if self._floor else 0.0
        gain = self._probabilities @ slope + correction
        return self._loss - (gain - 1.0) / step

    def _evaluate(self, model: int, step: int) -> float:
        row, n_terms = self._probabilities[model], self._sum.shape[0]
        total = 0.0
        for start in range(0, n_terms, len(self._buffer)):
            stop = min(n_terms, start + len(self._buffer))
            block = self._buffer[: stop - start]
            np.add(self._sum[start:stop], row[start:stop], out=block)
            if self._floor:
                np.maximum(block, step * PROBABILITY_FLOOR, out=block)
            if self._weights is None:
                total += _log_product(self._buffer, stop - start)
            else:
                total += float(self._weights[start:stop] @ np.log(block, out=block))
        return float(np.log(step)) - (total / n_terms if self._weights is None else total)


def _log_product(buffer: np.ndarray, size: int) -> float:
    """Sum the logarithms of the first ``size`` numbers, overwriting the buffer."""
    width = -(-size // _PRODUCT)
    buffer[size : width * _PRODUCT] = 1.0
    columns = buffer[: width * _PRODUCT].reshape(_PRODUCT, width)
    half = _PRODUCT
    while half > 1:
        half //= 2
        columns[:half] *= columns[half : 2 * half]
    return float(np.log(columns[0]).sum())


class QuadraticMetric:
    """Any score made of weighted sums of squares, from the models' error products alone.

    After one pass over the rows a step costs a few operations for each model.
    """

    def __init__(
        self, gram: np.ndarray, score: Callable[[np.ndarray], np.ndarray], slack: float
    ) -> None:
        self.slack = slack
        self._gram = gram
        self._own = np.diagonal(gram, axis1=1, axis2=2)
        self._score = score
        self._counts = np.zeros(gram.shape[1])

    def best(self, step: int) -> tuple[int, float]:
        cross = self._gram @ self._counts
        total = cross @ self._counts
        losses = (total[:, None] + 2.0 * cross + self._own) / step**2
        scores = self._score(np.maximum(losses, 0.0))
        choice = first_best(scores, self.slack)
        return choice, float(scores[choice])

    def add(self, model: int) -> None:
        self._counts[model] += 1


class AbsoluteErrorMetric:
    """Mean absolute error, over blocks of rows that stay in cache."""

    slack = 0.0

    def __init__(self, values: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
        self._values = values
        self._target = target
        self._weights = weights
        self._sum = np.zeros(target.shape)

    def best(self, step: int) -> tuple[int, float]:
        n, n_models, n_outputs = self._values.shape
        losses = np.zeros(n_models)
        size = max(1, _BLOCK_ELEMENTS // (n_models * n_outputs))
        for start in range(0, n, size):
            rows = slice(start, start + size)
            block = self._values[rows] + self._sum[rows, None, :]
            block /= step
            block -= self._target[rows, None, :]
            np.abs(block, out=block)
            losses += (
                (self._weights[rows] @ block.reshape(len(block), -1))
                .reshape(n_models, n_outputs)
                .mean(axis=1)
            )
        choice = first_best(-losses, self.slack)
        return choice, float(-losses[choice])

    def add(self, model: int) -> None:
        self._sum += self._values[:, model]

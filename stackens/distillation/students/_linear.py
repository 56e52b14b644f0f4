"""A linear model as a student: softmax regression on soft targets, ridge, linear quantiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import solve
from scipy.optimize import minimize

from stackens._core._parallel import single_threaded_blas
from stackens.distillation._lesson import Lesson
from stackens.distillation.students._base import Student
from stackens.distillation.students._lesson_loss import standardised
from stackens.distillation.students._objective import objective_of, outputs_of
from stackens.distillation.students._tabular import (
    FittedTabular,
    encoded,
    path_of,
    require_settings,
)
from stackens.export.program import Graph
from stackens.export.readers import Table
from stackens.export.readers.ensembles import probabilities_of_log_odds
from stackens.preprocessing import TabularEncoder

__all__ = ["FittedLinear", "LinearStudent"]

_ALPHAS = (1000.0, 100.0, 10.0, 1.0, 0.1)  # from the strongest: each solution starts the next
_DEFAULT_ALPHA = 1.0
# Standard units. Quantiles come out right to about this size.
_SMOOTHINGS = (0.3, 0.03, 0.003)


@dataclass(frozen=True)
class LinearStudent(Student):
    """A linear model of standardised numbers and one-hot categories.

    Classes are a softmax (two classes a sigmoid) of linear scores, learnt from soft targets by
    their exact gradient; values are a ridge regression; quantiles minimise a pinball loss that
    is smoothed within 0.003 standard deviations.

    Parameters
    ----------
    alpha : float or None, default=None
        The loss, summed over the rows, has ``alpha / 2`` times the squared coefficients added
        (``alpha`` times for values, as in ridge regression); intercepts are free. None takes the
        best of 1000, 100, 10, 1 and 0.1 by the loss of the rows held back, 1 without such rows.

    References
    ----------
    Byrd, Lu, Nocedal & Zhu (1995), A Limited Memory Algorithm for Bound Constrained Optimization,
    SIAM Journal on Scientific Computing 16(5).

    Examples
    --------
    >>> from stackens.distillation.students import LinearStudent
    >>> LinearStudent().label
    'linear'
    """

    family: ClassVar[str] = "linear"
    reads_tables: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True

    alpha: float | None = None

    @property
    def label(self) -> str:
        return "linear" if self.alpha is None else f"linear alpha {self.alpha:g}"

    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedLinear:
        if self.alpha is not None:
            require_settings(self, {"alpha": 1e-9})
        encoder = TabularEncoder(
            encoding="one-hot", scale=True, add_indicator=True, min_frequency=5, max_categories=50
        )
        lesson = encoded(lesson, encoder, type(self).__name__)
        if not lesson.task.is_classification:
            lesson, mean, scale = standardised(lesson)
        with single_threaded_blas:
            coef, intercept = _solve(lesson, self._choose_alpha(lesson))
        if not lesson.task.is_classification:
            coef, intercept = coef * scale[:, None], intercept * scale + mean
        return FittedLinear(lesson.task, self.label, path_of(lesson), encoder, coef, intercept)

    def _choose_alpha(self, lesson: Lesson) -> float:
        learnt, held_back = lesson.parts()
        if self.alpha is not None or held_back is None:
            return _DEFAULT_ALPHA if self.alpha is None else self.alpha
        losses = []
        solution = None
        for alpha in _ALPHAS:
            solution = _solve(learnt, alpha, solution)
            scores = held_back.X @ solution[0].T + solution[1]
            losses.append(held_back.mean_loss(outputs_of(scores, lesson.task.is_classification)))
        return _ALPHAS[int(np.argmin(losses))]


Solution = tuple[np.ndarray, np.ndarray]  # coefficients (n_scores, n_features), intercepts


def _solve(lesson: Lesson, alpha: float, start: Solution | None = None) -> Solution:
    """Return the coefficients and intercepts of least penalised loss."""
    if lesson.loss == "squared_error":
        return _ridge(lesson, alpha)
    if lesson.loss != "pinball":
        return _descend(lesson, alpha, start)
    solution = _descend(lesson, alpha, start, _SMOOTHINGS[0])
    for smoothing in _SMOOTHINGS[1:]:
        solution = _descend(lesson, alpha, solution, smoothing)
    return solution


def _ridge(lesson: Lesson, alpha: float) -> Solution:
    weights = lesson.weight / lesson.weight.sum()
    X, targets = lesson.X, lesson.targets
    centre, mean = weights @ X, weights @ targets
    X = X - centre
    weighted = (X * lesson.weight[:, None]).T
    gram = weighted @ X
    gram[np.diag_indices_from(gram)] += alpha
    coef = solve(gram, weighted @ (targets - mean), assume_a="pos").T
    return coef, mean - coef @ centre


def _descend(
    lesson: Lesson, alpha: float, start: Solution | None, smoothing: float = 0.0
) -> Solution:
    """Minimise by L-BFGS. The loss is a mean, so that its tolerances mean the same everywhere."""
    X, total = lesson.X, lesson.weight.sum()
    objective = objective_of(lesson, smoothing=smoothing)
    shape = (len(objective.start), X.shape[1])
    if start is None:
        start = np.zeros(shape), objective.start

    def loss_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        coef = parameters[shape[0] :].reshape(shape)
        scores = coef @ X.T
        scores += parameters[: shape[0], None]
        loss, gradient = objective.loss_and_gradient(scores)
        slope = gradient @ X + alpha * coef
        loss += 0.5 * alpha * float((coef * coef).sum())
        return loss / total, np.concatenate([gradient.sum(axis=1), slope.ravel()]) / total

    result = minimize(
        loss_and_gradient,
        np.concatenate([start[1], start[0].ravel()]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 20},
    )
    return result.x[shape[0] :].reshape(shape), result.x[: shape[0]]


@dataclass(eq=False, repr=False)
class FittedLinear(FittedTabular):
    """Linear scores behind an encoder.

    Parameters
    ----------
    task, label, path, encoder
        As for :class:`FittedTabular`.
    coef : ndarray of shape (n_scores, n_features)
        One row for each class or value; a single one, of log-odds, for two classes.
    intercept : ndarray of shape (n_scores,)
    """

    coef: np.ndarray
    intercept: np.ndarray

    def outputs_of_matrix(self, matrix: np.ndarray) -> np.ndarray:
        return outputs_of(matrix @ self.coef.T + self.intercept, self.task.is_classification)

    def _read_matrix(self, graph: Graph, table: Table) -> int:
        scores = graph.dense(table.numbers(graph), self.coef.T, self.intercept)
        if not self.task.is_classification:
            return scores
        if graph.width(scores) == 1:
            return probabilities_of_log_odds(graph, scores)
        return graph.softmax(scores)

    def ask_one(self) -> Callable[[Any], Any]:
        coef, intercept = self.coef.T.copy(), self.intercept
        if not self.task.is_classification:
            return lambda row: row @ coef + intercept
        if len(intercept) == 1:
            return lambda row: 1.0 / (1.0 + np.exp(-(row @ coef + intercept)))

        def probabilities(row: np.ndarray) -> np.ndarray:
            scores = row @ coef + intercept
            scores = np.exp(scores - scores.max())
            return scores / scores.sum()

        return probabilities

    def n_bytes(self) -> int:
        return self.coef.nbytes + self.intercept.nbytes

"""Convex weights that minimise log loss or squared error, solved to a certified optimum."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from stackens._core._losses import (
    PROBABILITY_FLOOR,
    normalised_weights,
    output_scales,
    true_probabilities,
)
from stackens._core._parallel import single_threaded_blas
from stackens._core._task import Task
from stackens.combiners._base import WeightedCombiner, fitting_rows, require_probabilities
from stackens.combiners._quadratic import gram_matrix, nonnegative_quadratic
from stackens.out_of_fold import OutOfFoldTable

__all__ = [
    "SimplexWeights",
    "least_squares_weights",
    "mixture_weights",
    "simplex_weights",
]

_WARM_UP = 5
_WORKING_SET = 64
_BLOCK_ELEMENTS = 1 << 18


class SimplexWeights(WeightedCombiner):
    """Convex weights that minimise log loss, or squared error for regression.

    The problem is convex, so the answer is the best that any selection with replacement can
    approach, and it comes with a certificate. Classification works on the probability of the
    true class only (of each label for a multilabel task); probabilities under 2.2e-16 count
    as 2.2e-16. Regression adds up the squared errors of all outputs, each divided by the
    variance of its target, so that units do not matter.

    Parameters
    ----------
    tol : float, default=1e-9
        How far the mean loss may be from its minimum: in nats for log loss, relative to the
        loss for squared error.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Weights of at least zero with a sum of one.
    gap_ : float
        A bound on how far the loss is from its minimum, in the units of ``tol``.

    References
    ----------
    Redner & Walker (1984), Mixture densities, maximum likelihood and the EM algorithm, SIAM
    Review 26(2), DOI 10.1137/1026034 (the warm-up steps).

    Kim, Carbonetto, Stephens & Anitescu (2020), A fast algorithm for maximum likelihood
    estimation of mixture proportions using sequential quadratic programming, Journal of
    Computational and Graphical Statistics 29(2), arXiv:1806.01412 (the steps that finish).

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> bool(se.combiners.SimplexWeights().fit(table).gap_ < 1e-9)
    True
    """

    identity_on_one_model: ClassVar[bool] = True
    ignores_duplicates: ClassVar[bool] = True

    def __init__(self, tol: float = 1e-9) -> None:
        self.tol = tol

    def fit(self, out_of_fold: OutOfFoldTable) -> SimplexWeights:
        require_probabilities(out_of_fold, type(self).__name__)
        rows = fitting_rows(out_of_fold, type(self).__name__)
        with single_threaded_blas:
            self.weights_, self.gap_ = simplex_weights(
                rows.values, rows.target, rows.task, rows.sample_weight, tol=self.tol
            )
        self.names_ = rows.names
        return self


def simplex_weights(
    values: np.ndarray,
    target: np.ndarray,
    task: Task,
    sample_weight: np.ndarray | None = None,
    *,
    tol: float = 1e-9,
) -> tuple[np.ndarray, float]:
    """Return the convex weights of least loss and a bound on what they leave unreached.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
        Predictions without NaN.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The target in numbers.
    task : Task
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the rows.
    tol : float, default=1e-9
        Stop when the bound is below this.

    Returns
    -------
    weights : ndarray of shape (n_models,)
    gap : float

    Examples
    --------
    >>> import stackens as se
    >>> kept = {"high": [1.2, 2.2, 3.2], "low": [0.6, 1.6, 2.6]}
    >>> table = se.OutOfFoldTable.from_predictions(kept, [1.0, 2.0, 3.0], classification=False)
    >>> weights, gap = se.combiners.simplex_weights(table.values, table.target, table.task)
    >>> weights.round(3)
    array([0.667, 0.333])
    """
    row_weights = normalised_weights(sample_weight, len(values))
    if task.kind == "regression":
        scales = output_scales(target, row_weights)
        gram, _ = gram_matrix(values, target, row_weights, scales, residuals=True)
        return least_squares_weights(gram.sum(axis=0))
    probabilities = true_probabilities(values, target, task)
    np.maximum(probabilities, PROBABILITY_FLOOR, out=probabilities)
    repeats = probabilities.shape[1] // len(values)
    return mixture_weights(probabilities, np.repeat(row_weights, repeats) / repeats, tol=tol)


def mixture_weights(
    probabilities: np.ndarray,
    weights: np.ndarray,
    *,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> tuple[np.ndarray, float]:
    """Maximise the weighted mean of ``log(x @ probabilities)`` over convex weights ``x``.

    A few expectation-maximisation steps, then Newton steps, each a small problem over
    non-negative weights. Adding the sum of ``x`` to the loss makes its minimum over
    non-negative ``x`` lie on the simplex, so the steps need no equality constraint. The
    largest slope ``max_m E[p_m / (x @ p)] - 1`` bounds the distance to the maximum, which is
    what stops the loop.

    Parameters
    ----------
    probabilities : ndarray of shape (n_models, n_terms)
        Positive numbers.
    weights : ndarray of shape (n_terms,)
        Weights of the terms, with a sum of one.
    tol : float, default=1e-9
        Largest gap to stop at, in nats.
    max_iter : int, default=200
        Most Newton steps.

    Returns
    -------
    x : ndarray of shape (n_models,)
    gap : float
    """
    n_models = len(probabilities)
    x = np.full(n_models, 1.0 / n_models)
    for _ in range(_WARM_UP if n_models > 1 else 0):
        x *= probabilities @ (weights / (x @ probabilities))
    best, best_gap = x, np.inf
    for _ in range(max_iter):
        mixture = x @ probabilities
        slope = probabilities @ (weights / mixture)
        # The bound holds for weights with a sum of one, whose slope is x.sum() times as large.
        gap = float(slope.max() * x.sum() - 1.0)
        if gap < best_gap:
            best, best_gap = x / x.sum(), gap
        if gap <= tol:
            break
        proposal = _newton_point(probabilities, weights, x, mixture, slope)
        moved = _line_search(probabilities, weights, x, mixture, proposal - x)
        # Where rounding stops the Newton step, one of expectation maximisation never goes up.
        x = x * slope if moved is None else moved
    return best, max(best_gap, 0.0)


def _newton_point(
    probabilities: np.ndarray,
    weights: np.ndarray,
    x: np.ndarray,
    mixture: np.ndarray,
    slope: np.ndarray,
) -> np.ndarray:
    """Minimise the second-order model over the models in use and those most worth adding."""
    working = np.flatnonzero(x > 0) if len(x) > _WORKING_SET else np.arange(len(x))
    if len(x) > _WORKING_SET:
        unused = np.flatnonzero((x <= 0) & (slope > 1))
        working = np.union1d(working, unused[np.argsort(-slope[unused])[:_WORKING_SET]])
    scale = np.sqrt(weights) / mixture
    curvature = np.zeros((len(working), len(working)))
    step = max(1, _BLOCK_ELEMENTS // len(working))
    for start in range(0, len(scale), step):
        terms = slice(start, start + step)
        used = probabilities[working, terms] * scale[terms]
        curvature += used @ used.T
    # The linear term is H x + slope - 1, and H x is the slope itself.
    linear = 2.0 * slope[working] - 1.0
    point = np.zeros_like(x)
    point[working] = nonnegative_quadratic(curvature, linear)
    return point


def _line_search(
    probabilities: np.ndarray,
    weights: np.ndarray,
    x: np.ndarray,
    mixture: np.ndarray,
    direction: np.ndarray,
) -> np.ndarray | None:
    """Halve the step until the loss goes down; None when it does not."""
    change = direction @ probabilities
    drift = direction.sum()
    expected = drift - float(weights @ (change / mixture))
    step = 1.0
    for _ in range(30):
        ratio = step * change / mixture
        if ratio.min() > -1.0:
            difference = step * drift - float(weights @ np.log1p(ratio))
            if difference <= 1e-4 * step * expected and difference < 0:
                return np.maximum(x + step * direction, 0.0)
        step /= 2
    return None


def least_squares_weights(gram: np.ndarray) -> tuple[np.ndarray, float]:
    """Minimise ``w @ gram @ w`` over convex weights.

    ``gram`` holds products of the models' errors: weights with a sum of one turn the squared
    error into this form. As it is homogeneous, the minimum on the simplex is that of
    ``x @ gram @ x / 2 - x.sum()`` over non-negative ``x``, divided by its sum.

    Parameters
    ----------
    gram : ndarray of shape (n_models, n_models)

    Returns
    -------
    weights : ndarray of shape (n_models,)
    gap : float
        A bound on the distance to the minimum, relative to the loss.
    """
    diagonal = np.diag(gram)
    perfect = diagonal <= np.finfo(np.float64).tiny
    if perfect.any():
        return perfect / perfect.sum(), 0.0
    # In units of the smallest error, so that the solver's tolerances mean the same everywhere.
    scaled = gram / diagonal.min()
    weights = nonnegative_quadratic(scaled, np.ones(len(gram)))
    weights /= weights.sum()
    slope = scaled @ weights
    loss = float(weights @ slope)
    return weights, max(0.0, 2.0 * (loss - float(slope.min())) / max(loss, 1e-300))

"""Penalised maximum likelihood for models that are linear in log-probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit

from stackens._core._losses import softmax

__all__ = ["BinaryProblem", "LogLinearProblem", "log_linear_scores", "solve_log_linear"]

_BLOCK_ELEMENTS = 1 << 18
# Above this many parameters second derivatives are made once, and above the second number never:
# they would cost more than they save.
_EXACT_PARAMETERS = 64
_NEWTON_PARAMETERS = 4000


@dataclass(frozen=True, eq=False)
class LogLinearProblem:
    """Scores of a row are ``sum_m w[m, k] * features[m, k] + b[k]``; classes compete by softmax.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_models, n_classes)
        Products are fastest where the numbers of a class lie together in memory.
    target : ndarray of int of shape (n_samples,)
        Class codes.
    weights : ndarray of shape (n_samples,)
        Row weights, in units of rows.
    prior : ndarray of shape (n_models,) or (n_models, n_classes)
        What the penalty pulls the weights to. One dimension: all classes share the weights.
    penalty : float
        The loss has ``penalty / 2`` times the squared distance from the prior (0 for ``b``).
    """

    features: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    prior: np.ndarray
    penalty: float

    @property
    def shared(self) -> bool:
        """Whether all classes share the weights."""
        return self.prior.ndim == 1

    @property
    def start(self) -> np.ndarray:
        """The prior and zero intercepts in one vector."""
        return np.concatenate([self.prior.ravel(), np.zeros(self.features.shape[2])])

    def split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights in the shape of the prior, and the intercepts."""
        size = self.prior.size
        return parameters[:size].reshape(self.prior.shape), parameters[size:]

    def loss_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised sum of log losses and its gradient."""
        offset = parameters - self.start
        loss = 0.5 * self.penalty * float(offset @ offset)
        gradient = self.penalty * offset
        for rows in row_blocks(len(self.features), self.features[0].size):
            features, target, weights = self.features[rows], self.target[rows], self.weights[rows]
            scores = _class_scores(features, *self.split(parameters))
            index = np.arange(len(target))
            scores -= scores.max(axis=0)
            own = scores[target, index]
            np.exp(scores, out=scores)
            total = scores.sum(axis=0)
            loss += float(weights @ (np.log(total) - own))
            scores /= total
            scores[target, index] -= 1.0
            scores *= weights
            self._add_products(gradient, features, scores)
        return loss, gradient

    def hessian_product(self, parameters: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return what multiplies a vector by the second derivatives, without making them."""
        blocks = row_blocks(len(self.features), self.features[0].size)
        shares = [
            softmax(_class_scores(self.features[rows], *self.split(parameters)).T).T
            for rows in blocks
        ]

        def product(vector: np.ndarray) -> np.ndarray:
            result = self.penalty * vector
            for rows, p in zip(blocks, shares, strict=True):
                change = _class_scores(self.features[rows], *self.split(vector))
                change -= (p * change).sum(axis=0)
                change *= p * self.weights[rows]
                self._add_products(result, self.features[rows], change)
            return result

        return product

    def _add_products(self, total: np.ndarray, features: np.ndarray, slopes: np.ndarray) -> None:
        """Add to ``total`` what slopes by the scores, (n_classes, n_rows), mean by parameter."""
        by_weight, by_intercept = self.split(total)
        by_intercept += slopes.sum(axis=1)
        for k, slope in enumerate(slopes):
            if self.shared:
                by_weight += slope @ features[:, :, k]
            else:
                by_weight[:, k] += slope @ features[:, :, k]

    def hessian(self, parameters: np.ndarray) -> np.ndarray:
        """Return the second derivatives of the penalised loss.

        Those of one row are ``F' (diag(p) - p p') F`` with ``p`` its probabilities and ``F``
        the derivatives of its scores.
        """
        _, n_models, n_classes = self.features.shape
        size = self.prior.size
        curved, mixed = np.zeros((size, size)), np.zeros((n_classes, size))
        result = self.penalty * np.eye(size + n_classes)
        for rows in row_blocks(len(self.features), n_models * n_classes):
            features, weights = self.features[rows], self.weights[rows]
            p = softmax(_class_scores(features, *self.split(parameters)).T).T
            lighter, p = p * np.sqrt(weights), p * weights
            parts = (features[:, :, k] * lighter[k][:, None] for k in range(n_classes))
            joint = sum(parts) if self.shared else np.concatenate(list(parts), axis=1)
            curved -= joint.T @ joint
            mixed -= lighter @ joint
            result[size:, size:] += np.diag(p.sum(axis=1)) - lighter @ lighter.T
            for k in range(n_classes):
                own = slice(None) if self.shared else slice(k * n_models, (k + 1) * n_models)
                scaled = features[:, :, k] * np.sqrt(p[k])[:, None]
                curved[own, own] += scaled.T @ scaled
                mixed[k, own] += p[k] @ features[:, :, k]
        # The weights of a class stand together here, those of a model in the parameters.
        order = np.arange(size).reshape(-1, n_models).T.ravel()
        result[:size, :size] += curved[np.ix_(order, order)]
        result[size:, :size] = mixed[:, order]
        result[:size, size:] = mixed[:, order].T
        return result


@dataclass(frozen=True, eq=False)
class BinaryProblem:
    """The same for two classes, of which the first has the score zero.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_models)
        Log-odds.
    target : ndarray of int of shape (n_samples,)
        0 or 1.
    weights : ndarray of shape (n_samples,)
        Row weights, in units of rows.
    prior : ndarray of shape (n_models,)
        What the penalty pulls the weights to.
    penalty : float
        As for :class:`LogLinearProblem`. Intercepts of both classes under one penalty act as
        their difference under half of it.
    """

    features: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    prior: np.ndarray
    penalty: float

    @property
    def start(self) -> np.ndarray:
        """The prior and a zero intercept in one vector."""
        return np.append(self.prior, 0.0)

    @property
    def _penalties(self) -> np.ndarray:
        return np.append(np.full(len(self.prior), self.penalty), self.penalty / 2)

    def split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights, and the intercept as an array of one number."""
        return parameters[:-1], parameters[-1:]

    def loss_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised sum of log losses and its gradient."""
        offset = parameters - self.start
        loss = 0.5 * float(self._penalties @ offset**2)
        gradient = self._penalties * offset
        for rows in row_blocks(len(self.features), len(self.prior)):
            features, target, weights = self.features[rows], self.target[rows], self.weights[rows]
            scores = _binary_scores(features, *self.split(parameters))
            # Several times as fast as logaddexp and expit, and as exact.
            lesser = np.exp(-np.abs(scores))
            wrong = np.maximum(np.where(target == 1, -scores, scores), 0.0)
            loss += float(weights @ (wrong + np.log1p(lesser)))
            slope = weights * (np.where(scores >= 0, 1.0, lesser) / (1.0 + lesser) - target)
            gradient[:-1] += slope @ features
            gradient[-1] += slope.sum()
        return loss, gradient

    def hessian_product(self, parameters: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return what multiplies a vector by the second derivatives, without making them."""
        p = expit(_binary_scores(self.features, *self.split(parameters)))
        curvature = self.weights * p * (1.0 - p)

        def product(vector: np.ndarray) -> np.ndarray:
            change = curvature * _binary_scores(self.features, *self.split(vector))
            return self._penalties * vector + np.append(change @ self.features, change.sum())

        return product

    def hessian(self, parameters: np.ndarray) -> np.ndarray:
        """Return the second derivatives of the penalised loss."""
        size = len(self.prior)
        result = np.diag(self._penalties)
        for rows in row_blocks(len(self.features), size):
            features = self.features[rows]
            p = expit(_binary_scores(features, *self.split(parameters)))
            curvature = self.weights[rows] * p * (1.0 - p)
            scaled = features * np.sqrt(curvature)[:, None]
            result[:size, :size] += scaled.T @ scaled
            result[size, :size] += curvature @ features
            result[size, size] += curvature.sum()
        result[:size, size] = result[size, :size]
        return result


def row_blocks(n: int, width: int) -> list[slice]:
    """Cut the rows so that a block of this many numbers for each row stays small."""
    step = max(1, _BLOCK_ELEMENTS // max(1, width))
    return [slice(start, start + step) for start in range(0, n, step)]


def _binary_scores(features: np.ndarray, weights: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """Return ``sum_m weights[m] * features[:, m] + intercept``, shape (n_samples,)."""
    return features @ weights + intercept


def _class_scores(features: np.ndarray, weights: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """Return ``sum_m weights[m(, k)] * features[:, m, k] + intercept[k]``.

    Shape (n_classes, n_samples). A product of matrices for each class is several times as fast as
    one einsum for all.
    """
    scores = np.empty((features.shape[2], len(features)))
    for k, row in enumerate(scores):
        np.matmul(features[:, :, k], weights if weights.ndim == 1 else weights[:, k], out=row)
        row += intercept[k]
    return scores


def log_linear_scores(
    features: np.ndarray, weights: np.ndarray, intercept: np.ndarray
) -> np.ndarray:
    """Return ``sum_m weights[m(, k)] * features[:, m, k] + intercept[k]``.

    Features of shape (n_samples, n_models) give scores of shape (n_samples,).
    Models of weight zero are not read: their predictions may be missing.
    """
    used = np.flatnonzero(weights.reshape(len(weights), -1).any(axis=1))
    if len(used) < len(weights):
        features, weights = features[:, used], weights[used]
    if features.ndim == 2:
        return _binary_scores(features, weights, intercept)
    return _class_scores(features, weights, intercept).T


def solve_log_linear(
    problem: LogLinearProblem | BinaryProblem, *, nonnegative: bool = False, max_iter: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and intercepts of least penalised loss.

    Newton steps with halving. With more than a few models the second derivatives cost much more
    than the loss, so those at the start serve all steps, as the preconditioner of conjugate
    gradients. L-BFGS where even these are too many, or the weights must not be negative.

    References
    ----------
    Nocedal & Wright (2006), Numerical optimization, algorithm 7.1.
    DOI 10.1007/978-0-387-40065-5
    """
    parameters = problem.start
    if nonnegative or len(parameters) > _NEWTON_PARAMETERS:
        bound = (0.0, None) if nonnegative else (None, None)
        size = problem.prior.size
        bounds = [bound] * size + [(None, None)] * (len(parameters) - size)
        result = minimize(
            problem.loss_and_gradient,
            parameters,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 20 * max_iter, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 20},
        )
        return problem.split(result.x)
    loss, gradient = problem.loss_and_gradient(parameters)
    factor = _factorised(problem.hessian(parameters))
    for count in range(max_iter):
        if len(parameters) > _EXACT_PARAMETERS:
            product = problem.hessian_product(parameters)
            direction = _conjugate_gradients(product, -gradient, factor)
        else:
            factor = _factorised(problem.hessian(parameters)) if count else factor
            direction = -cho_solve(factor, gradient)
        decrease = float(-gradient @ direction)
        if decrease <= 1e-14 * max(1.0, abs(loss)):
            break
        step = 1.0
        while step > 1e-8:
            trial = parameters + step * direction
            trial_loss, trial_gradient = problem.loss_and_gradient(trial)
            if trial_loss <= loss - 1e-4 * step * decrease:
                break
            step /= 2
        else:
            break
        parameters, loss, gradient = trial, trial_loss, trial_gradient
    return problem.split(parameters)


def _factorised(hessian: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the Cholesky factor, of a slightly greater matrix where rounding asks for it."""
    jitter = 0.0
    while True:
        try:
            return cho_factor(hessian + jitter * np.eye(len(hessian)))
        except LinAlgError:  # without a penalty the scores are free to move together
            jitter = max(10 * jitter, 1e-10 * float(np.trace(hessian)) / len(hessian))


def _conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray],
    right: np.ndarray,
    factor: tuple[np.ndarray, bool],
) -> np.ndarray:
    """Solve ``product(x) = right``, to a thousandth in the norm of the preconditioner."""
    solution = np.zeros_like(right)
    direction = towards = cho_solve(factor, right)
    size = float(right @ towards)
    limit = 1e-6 * size
    for _ in range(len(right)):
        change = product(direction)
        curvature = float(direction @ change)
        if curvature <= 0.0:  # flat to rounding
            break
        step = size / curvature
        solution += step * direction
        right = right - step * change
        towards = cho_solve(factor, right)
        size, before = float(right @ towards), size
        if size <= limit:
            break
        direction = towards + (size / before) * direction
    return solution

"""Penalised maximum likelihood for models that are linear in log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit

from stackens._core._losses import softmax

__all__ = ["BinaryProblem", "LogLinearProblem", "log_linear_scores", "solve_log_linear"]

_BLOCK_ELEMENTS = 1 << 20
# Above this many parameters the matrix of second derivatives costs more than it saves.
_NEWTON_PARAMETERS = 1500


@dataclass(frozen=True, eq=False)
class LogLinearProblem:
    """Scores of a row are ``sum_m w[m, k] * features[m, k] + b[k]``; classes compete by softmax.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_models, n_classes)
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

    def scores(self, parameters: np.ndarray, rows: slice) -> np.ndarray:
        """Return the scores of these rows, shape (n_rows, n_classes)."""
        return log_linear_scores(self.features[rows], *self.split(parameters))

    def loss_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised sum of log losses and its gradient."""
        offset = parameters - self.start
        loss = 0.5 * self.penalty * float(offset @ offset)
        gradient = self.penalty * offset
        by_weight, by_intercept = self.split(gradient)
        for rows in _row_blocks(len(self.features), self.features[0].size):
            scores = self.scores(parameters, rows)
            target, weights = self.target[rows], self.weights[rows]
            index = np.arange(len(target))
            scores -= scores.max(axis=1, keepdims=True)
            own = scores[index, target].copy()
            np.exp(scores, out=scores)
            total = scores.sum(axis=1)
            loss += float(weights @ (np.log(total) - own))
            scores /= total[:, None]
            scores[index, target] -= 1.0
            scores *= weights[:, None]
            by_intercept += scores.sum(axis=0)
            path = "imk,ik->m" if self.shared else "imk,ik->mk"
            by_weight += np.einsum(path, self.features[rows], scores)
        return loss, gradient

    def hessian(self, parameters: np.ndarray) -> np.ndarray:
        """Return the second derivatives of the penalised loss.

        Those of one row are ``F' (diag(p) - p p') F`` with ``p`` its probabilities and ``F``
        the derivatives of its scores.
        """
        _, n_models, n_classes = self.features.shape
        size = self.prior.size
        result = self.penalty * np.eye(size + n_classes)
        weight_part, mixed = result[:size, :size], result[size:, :size]
        for rows in _row_blocks(len(self.features), n_models * n_classes):
            p = softmax(self.scores(parameters, rows))
            p *= np.sqrt(self.weights[rows])[:, None]
            root = np.sqrt(self.weights[rows])[:, None]
            features = self.features[rows]
            spread = features * (p * root)[:, None, :]  # weights times p times the feature
            result[size:, size:] += np.diag((p * root).sum(axis=0)) - p.T @ p
            if self.shared:
                mean = np.einsum("imk,ik->im", features, p)
                flat = features.transpose(1, 0, 2).reshape(n_models, -1)
                weight_part += (flat * (p * root).ravel()) @ flat.T - mean.T @ mean
                mixed += spread.sum(axis=0).T - p.T @ mean
            else:
                flat = (features * p[:, None, :]).reshape(len(p), -1)
                weight_part -= flat.T @ flat
                mixed -= p.T @ flat
                for k in range(n_classes):
                    own = slice(k, size, n_classes)
                    weight_part[own, own] += spread[:, :, k].T @ features[:, :, k]
                    mixed[k, own] += spread[:, :, k].sum(axis=0)
        result[:size, size:] = mixed.T
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

    def _scores(self, parameters: np.ndarray) -> np.ndarray:
        return self.features @ parameters[:-1] + parameters[-1]

    def loss_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised sum of log losses and its gradient."""
        offset = parameters - self.start
        scores = self._scores(parameters)
        losses = np.logaddexp(0.0, np.where(self.target == 1, -scores, scores))
        loss = float(self.weights @ losses) + 0.5 * float(self._penalties @ offset**2)
        slope = self.weights * (expit(scores) - self.target)
        gradient = np.append(slope @ self.features, slope.sum())
        return loss, gradient + self._penalties * offset

    def hessian(self, parameters: np.ndarray) -> np.ndarray:
        """Return the second derivatives of the penalised loss."""
        p = expit(self._scores(parameters))
        curvature = self.weights * p * (1.0 - p)
        size = len(self.prior)
        result = np.diag(self._penalties)
        for rows in _row_blocks(len(self.features), size):
            block = self.features[rows]
            result[:size, :size] += (block * curvature[rows, None]).T @ block
        result[size, :size] += curvature @ self.features
        result[:size, size] = result[size, :size]
        result[size, size] += curvature.sum()
        return result


def _row_blocks(n: int, width: int) -> list[slice]:
    """Cut the rows so that a block of this many numbers for each row stays small."""
    step = max(1, _BLOCK_ELEMENTS // max(1, width))
    return [slice(start, start + step) for start in range(0, n, step)]


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
        return features @ weights + intercept
    path = "imk,m->ik" if weights.ndim == 1 else "imk,mk->ik"
    return np.einsum(path, features, weights) + intercept


def solve_log_linear(
    problem: LogLinearProblem | BinaryProblem, *, nonnegative: bool = False, max_iter: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and intercepts of least penalised loss.

    Newton steps with halving, or L-BFGS where there are very many parameters or the weights
    must not be negative.
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
    for _ in range(max_iter):
        direction = _newton_direction(problem.hessian(parameters), gradient)
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


def _newton_direction(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    jitter = 0.0
    while True:
        try:
            damped = hessian + jitter * np.eye(len(hessian))
            return -cho_solve(cho_factor(damped), gradient)
        except LinAlgError:  # without a penalty the scores are free to move together
            jitter = max(10 * jitter, 1e-10 * float(np.trace(hessian)) / len(hessian))

"""Small quadratic problems over non-negative weights, to which several combiners come down."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

__all__ = ["gram_matrix", "nonnegative_quadratic"]

# Added to a unit diagonal, so that copies of a model do not make the problem singular.
_JITTER = 1e-12
_BLOCK_ELEMENTS = 1 << 20


def nonnegative_quadratic(matrix: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimise ``x @ matrix @ x / 2 - linear @ x`` over ``x >= 0``.

    The problem is scaled to a unit diagonal, factorised (``matrix = L @ L.T``) and solved as
    non-negative least squares with ``L.T``, so its cost does not depend on the number of rows
    behind the matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n_models, n_models)
        Symmetric, positive semidefinite.
    linear : ndarray of shape (n_models,)

    Returns
    -------
    ndarray of shape (n_models,)

    References
    ----------
    Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23.
    DOI 10.1137/1.9781611971217
    """
    diagonal = np.sqrt(np.diag(matrix))
    scale = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    scaled = matrix * scale * scale[:, None]
    jitter = _JITTER
    while True:
        np.fill_diagonal(scaled, 1.0 + jitter)
        try:
            factor = cholesky(scaled, lower=True)
            break
        except np.linalg.LinAlgError:  # rounding made it indefinite: regularise more
            jitter *= 10
    right = solve_triangular(factor, linear * scale, lower=True)
    solution, _ = nnls(factor.T, right, maxiter=30 * len(linear) + 100)
    return solution * scale


def gram_matrix(
    values: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    scales: np.ndarray,
    *,
    residuals: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted products of the models with each other and with the target.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
    target : ndarray of shape (n_samples, n_outputs)
    weights : ndarray of shape (n_samples,)
        Row weights.
    scales : ndarray of shape (n_outputs,)
        Divisors of the squared errors of each output.
    residuals : bool
        Whether to take the models' errors instead of their values.

    Returns
    -------
    gram : ndarray of shape (n_outputs, n_models, n_models)
        One matrix for each output; the whole is their sum.
    cross : ndarray of shape (n_outputs, n_models)
        Products with the target.
    """
    n, n_models, n_outputs = values.shape
    gram = np.zeros((n_outputs, n_models, n_models))
    cross = np.zeros((n_outputs, n_models))
    step = max(1, _BLOCK_ELEMENTS // max(1, n_models))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        root = np.sqrt(weights[rows])[:, None]
        for output in range(n_outputs):
            right = target[rows, output, None]
            block = values[rows, :, output] - right if residuals else values[rows, :, output]
            block = block * root
            gram[output] += block.T @ block
            cross[output] += (root * right)[:, 0] @ block
    return gram / scales[:, None, None], cross / scales[:, None]

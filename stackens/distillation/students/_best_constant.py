"""The best constant for teacher and truth of quantiles: of a tree's leaf, and to boost from."""

from __future__ import annotations

import numpy as np

__all__ = ["best_constant"]


def best_constant(
    soft: np.ndarray, taught: np.ndarray, hard: np.ndarray, told: np.ndarray, level: float
) -> float:
    """Return the constant of least squared error to `soft` plus pinball loss to `hard`, exactly.

    Parameters
    ----------
    soft, hard : ndarray of shape (n_samples,)
        Not read where their weight is zero.
    taught, told : ndarray of shape (n_samples,)
        Weights of the squared errors and of the pinball losses. Not all are zero.
    level : float
        Level of the quantile.
    """
    pull = 2.0 * float(taught[taught > 0] @ soft[taught > 0])
    hard, told = hard[told > 0], told[told > 0]
    order = np.argsort(hard, kind="stable")
    hard, below = hard[order], np.concatenate([[0.0], np.cumsum(told[order])])
    curvature = 2.0 * float(taught.sum())
    if curvature == 0.0:
        # rounding of the sums must not move an exact quantile one value up
        return float(hard[np.searchsorted(below[1:], level * below[-1] * (1.0 - 1e-12))])
    # With k values of `hard` below it, the loss is least at zero[k]; that falls with k, and the
    # first k whose zero is not above the next value has the answer at its zero or lower end.
    zero = (pull + level * below[-1] - below) / curvature
    k = int(np.argmax(zero <= np.append(hard, np.inf)))
    return float(zero[k] if k == 0 else max(zero[k], hard[k - 1]))

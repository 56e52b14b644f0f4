"""What mixing weights may be: a convex mixture, each between 0 and 1, or any numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "allowed",
    "free_parameters",
    "slopes_by_parameters",
    "weights_from",
]

Constraint = Literal["simplex", "bounded", "free"]
CONSTRAINTS = ("simplex", "bounded", "free")
# How far from 0 and 1 a start may be, so that learning can still move it.
_MARGIN = 1e-3


def allowed(weights: NDArray[np.float64], constraint: Constraint) -> bool:
    """Whether weights of shape (..., n_models) fit the constraint, up to rounding."""
    inside = bool(((weights >= 0) & (weights <= 1)).all())
    if constraint == "simplex":
        return inside and np.allclose(weights.sum(axis=-1), 1.0, rtol=0, atol=1e-6)
    return inside or constraint == "free"


def free_parameters(weights: NDArray[np.float64], constraint: Constraint) -> NDArray[np.float64]:
    """Return unconstrained parameters whose weights are (nearly) the ones given.

    Parameters
    ----------
    weights : array of shape (n_groups, n_models)
    constraint : {"simplex", "bounded", "free"}
    """
    if constraint == "free":
        return weights.copy()
    inside = np.clip(weights, _MARGIN, 1 - _MARGIN)
    return np.log(inside) if constraint == "simplex" else np.log(inside / (1 - inside))


def weights_from(parameters: NDArray[np.float64], constraint: Constraint) -> NDArray[np.float64]:
    """Return the mixing weights of unconstrained parameters, both of shape (n_groups, n_models).

    ``"simplex"``: softmax, so that the weights of a group are positive and sum to one.
    ``"bounded"``: a sigmoid of each. ``"free"``: the parameters themselves.
    """
    if constraint == "simplex":
        return softmax(parameters, axis=1)
    return expit(parameters) if constraint == "bounded" else parameters


def slopes_by_parameters(
    by_weight: NDArray[np.float64], weights: NDArray[np.float64], constraint: Constraint
) -> NDArray[np.float64]:
    """Return the derivatives by the parameters from those by the weights (chain rule)."""
    if constraint == "simplex":
        return weights * (by_weight - (weights * by_weight).sum(axis=1, keepdims=True))
    return by_weight * weights * (1 - weights) if constraint == "bounded" else by_weight

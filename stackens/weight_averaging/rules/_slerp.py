"""SLERP: the mean of models as directions on a sphere, for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.rules._arithmetic import inner_products, weighted_sum
from stackens.weight_averaging.rules._rule import Rule, require_no_negative

__all__ = ["Slerp", "spherical_coefficients"]

_STEPS = 100
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Slerp(Rule):
    """Spherical interpolation of whole tensors, so that the mean is not shorter than the models.

    Each tensor is a direction times a length. The direction is the weighted mean on the sphere:
    for two models the point at share t = weights[1] of the arc between them, and for more the
    Karcher mean, the point whose arcs to the models, times their weights, cancel out. The length
    is the weighted mean of the lengths. Where there is no such direction (a tensor of zeros or
    with infinities, or models that point exactly apart) the result is the weighted mean.

    Other libraries interpolate the vectors with their lengths, which is the same where these are.

    References
    ----------
    Shoemake (1985), Animating rotation with quaternion curves, SIGGRAPH,
    DOI 10.1145/325334.325242.

    Buss & Fillmore (2001), Spherical averages and applications to spherical splines and
    interpolation, ACM Transactions on Graphics 20(2), DOI 10.1145/502122.502124.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.Slerp()([np.array([1.0, 0.0]), np.array([0.0, 1.0])], [0.5, 0.5])
    array([0.70710678, 0.70710678])
    """

    elementwise = False

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        require_no_negative(weights, self)
        used = [array for array, weight in zip(arrays, weights, strict=True) if weight]
        shares = weights[weights != 0]
        with np.errstate(invalid="ignore", over="ignore"):
            products = inner_products(used)
        lengths = np.sqrt(np.diag(products))
        # A mask of infinities that all models share has no direction either.
        if not (np.isfinite(products).all() and (lengths > 0).all()):
            return weighted_sum(used, shares)
        coefficients = spherical_coefficients(products / np.outer(lengths, lengths), shares)
        if coefficients is None:
            return weighted_sum(used, shares)
        return weighted_sum(used, (shares @ lengths) * coefficients / lengths)


def spherical_coefficients(
    cosines: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the Karcher mean of unit vectors, as coefficients of those vectors.

    Everything happens in the span of the vectors, of which only the cosines are needed: the mean
    of large tensors costs no more than their inner products.

    Parameters
    ----------
    cosines : ndarray of shape (n, n)
        Inner products of the unit vectors.
    weights : ndarray of shape (n,)
        Of at least zero, with a sum of one.

    Returns
    -------
    ndarray of shape (n,) or None
        None where the mean has no direction.
    """
    squared = weights @ cosines @ weights
    if squared < _TOLERANCE:
        return None
    mean = weights / np.sqrt(squared)
    for _ in range(_STEPS):
        heights = np.clip(cosines @ mean, -1.0, 1.0)
        angles = np.arccos(heights)
        if (angles > np.pi - 1e-6).any():
            return None
        # Each vector seen from the mean: its arc, along the tangent. sinc copes with angle zero.
        pulls = weights / np.sinc(angles / np.pi)
        step = pulls - (pulls @ heights) * mean
        length = np.sqrt(max(float(step @ cosines @ step), 0.0))
        if length < _TOLERANCE:
            break
        mean = np.cos(length) * mean + np.sinc(length / np.pi) * step
        mean /= np.sqrt(mean @ cosines @ mean)
    return mean

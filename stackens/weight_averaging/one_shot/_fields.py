"""Random fields: numbers between 0 and 1 whose neighbours along some axes are alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["default_lengths", "factor_of", "uniform_fields"]

# How far from the middle the numbers of a row go, where nothing is known of their margins: evenly
# spread, or most of them near the ends of their range, as in black-and-white pictures.
_CONTRASTS = (1.0, 2.5, 5.0)
_LEVELS = 0.5  # deviation of the level of a row from that of all
_PLACES = 0.6  # deviation of the level of each place along an axis of a row from that of the row
_JITTER = 1e-9  # keeps the factor of a nearly singular covariance real


def default_lengths(n_points: int) -> tuple[float, ...]:
    """Return correlation lengths from none to the whole axis, in steps along it."""
    return (0.0, n_points ** (1 / 3), n_points ** (2 / 3), float(n_points))


@lru_cache(maxsize=64)
def _factor(n_points: int, length: float) -> NDArray[np.float64]:
    """Return the Cholesky factor of a squared-exponential covariance of unit variance."""
    steps = np.arange(n_points)
    covariance = np.exp(-0.5 * ((steps[:, None] - steps) / length) ** 2)
    factor = np.linalg.cholesky(covariance + _JITTER * np.eye(n_points))
    return factor / np.linalg.norm(factor, axis=1, keepdims=True)


def factor_of(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a factor of a matrix of correlations, or of the nearest that is one."""
    values, vectors = np.linalg.eigh(correlations)
    factor = vectors * np.sqrt(np.clip(values, _JITTER, None))
    return factor / np.linalg.norm(factor, axis=1, keepdims=True)


def uniform_fields(
    n: int,
    shape: tuple[int, ...],
    lengths: Mapping[int, tuple[float, ...]],
    rng: np.random.Generator,
    *,
    factors: Mapping[int, NDArray[np.float64]] = MappingProxyType({}),
    any_margins: bool = False,
) -> NDArray[np.float64]:
    """Draw numbers in (0, 1) that are random but smooth.

    Each row has, for each smooth axis, a correlation length of its own: rows that are flat, bumpy
    and noisy.

    Parameters
    ----------
    n : int
        How many rows.
    shape : tuple of int
        Of a row.
    lengths : mapping of int to tuple of float
        From an axis of the row (0 is the first) to correlation lengths, in steps, one of which
        each row takes at random. 0 is none: neighbours are independent.
    rng : numpy Generator
    factors : mapping of int to array, default={}
        From an axis of the row to a factor of the correlations along it, for all rows.
    any_margins : bool, default=False
        Whether rows also have a contrast of their own, and levels, for the whole and for each
        place along each of several axes: grey rows, bright ones, black-and-white ones, and such
        with a dark margin. Otherwise the numbers at each place are uniform over rows.

    Returns
    -------
    array of shape (n, *shape)
    """
    fields = rng.standard_normal((n, *shape))
    for axis, choices in lengths.items():
        chosen = rng.integers(len(choices), size=n)
        for k, length in enumerate(choices):
            rows = chosen == k
            if length > 0 and shape[axis] > 1:
                along = np.moveaxis(fields[rows], axis + 1, -1) @ _factor(shape[axis], length).T
                fields[rows] = np.moveaxis(along, -1, axis + 1)
    for axis, factor in factors.items():
        fields = np.moveaxis(np.moveaxis(fields, axis + 1, -1) @ factor.T, -1, axis + 1)
    if any_margins:
        per_row = (n,) + (1,) * len(shape)
        fields += _LEVELS * rng.standard_normal(per_row)
        for axis in range(len(shape)) if len(shape) > 1 else ():
            places = (n, *(m if i == axis else 1 for i, m in enumerate(shape)))
            fields += _PLACES * rng.standard_normal(places)
        fields *= rng.choice(_CONTRASTS, size=per_row)
    return ndtr(fields)

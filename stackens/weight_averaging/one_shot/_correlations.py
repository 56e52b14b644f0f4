"""How far the numbers of a row are alike: the statistics behind a declared schema."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["alike_axes", "axis_correlations", "correlation_length", "places_differ"]

_ALIKE = 0.3  # correlation of neighbours from which an axis is smooth
_MOST_ALIKE = 0.9999  # of which a length is finite
_LONGEST = 64  # axis of which a matrix of correlations is still small
_ENOUGH = 2_000_000  # numbers to tell correlations from
_APART = 0.05  # share of the variance that lies between places
_FEWEST = 100  # rows: of fewer, quantiles at each place would nearly be the rows themselves
_MOST_PLACES = 1024  # numbers of a row that may have quantiles of their own

Rows = NDArray[np.float64]


def correlation_length(rows: Rows, axes: tuple[int, ...]) -> float:
    """Return the length at which a squared-exponential field is as alike as neighbours here."""
    over = (0, *(axis + 1 for axis in range(rows.ndim - 2) if axis in axes))
    alike = [value for axis, value in _alike(rows, over).items() if axis in axes]
    mean = float(np.clip(np.mean(alike), 0.0, _MOST_ALIKE)) if alike else 0.0
    return float(np.sqrt(-0.5 / np.log(mean))) if mean > 0.05 else 0.0


def alike_axes(rows: Rows) -> tuple[int, ...]:
    """Return the axes along which neighbours are alike over rows; if none, all but the last.

    One length is declared for all of them: what is alike over less than half of the longest, as
    features beside time are, is left out. The columns of a table are in any order: rows with one
    axis have none.
    """
    if rows.ndim == 2:
        return ()
    alike = _alike(rows, (0,))
    most = float(np.clip(max(alike.values(), default=0.0), 0.0, _MOST_ALIKE))
    least = max(_ALIKE, most**4)  # of a squared-exponential field at half the length
    found = tuple(axis for axis, value in alike.items() if value >= least)
    return found or tuple(range(rows.ndim - 2))


def places_differ(rows: Rows, over: tuple[int, ...]) -> bool:
    """Return whether places along smooth axes have levels of their own, as pixels of digits do.

    Parameters
    ----------
    rows : array of shape (n, *shape)
    over : tuple of int
        Axes of ``rows`` that share their quantiles otherwise.
    """
    if len(rows) < _FEWEST or rows[0].size > _MOST_PLACES or over == (0,):
        return False
    total = rows.var(axis=over)
    between = rows.mean(axis=0, keepdims=True).var(axis=over)
    changing = total > 0
    return bool(changing.any() and (between[changing] / total[changing]).mean() > _APART)


def axis_correlations(rows: Rows, over: tuple[int, ...]) -> list[Rows | None]:
    """Return for each axis how far the numbers along it go together, None for long ones.

    They are correlations of normal scores, so that neither outliers nor units count, and shrink
    towards none where rows are few.

    Parameters
    ----------
    rows : array of shape (n, *shape)
    over : tuple of int
        Axes of ``rows`` over which numbers are ranked together.

    Returns
    -------
    list of array of shape (length, length), or None
    """
    shape = rows.shape[1:]
    short = [1 < length <= _LONGEST for length in shape]
    if not any(short):
        return [None] * len(shape)
    rows = rows[:: -(-rows.size // _ENOUGH)]
    groups = np.moveaxis(rows, over, range(len(over)))
    flat = groups.reshape(int(np.prod(groups.shape[: len(over)])), -1)
    scores = ndtri((rankdata(flat, axis=0) - 0.5) / len(flat)).reshape(groups.shape)
    scores = np.moveaxis(scores, range(len(over)), over)
    scores = scores - scores.mean(axis=0)
    deviations = scores.std(axis=0)
    scores /= np.where(deviations > 0, deviations, 1.0)
    found: list[Rows | None] = []
    for axis, length in enumerate(shape, start=1):
        if not short[axis - 1]:
            found.append(None)
            continue
        along = np.moveaxis(scores, axis, -1).reshape(-1, length)
        products = along.T @ along
        norms = np.sqrt(np.diag(products))
        norms[norms == 0] = np.inf  # what never changes goes with nothing
        kept = len(along) / (len(along) + length)
        matrix = kept * products / norms / norms[:, None]
        np.fill_diagonal(matrix, 1.0)
        found.append(matrix.round(3))
    return found


def _alike(rows: Rows, over: tuple[int, ...]) -> dict[int, float]:
    """Return, for each axis, the correlation of neighbours along it, standardised over axes."""
    centred = rows - rows.mean(axis=over, keepdims=True)
    deviations = centred.std(axis=over, keepdims=True)
    scaled = centred / np.where(deviations > 0, deviations, 1.0)
    spread = float(np.mean(scaled**2)) or 1.0  # below 1 where some numbers never change
    return {
        axis: float(
            np.mean(
                np.take(scaled, range(n - 1), axis + 1) * np.take(scaled, range(1, n), axis + 1)
            )
        )
        / spread
        for axis in range(rows.ndim - 1)
        if (n := rows.shape[axis + 1]) > 1
    }

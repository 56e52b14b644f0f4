"""Drops made rows that lie farther from the real ones than these lie from each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens._core._rows import n_rows, take_rows
from stackens.distillation.extra_rows._metric import RowSpace, nearest, nearest_others
from stackens.distillation.extra_rows._source_table import bounded_sample

__all__ = ["keep_near"]


def keep_near(
    X_new: Any,
    X: Any,
    *,
    quantile: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> Any:
    """Keep the new rows that are as near to a real row as most real rows are to their nearest.

    A row is kept if its distance to the nearest real row is at most the given quantile of the
    real rows' distances to their nearest neighbours, where exact copies are no neighbours.
    Numbers are standardised, levels that differ count 1. Of more than 20,000 real rows a random
    part is looked at.

    Parameters
    ----------
    X_new : as X, of shape (n_new, n_features)
    X : DataFrame (pandas or polars) or array of shape (n_samples, n_features)
        Real rows.
    quantile : float, default=0.95
        From 0 to 1; 1 allows the largest distance that occurs.
    random_state : int, Generator or None, default=None
        Seed of the random part of a large X.

    Returns
    -------
    X_kept : as X_new, of shape (n_kept, n_features)
        In the same order; possibly no row at all.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.distillation.extra_rows import keep_near
    >>> keep_near(np.array([[0.5], [40.0], [2.5]]), np.array([[0.0], [1.0], [2.0], [3.0]]))
    array([[0.5],
           [2.5]])
    """
    if not 0.0 <= quantile <= 1.0:
        raise ValueError(
            f"The quantile of distances must be between 0 and 1. Got {quantile!r} instead. "
            "Use 0.95 to drop what is farther out than 95% of the real rows."
        )
    if n_rows(X_new) == 0:
        return X_new
    real = bounded_sample(X, np.random.default_rng(random_state))
    space = RowSpace(real)
    points = space.points(real)
    apart, _ = nearest_others(points, np.arange(len(points)))
    away, _ = nearest(points, space.points(X_new), 1)
    near = away[:, 0] <= np.quantile(apart, quantile)
    return take_rows(X_new, np.flatnonzero(near))

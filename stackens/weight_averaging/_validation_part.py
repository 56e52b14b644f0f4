"""The rows on which weights are chosen, set aside before anything is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from stackens._core._rows import n_rows
from stackens._core._task import Task

__all__ = ["validation_part"]


def validation_part(
    X: Any,
    y: Any,
    task: Task,
    fraction: float,
    *,
    sample_weight: NDArray | None = None,
    random_state: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide rows into a training part and a validation part.

    Of every ``1 / fraction`` neighbours in the order of the target one is set aside, so that
    classes and the range of a numeric target are in both parts alike. Which one it is depends on
    the seed and on what is in the rows, not on where they stand: copies of a row are never on both
    sides, and weights do the same as repeated rows. Rows of weight zero are in neither part.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    task : Task
    fraction : float
        Share of the distinct rows to set aside, above 0 and at most 0.5.
    sample_weight : array of shape (n_samples,) or None, default=None
    random_state : int or None, default=None
        Seed; None means 0.

    Returns
    -------
    training, validation : arrays of row numbers

    Raises
    ------
    ValueError
        If there are not two distinct rows that can be divided.
    """
    target = np.asarray(task.encode(y), dtype=np.float64)
    keys = _row_keys(X, target)
    counted = np.ones(len(keys), bool) if sample_weight is None else sample_weight > 0
    rows = np.flatnonzero(counted)
    _, first, copy_of = np.unique(keys[rows], return_index=True, return_inverse=True)
    distinct = rows[first]
    if len(distinct) < 2:
        raise ValueError(
            "There must be at least two distinct rows with a weight, one to train on and one to "
            f"choose weights on. Got {len(distinct)} (n_samples={len(keys)}). Give more rows."
        )
    draws = np.random.RandomState(0 if random_state is None else random_state).randint(
        2**63, size=2, dtype=np.uint64
    )
    shuffle, lot = (_mixed(keys[distinct] ^ draw) for draw in draws)
    leading = target[distinct] if target.ndim == 1 else target[distinct, 0]
    order = np.lexsort((shuffle, leading))
    set_aside = np.zeros(len(distinct), bool)
    for block in np.array_split(order, max(1, round(fraction * len(order)))):
        set_aside[block[np.argmin(lot[block])]] = True
    if task.has_classes:  # a class that would be left out of the training part
        codes = leading.astype(np.int64)
        n_left = np.bincount(codes[~set_aside], minlength=task.n_outputs)
        set_aside &= n_left[codes] > 0
    if not set_aside.any() or set_aside.all():
        raise ValueError(
            "Every class needs two distinct rows, one to train on and one to choose weights on. "
            f"Got {len(distinct)} distinct rows in all. Give more rows."
        )
    held_out = set_aside[copy_of]
    return rows[~held_out], rows[held_out]


def _row_keys(X: Any, target: NDArray) -> NDArray[np.uint64]:
    """Return a number for each row that is the same for rows with the same content.

    Rows with values that cannot be hashed, or with none, are told apart by their place.
    """
    places = np.arange(n_rows(X), dtype=np.uint64)
    if np.shape(X)[1:] == (0,):
        return places
    try:
        keys = _sparse_keys(X) if sparse.issparse(X) else _keys(X)
    except TypeError:
        return places
    return _mixed(keys) ^ _keys(target)


def _keys(values: Any) -> NDArray[np.uint64]:
    frame = values if hasattr(values, "iloc") else pd.DataFrame(np.asarray(values))
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def _sparse_keys(X: Any) -> NDArray[np.uint64]:
    """Add up a number for each entry that is not zero; sums of uint64 wrap around."""
    rows = sparse.csr_matrix(X, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    entries = _mixed(pd.util.hash_array(rows.data) ^ _mixed(rows.indices.astype(np.uint64) + 1))
    totals: NDArray[np.uint64] = np.concatenate(
        [np.zeros(1, np.uint64), np.cumsum(entries, dtype=np.uint64)]
    )
    return np.diff(totals[rows.indptr]).astype(np.uint64)


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits of keys (the finaliser of MurmurHash3), so that their order means nothing."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        keys = (keys ^ (keys >> np.uint64(33))) * np.uint64(factor)
    return keys ^ (keys >> np.uint64(33))

"""Rows as users have them: tables, arrays, tensors, sets of tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stackens._core._rows import as_array, as_features, n_rows
from stackens._core._warning import warn
from stackens.distillation.extra_rows import collect_unlabeled, without_known_rows
from stackens.exceptions import DistillationWarning

__all__ = ["given_mask", "given_rows", "given_unlabeled"]

_CHUNK = 1_000  # rows of a dataset, which may be large images


def given_rows(X: Any) -> Any:
    """Return rows whose parts can be taken: tensors, sets of tensors and Arrow tables are read.

    Raises
    ------
    TypeError
        If X yields rows in an order of its own, as a DataLoader does.
    """
    _refuse_any_order(X)
    if hasattr(X, "detach"):
        X = as_array(X)
    elif _is_dataset(X) or _holds_tensors(X):
        X = _stacked(X, range(len(X)))
    return as_features(X)


def _is_dataset(X: Any) -> bool:
    """Whether X is a map-style dataset of torch, whose rows may come with their labels."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(X, torch.utils.data.Dataset):
        return False
    return not isinstance(X, torch.utils.data.IterableDataset)


def _refuse_any_order(X: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if isinstance(X, torch.utils.data.DataLoader | torch.utils.data.IterableDataset):
        raise TypeError(
            "X must hold its rows in the order of y. Got a "
            f"{type(X).__name__}, which may give them in any order. Pass the dataset itself, such "
            "as loader.dataset, or an array."
        )


def _stacked(X: Any, rows: range) -> np.ndarray:
    """Return rows of a dataset, without their labels, as an array."""
    parts = (X[row] for row in rows)  # some datasets end nowhere when iterated over
    return np.stack([as_array(p[0] if isinstance(p, tuple | list) else p) for p in parts])


def _chunks(X: Any) -> Iterator[np.ndarray]:
    rows = range(len(X))
    return (_stacked(X, rows[start : start + _CHUNK]) for start in rows[::_CHUNK])


def _holds_tensors(X: Any) -> bool:
    if not (hasattr(X, "__getitem__") and hasattr(X, "__len__")) or isinstance(X, Mapping):
        return False
    if hasattr(X, "shape") or hasattr(X, "columns") or not len(X):
        return False
    first = X[0]
    first = first[0] if isinstance(first, tuple | list) and len(first) else first
    return hasattr(first, "detach")


def given_mask(seen: Any, n_samples: int) -> np.ndarray | None:
    """Return the mask of the rows that a teacher was trained on, checked."""
    if seen is None:
        return None
    seen = np.asarray(seen)
    if seen.shape != (n_samples,) or seen.dtype != bool:
        raise ValueError(
            "seen_by_teacher must be a mask with True for each row that the teacher was trained "
            f"on. Got {seen.dtype} values of shape {seen.shape} for {n_samples} rows. Pass a "
            "boolean array."
        )
    return seen


def given_unlabeled(
    source: Any, X: Any, max_rows: int, random_state: int | None, verbose: int
) -> Any:
    """Return rows without a label as `X` has its rows, without those of `X`; None without any."""
    if source is None:
        return None
    if _is_dataset(source):
        source = _chunks(source)
    rows = collect_unlabeled(source, X, max_rows, random_state=random_state, verbose=verbose)
    rows = without_known_rows(rows, X)
    if n_rows(rows):
        return rows
    warn(
        "All rows of X_unlabeled stand in X as well, where the teacher knows their answers, so "
        "none is used. Pass other rows, or leave X_unlabeled out.",
        DistillationWarning,
    )
    return None

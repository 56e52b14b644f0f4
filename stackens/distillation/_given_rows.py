"""Rows as users have them: tables, arrays, tensors, sets of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens._core._rows import as_features

__all__ = ["given_array", "given_rows"]


def given_rows(X: Any) -> Any:
    """Return rows whose parts can be taken: tensors and sets of tensors become arrays."""
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    elif hasattr(X, "__getitem__") and hasattr(X, "__len__") and _holds_tensors(X):
        X = np.stack([given_array(row[0] if isinstance(row, tuple | list) else row) for row in X])
    return as_features(X)


def _holds_tensors(X: Any) -> bool:
    if hasattr(X, "shape") or hasattr(X, "columns") or not len(X):
        return False
    first = X[0]
    first = first[0] if isinstance(first, tuple | list) and len(first) else first
    return hasattr(first, "detach")


def given_array(values: Any) -> np.ndarray:
    """Return an array of whatever has values, tensors on any device included."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)

"""Rows of whatever holds data: arrays, sparse matrices, pandas and polars frames, lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from stackens._core._sklearn import safe_indexing

__all__ = ["as_features", "is_frame", "is_sized_like", "n_rows", "take_rows"]


def is_frame(X: Any) -> bool:
    """Whether X is a DataFrame of any library (it has named columns), without importing one."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def n_rows(X: Any) -> int:
    """Return the number of rows."""
    if not hasattr(X, "shape") and not hasattr(X, "__len__"):
        X = np.asarray(X)  # objects that only know how to become an array
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


def is_sized_like(value: Any, n_samples: int) -> bool:
    """Whether a value has one entry for each row, so that it is cut along with the rows."""
    if isinstance(value, str | bytes | dict) or not (
        hasattr(value, "shape") or hasattr(value, "__len__")
    ):
        return False
    if getattr(value, "shape", None) == ():
        return False
    return n_rows(value) == n_samples


def take_rows(X: Any, index: np.ndarray) -> Any:
    """Return these rows of X in a container of the same kind.

    Parameters
    ----------
    X : ndarray, sparse matrix, DataFrame, Series or list
    index : ndarray of int, or of bool with one entry for each row
    """
    if isinstance(X, np.ndarray):
        return X[index]
    if index.dtype == bool:
        index = np.flatnonzero(index)
    return safe_indexing(X, index)


def as_features(X: Any) -> Any:
    """Return X in a form whose rows can be taken, leaving frames and arrays untouched.

    Lists of rows become arrays and sparse formats without row access become CSR. Values are
    not checked: base models accept different things (text, missing values) and say so.
    A 1-D container of texts or dicts is kept, for base models that begin with a vectoriser.
    """
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(
            f"X must hold its rows in memory. Got a {type(X).__name__}. Pass X.collect()."
        )
    if is_frame(X):
        return X
    if sparse.issparse(X):
        return X if X.format in ("csr", "csc") else X.tocsr()
    if isinstance(X, np.ndarray) and X.ndim >= 2 and X.dtype.kind in "fiubOUS":
        return X
    X = X if isinstance(X, list | tuple) or hasattr(X, "ndim") else np.asarray(X)
    # The first entry tells: making an array of long texts to see its shape could fill the memory.
    if getattr(X, "ndim", 1) == 1 and n_rows(X) and isinstance(next(iter(X)), str | dict):
        return X
    return check_array(X, dtype=None, ensure_all_finite=False, allow_nd=True)

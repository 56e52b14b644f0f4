"""Rows of whatever holds data: arrays, sparse matrices, pandas and polars frames, lists."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from stackens._core._sklearn import safe_indexing

__all__ = [
    "arrow_frame",
    "as_array",
    "as_features",
    "check_columns",
    "check_same_rows",
    "is_arrow",
    "is_frame",
    "is_sized_like",
    "n_rows",
    "take_rows",
]


def is_frame(X: Any) -> bool:
    """Whether X is a DataFrame of any library (it has named columns), without importing one."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def is_arrow(X: Any) -> bool:
    """Whether X is a table of Arrow, without importing it: what it holds is read as a frame."""
    return hasattr(X, "column_names") and hasattr(X, "to_pandas")


def arrow_frame(X: Any) -> Any:
    """Return a table of Arrow as a pandas frame.

    Raises
    ------
    TypeError
        If a column holds what pandas has no type for.
    """
    try:
        return X.to_pandas()
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"The columns of X must have types that pandas knows. Got a {type(X).__name__} with "
            f"{[str(kind) for kind in X.schema.types]}, and {error}. Spread nested values over "
            "several columns, or leave them out."
        ) from error


def as_array(values: Any) -> np.ndarray:
    """Return an array of whatever has values, tensors on any device included."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    values = values.detach().cpu()
    # numpy has no bfloat16
    return np.asarray(values.float() if str(values.dtype) == "torch.bfloat16" else values)


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

    Lists of rows become arrays, tables of Arrow become pandas frames, and sparse formats without
    row access become CSR. Values are not checked: base models accept different things (text,
    missing values) and say so.
    A 1-D container of texts or dicts is kept, for base models that begin with a vectoriser.
    """
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(
            f"X must hold its rows in memory. Got a {type(X).__name__}. Pass X.collect()."
        )
    if is_arrow(X):
        return arrow_frame(X)
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
    checked = check_array(X, dtype=None, ensure_all_finite=False, allow_nd=True)
    if checked.dtype.kind in "US" and not hasattr(X, "dtype"):
        # In a list, numbers that stand beside text would come out as text.
        return check_array(X, dtype=object, ensure_all_finite=False, allow_nd=True)
    return checked


def _has_rows(part: Any) -> bool:
    """Whether a part is more than a single value."""
    if isinstance(part, str | bytes | dict):
        return False
    shape = getattr(part, "shape", None)
    if shape is None:
        return hasattr(part, "__len__") or np.asarray(part).ndim > 0
    return len(shape) > 0


def check_same_rows(**parts: Any) -> None:
    """Raise unless all parts have one entry for each row; those that are None are not asked.

    Parameters
    ----------
    **parts : array-like or None
        The first is what the others belong to, usually X.

    Raises
    ------
    ValueError
        If there is no row, a part is a single value, or the numbers of rows differ.
    """
    given = {name: part for name, part in parts.items() if part is not None}
    for name, part in given.items():
        if not _has_rows(part):
            raise ValueError(
                f"{name} must hold one entry for each row. Got {part!r:.100}. Pass an array, a "
                "list or a Series."
            )
    lengths = {name: n_rows(part) for name, part in given.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{', '.join(lengths)} must have the same number of rows. Got inconsistent numbers of "
            f"samples: {lengths}. Pass what belongs to the same rows."
        )
    if 0 in lengths.values():
        raise ValueError(
            f"{next(iter(lengths))} must have at least one row. Got 0 sample(s) while a minimum "
            "of 1 is required. Check how the rows were selected."
        )


def check_columns(X: Any) -> None:
    """Raise on a table without columns, and on a frame in which two have the same name."""
    shape: tuple[int, ...] = getattr(X, "shape", None) or ()
    if len(shape) == 2 and shape[1] == 0:
        raise ValueError(
            f"X must have at least one column. Got 0 feature(s) (shape={shape}) while a "
            "minimum of 1 is required. Check how the columns were selected."
        )
    repeated = [name for name, n in Counter(X.columns).items() if n > 1] if is_frame(X) else []
    if repeated:
        raise ValueError(
            f"The columns of X must have different names. Got {repeated[:20]} more than once. "
            "Rename them, or keep one of each."
        )

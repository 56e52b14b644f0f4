"""Brings unlabeled rows into the form of the rows that models were fitted on."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._rows import as_array, as_features, is_frame
from stackens.distillation.extra_rows._cast import cast_array, cast_pandas, cast_polars
from stackens.preprocessing._reading import is_polars

__all__ = ["aligned", "is_table"]


def is_table(source: Any, like: Any) -> bool:
    """Whether a source of rows is a table in memory, rather than something that yields chunks."""
    if (
        is_frame(source)
        or sparse.issparse(source)
        or isinstance(source, np.ndarray | pd.Series)
        or hasattr(source, "to_pandas")
        or hasattr(source, "detach")  # tensors
    ):
        return True
    if not isinstance(source, list | tuple) or len(source) == 0:
        return False
    first = source[0]
    # a list of arrays of one dimension less is a list of rows
    is_chunk = is_frame(first) or hasattr(first, "to_pandas") or sparse.issparse(first)
    return not is_chunk and _ndim(first) < getattr(like, "ndim", 1)


def aligned(chunk: Any, like: Any, name: str) -> Any:
    """Return a chunk of rows as a container like `like`, with its columns and types.

    Parameters
    ----------
    chunk : DataFrame, array, sparse matrix, tensor, list, or anything with ``to_pandas()``
    like : as :func:`stackens._core._rows.as_features` returns
    name : str
        What to call the chunk in an error.

    Raises
    ------
    ValueError
        If columns or shapes differ, or values cannot be of the type of their column.
    TypeError
        If the chunk is of another kind.
    """
    if hasattr(chunk, "to_pandas") and not is_polars(chunk):
        chunk = chunk.to_pandas()
    if is_frame(like):
        if not is_frame(chunk):
            raise TypeError(
                f"{name} must be a DataFrame, as X is. Got {type(chunk).__name__}. Give it the "
                "column names of X."
            )
        return _aligned_frame(chunk, like, name)
    if sparse.issparse(like):
        chunk = chunk if sparse.issparse(chunk) else _dense(chunk, name)
        _check_shape(chunk, like, name)
        return type(like)(chunk).tocsr()
    if isinstance(like, np.ndarray):
        chunk = _dense(chunk, name)
        _check_shape(chunk, like, name)
        return cast_array(chunk, like.dtype, name)
    if _ndim(chunk) == 0 or not hasattr(chunk, "__len__"):
        raise TypeError(
            f"{name} must be a list of {type(like[0]).__name__}, as X is. Got "
            f"{type(chunk).__name__}. Pass a list of rows."
        )
    return list(chunk)


def _ndim(X: Any) -> int:
    """Count dimensions, of lists by their first entries."""
    if hasattr(X, "ndim"):
        return int(X.ndim)
    return 1 + _ndim(X[0]) if isinstance(X, list | tuple) and len(X) else 0


def _dense(chunk: Any, name: str) -> np.ndarray:
    if sparse.issparse(chunk):
        return chunk.toarray()
    if is_frame(chunk):
        return chunk.to_numpy()
    if isinstance(chunk, np.ndarray) or hasattr(chunk, "detach"):
        return as_array(chunk)
    if _ndim(chunk) == 0:
        raise TypeError(
            f"{name} must be an array, as X is. Got {type(chunk).__name__}. Pass chunks of rows."
        )
    return np.asarray(as_features(chunk))


def _check_shape(chunk: Any, like: Any, name: str) -> None:
    if tuple(chunk.shape[1:]) != tuple(like.shape[1:]) or len(chunk.shape) != len(like.shape):
        wanted = ", ".join(["n_rows", *map(str, like.shape[1:])])
        raise ValueError(
            f"{name} must be of shape ({wanted}), as X is. Got {tuple(chunk.shape)}. Leave out "
            "labels and identifiers, and give single rows a first dimension of 1."
        )


# ------------------------------------------------------------------ frames


def _aligned_frame(chunk: Any, like: Any, name: str) -> Any:
    columns, wanted = list(chunk.columns), list(like.columns)
    missing = [c for c in wanted if c not in columns]
    extra = [c for c in columns if c not in wanted]
    if missing or extra or len(columns) != len(wanted):
        found = [f"without {missing}"] * bool(missing) + [f"with {extra}"] * bool(extra)
        got = " and ".join(found) or f"some of them more than once: {columns}"
        raise ValueError(
            f"{name} must have the columns of X, in any order. Got it {got}. Select them with "
            "chunk[list(X.columns)], and add what is missing."
        )
    if is_polars(like):
        polars = sys.modules["polars"]
        chunk = chunk if is_polars(chunk) else polars.from_pandas(chunk)
        return polars.DataFrame(
            [cast_polars(chunk[c], like[c], f"Column {c!r} of {name}") for c in wanted]
        )
    chunk = (chunk.to_pandas() if is_polars(chunk) else chunk).reset_index(drop=True)
    frame = pd.DataFrame(
        {
            position: cast_pandas(chunk[c], like[c], f"Column {c!r} of {name}")
            for position, c in enumerate(wanted)
        }
    )
    frame.columns = like.columns
    return frame

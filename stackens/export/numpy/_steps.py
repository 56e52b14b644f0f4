"""Steps on many rows at once, with numpy.

The text of what a program needs of this file is put into exported files. What a single
expression of numpy says is written there directly.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "count_edges",
    "error_function",
    "interpolate_rows",
    "lookup",
    "ramp_sums",
    "reduce_columns",
    "round_to_single",
    "side_by_side",
    "softmax_rows",
    "softplus_of",
    "unpack",
]


def unpack(dtype: str, shape: Sequence[int], text: str, in_planes: bool = False) -> np.ndarray:
    """Read an array from compressed bytes, written in base64.

    Planes hold the first bytes of all numbers, then the second ones, and so on.
    """
    data = zlib.decompress(base64.b64decode(text))
    if in_planes:
        data = np.frombuffer(data, np.uint8).reshape(np.dtype(dtype).itemsize, -1).T.tobytes()
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def lookup(values: np.ndarray, places: dict[Any, int], rows: np.ndarray) -> np.ndarray:
    """Take the row of each value: the last but one for a missing value, the last for others."""
    missing, unknown = len(rows) - 2, len(rows) - 1
    found = [
        missing if value is None or value != value else places.get(value, unknown)
        for value in values.tolist()
    ]
    return rows[np.array(found, dtype=np.intp)]


def side_by_side(parts: Sequence[np.ndarray], n_rows: int) -> np.ndarray:
    """Put matrices side by side, some of which may be one row that stands for all."""
    return np.hstack([np.broadcast_to(part, (n_rows, part.shape[1])) for part in parts])


def round_to_single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32).astype(np.float64)


def softplus_of(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def error_function(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(value) for value in x.ravel().tolist()]).reshape(x.shape)


def reduce_columns(combine: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Combine the columns of each row, from left to right."""
    total = x[:, :1]
    for j in range(1, x.shape[1]):
        total = combine(total, x[:, j : j + 1])
    return total


def ramp_sums(
    x: np.ndarray, column: np.ndarray, left: np.ndarray, slope: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Add ramps of the columns of a row, or of rows, each times its row of weights."""
    shares = x.take(column, axis=-1)
    shares -= left
    shares *= slope
    shares.clip(0.0, 1.0, out=shares)
    return shares @ weights


def softmax_rows(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def count_edges(x: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    counts = np.searchsorted(edges, x, side="right").astype(np.float64)
    return np.where(np.isnan(x), np.nan, counts)


def interpolate_rows(x: np.ndarray, knots: Sequence[float], y: Sequence[float]) -> np.ndarray:
    return np.where(np.isnan(x), np.nan, np.interp(x, knots, y))

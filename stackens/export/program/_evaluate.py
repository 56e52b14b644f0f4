"""Runs a program with numpy: the meaning of every node, and the yardstick for every target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackens.export.program._nodes import (
    Argmax,
    Arithmetic,
    Choose,
    Concatenate,
    Constant,
    Count,
    Dense,
    Elementwise,
    Interpolate,
    Lookup,
    Node,
    Numbers,
    Reduce,
    Select,
    Softmax,
    Sort,
    WeightedSum,
)
from stackens.export.program._program import Program
from stackens.export.program._ramps import Ramps
from stackens.export.program._trees import Trees

__all__ = ["evaluate"]


def evaluate(
    program: Program, columns: Sequence[np.ndarray], nodes: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Run a program.

    Parameters
    ----------
    program : Program
    columns : sequence of arrays of shape (n_samples,)
        One for each of the program's columns: float64 with NaN for missing values, or for
        categories objects that are text or None.
    nodes : sequence of int, default=None
        Positions of the nodes whose matrices are wanted. None: the output alone.

    Returns
    -------
    list of float64 arrays of shape (n_samples, width)
    """
    wanted = [program.output] if nodes is None else list(nodes)
    n_rows = len(columns[0])
    needed = program.needed_for(wanted)
    last_use = {source: i for i in needed for source in program.nodes[i].sources}
    matrices: dict[int, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for i in needed:
            node = program.nodes[i]
            inputs = {source: matrices[source] for source in node.sources}
            matrices[i] = _STEPS[type(node)](node, inputs, columns, n_rows)
            for source in inputs:
                if last_use[source] == i and source not in wanted:
                    del matrices[source]
    return [matrices[i] for i in wanted]


# A step gets its node, the matrices of the node's sources by position, the columns, n_samples.
_Matrices = dict[int, np.ndarray]


def _numbers(node: Numbers, _: _Matrices, columns: Sequence[np.ndarray], n: int) -> np.ndarray:
    out = np.empty((n, node.width))
    for j, column in enumerate(node.columns):
        out[:, j] = columns[column]
    return out


def _lookup(node: Lookup, _: _Matrices, columns: Sequence[np.ndarray], n: int) -> np.ndarray:
    keys = node.keys.tolist() if isinstance(node.keys, np.ndarray) else node.keys
    rows = np.vstack([node.values, node.missing, node.unknown])
    place: dict[Any, int] = {key: i for i, key in enumerate(keys)}
    missing, unknown = len(keys), len(keys) + 1
    places = [
        missing if value is None or value != value else place.get(value, unknown)
        for value in columns[node.column].tolist()
    ]
    return rows[np.array(places, dtype=np.intp)]


def _constant(node: Constant, _: _Matrices, columns: Any, n: int) -> np.ndarray:
    return np.tile(node.values, (n, 1))


def _select(node: Select, inputs: _Matrices, *_: Any) -> np.ndarray:
    return inputs[node.source][:, node.columns]


def _concatenate(node: Concatenate, inputs: _Matrices, *_: Any) -> np.ndarray:
    return np.hstack([inputs[part] for part in node.parts])


def _round_single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32).astype(np.float64)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


_ELEMENTWISE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "absolute": np.abs,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "exp": np.exp,
    "floor": np.floor,
    "is_finite": np.isfinite,
    "is_missing": np.isnan,
    "log": np.log,
    "negative": np.negative,
    "round_single": _round_single,
    "sigmoid": _sigmoid,
    "sign": np.sign,
    "softplus": _softplus,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "truncate": np.trunc,
}

_ARITHMETIC: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
}


def _elementwise(node: Elementwise, inputs: _Matrices, *_: Any) -> np.ndarray:
    return _ELEMENTWISE[node.function](inputs[node.source]).astype(np.float64, copy=False)


def _arithmetic(node: Arithmetic, inputs: _Matrices, *_: Any) -> np.ndarray:
    answer = _ARITHMETIC[node.function](inputs[node.left], inputs[node.right])
    return answer.astype(np.float64, copy=False)


def _choose(node: Choose, inputs: _Matrices, *_: Any) -> np.ndarray:
    return np.where(inputs[node.condition] != 0, inputs[node.yes], inputs[node.no])


def _reduce(node: Reduce, inputs: _Matrices, *_: Any) -> np.ndarray:
    x = inputs[node.source]
    total = x[:, :1].copy()
    combine = {"sum": np.add, "maximum": np.maximum, "minimum": np.minimum}[node.function]
    for j in range(1, x.shape[1]):
        total = combine(total, x[:, j : j + 1])
    return total


def _weighted_sum(node: WeightedSum, inputs: _Matrices, *_: Any) -> np.ndarray:
    total = inputs[node.parts[0]] * node.weights[0]
    for part, weight in zip(node.parts[1:], node.weights[1:], strict=True):
        total = total + inputs[part] * weight
    return total


def _dense(node: Dense, inputs: _Matrices, *_: Any) -> np.ndarray:
    return inputs[node.source] @ node.weights.astype(np.float64) + node.bias


def _ramps(node: Ramps, inputs: _Matrices, *_: Any) -> np.ndarray:
    into = (inputs[node.source][:, node.column] - node.left) * node.slope
    return np.clip(into, 0.0, 1.0) @ node.weights


def _softmax(node: Softmax, inputs: _Matrices, *_: Any) -> np.ndarray:
    x = inputs[node.source]
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _sort(node: Sort, inputs: _Matrices, *_: Any) -> np.ndarray:
    return np.sort(inputs[node.source], axis=1)


def _argmax(node: Argmax, inputs: _Matrices, *_: Any) -> np.ndarray:
    return inputs[node.source].argmax(axis=1)[:, None].astype(np.float64)


def _interpolate(node: Interpolate, inputs: _Matrices, *_: Any) -> np.ndarray:
    x = inputs[node.source]
    # with a single knot, numpy answers NaN with its height
    return np.where(np.isnan(x), np.nan, np.interp(x, node.x, node.y))


def _count(node: Count, inputs: _Matrices, *_: Any) -> np.ndarray:
    x = inputs[node.source]
    counts = np.searchsorted(node.edges, x, side="right").astype(np.float64)
    return np.where(np.isnan(x), np.nan, counts)


def _trees(node: Trees, inputs: _Matrices, columns: Any, n: int) -> np.ndarray:
    x = inputs[node.source]
    out = np.tile(node.base, (n, 1))
    rows = np.arange(n)
    for root, offset in zip(node.root.tolist(), node.offset.tolist(), strict=True):
        place = np.full(n, root)
        inside = rows if root >= 0 else rows[:0]
        while len(inside):
            place[inside] = _next(node, x, inside, place[inside])
            inside = inside[place[inside] >= 0]
        out[:, offset : offset + node.leaf_width] += node.leaf[-1 - place]
    return out


def _next(node: Trees, x: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Move rows from inner nodes to their children."""
    value = x[rows, node.feature[at]]
    goes_left = value <= node.threshold[at]
    for s in np.unique(node.category_set[at]):
        if s >= 0:
            there = node.category_set[at] == s
            goes_left[there] = np.isin(value[there], node.sets[s])
    missing = np.isnan(value)
    goes_left[missing] = node.missing_left[at[missing]]
    return np.where(goes_left, node.left[at], node.right[at])


_STEPS: dict[type[Node], Callable[..., np.ndarray]] = {
    Argmax: _argmax,
    Arithmetic: _arithmetic,
    Choose: _choose,
    Concatenate: _concatenate,
    Constant: _constant,
    Count: _count,
    Dense: _dense,
    Elementwise: _elementwise,
    Interpolate: _interpolate,
    Lookup: _lookup,
    Numbers: _numbers,
    Ramps: _ramps,
    Reduce: _reduce,
    Select: _select,
    Softmax: _softmax,
    Sort: _sort,
    Trees: _trees,
    WeightedSum: _weighted_sum,
}

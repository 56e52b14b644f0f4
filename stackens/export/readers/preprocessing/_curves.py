"""Reads transformers that bend each number: functions, powers, quantiles and bins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import read_transform, reads_transformer
from stackens.export.readers._table import ComputedColumn, Table
from stackens.export.readers.preprocessing._functions import (
    expm1,
    log1p,
    normal_quantile,
)
from stackens.export.readers.preprocessing._refusal import refuse_infinite, refuse_not_finite

__all__: list[str] = []


def _plain(name: str) -> Callable[[Graph, int], int]:
    return lambda graph, x: graph.elementwise(name, x)


def _ceil(graph: Graph, x: int) -> int:
    down = graph.elementwise("floor", graph.elementwise("negative", x))
    return graph.elementwise("negative", down)


def _cbrt(graph: Graph, x: int) -> int:
    """Take the power 1/3, whose rounding error grows with x, and correct it by one Newton step."""
    size = graph.elementwise("absolute", x)
    root = graph.arithmetic("power", size, graph.constant(1 / 3))
    square = graph.arithmetic("multiply", root, root)
    other = graph.arithmetic("divide", size, square)
    step = graph.over(graph.arithmetic("subtract", root, other), 3.0)
    better = graph.arithmetic("subtract", root, step)
    # 0 / 0 and inf / inf
    root = graph.choose(graph.elementwise("is_finite", step), better, root)
    whole = _rounded(graph, root)
    cube = graph.arithmetic("multiply", graph.arithmetic("multiply", whole, whole), whole)
    root = graph.choose(graph.arithmetic("equal", cube, size), whole, root)
    return graph.arithmetic("multiply", graph.elementwise("sign", x), root)


def _log_of_base(base: float) -> Callable[[Graph, int], int]:
    """Divide logarithms, and make those of whole powers whole, as numpy's are."""

    def log(graph: Graph, x: int) -> int:
        y = graph.over(graph.elementwise("log", x), float(np.log(base)))
        whole = _rounded(graph, y)
        power = graph.arithmetic("power", graph.constant(base), whole)
        return graph.choose(graph.arithmetic("equal", power, x), whole, y)

    return log


def _rounded(graph: Graph, x: int) -> int:
    return graph.elementwise("floor", graph.plus(x, 0.5))


def _logit(graph: Graph, p: int) -> int:
    rest = graph.arithmetic("subtract", graph.constant(1.0), p)
    return graph.elementwise("log", graph.arithmetic("divide", p, rest))


_UFUNCS: dict[Any, Callable[[Graph, int], int]] = {
    np.abs: _plain("absolute"),
    np.cbrt: _cbrt,
    np.ceil: _ceil,
    np.exp: _plain("exp"),
    np.expm1: expm1,
    np.fabs: _plain("absolute"),
    np.floor: _plain("floor"),
    np.isfinite: _plain("is_finite"),
    np.isnan: _plain("is_missing"),
    np.log: _plain("log"),
    np.log10: _log_of_base(10.0),
    np.log1p: log1p,
    np.log2: _log_of_base(2.0),
    np.negative: _plain("negative"),
    np.positive: lambda graph, x: x,
    np.sign: _plain("sign"),
    np.sqrt: _plain("sqrt"),
    np.square: lambda graph, x: graph.arithmetic("multiply", x, x),
    np.tanh: _plain("tanh"),
    np.trunc: _plain("truncate"),
    special.expit: _plain("sigmoid"),
    special.logit: _logit,
}


@reads_transformer("sklearn.FunctionTransformer")
def _function_transformer(transformer: Any, graph: Graph, table: Table) -> Table:
    function = transformer.func
    known = function is None or (isinstance(function, np.ufunc) and function in _UFUNCS)
    if not known or transformer.kw_args:
        names = ", ".join(sorted(ufunc.__name__ for ufunc in _UFUNCS))
        raise ExportError(
            "The function of a FunctionTransformer must be None or one of numpy's that exports "
            f"know, without arguments. Got {function!r:.200} with {transformer.kw_args!r:.100}. "
            f"Use one of {names}, or distil the whole pipeline into a student."
        )
    if transformer.validate:
        refuse_not_finite(graph, table.numbers(graph))
    if function is None:
        return table
    node = _UFUNCS[function](graph, table.numbers(graph))
    return Table.of_node(graph, node).marked(sparse=table.sparse)


# --- powers ---------------------------------------------------------------------------------


@reads_transformer("sklearn.PowerTransformer")
def _power_transformer(transformer: Any, graph: Graph, table: Table) -> Table:
    node = table.numbers(graph)
    refuse_infinite(graph, node)
    bend = {"box-cox": _box_cox, "yeo-johnson": _yeo_johnson}[transformer.method]
    out = Table.of_node(graph, bend(graph, node, np.asarray(transformer.lambdas_, dtype=float)))
    if transformer.standardize:
        return read_transform(transformer._scaler, graph, out)
    return out


def _yeo_johnson(graph: Graph, x: int, powers: np.ndarray) -> int:
    """Bend as :func:`scipy.stats.yeojohnson` does: both sides are one curve of |x|."""
    eps = np.finfo(np.float64).eps
    positive = graph.arithmetic("less_equal", graph.constant(0.0), x)
    above = np.where(np.abs(powers) < eps, 0.0, powers)
    below = np.where(np.abs(powers - 2) > eps, 2 - powers, 0.0)
    height = log1p(graph, graph.elementwise("absolute", x))
    power = graph.choose(positive, graph.constant(above), graph.constant(below))
    grown = expm1(graph, graph.arithmetic("multiply", power, height))
    size = graph.arithmetic("divide", grown, power)
    if np.any(above == 0) or np.any(below == 0):
        straight = graph.arithmetic("equal", power, graph.constant(0.0))
        size = graph.choose(straight, height, size)
    return graph.choose(positive, size, graph.elementwise("negative", size))


def _box_cox(graph: Graph, x: int, powers: np.ndarray) -> int:
    """Bend as :func:`scipy.special.boxcox` does; numbers that are not positive are refused."""
    zero = graph.constant(0.0)
    refused = graph.arithmetic("less_equal", x, zero)
    graph.refuse(graph.choose(refused, graph.constant(np.nan), zero))
    height = graph.elementwise("log", x)
    straight = np.abs(powers) < 1e-19
    if straight.all():
        return height
    power = np.where(straight, 1.0, powers)
    grown = graph.over(expm1(graph, graph.times(height, power)), power)
    if not straight.any():
        return grown
    return graph.choose(graph.constant(straight), height, grown)


# --- quantiles ------------------------------------------------------------------------------

_NEAR_BOUND = 1e-7  # scikit-learn's BOUNDS_THRESHOLD


@reads_transformer("sklearn.QuantileTransformer")
def _quantile_transformer(transformer: Any, graph: Graph, table: Table) -> Table:
    if table.sparse:
        raise ExportError(
            "A QuantileTransformer must read a dense matrix: of a sparse one it leaves the zeros "
            f"as they are. Got {transformer!r:.200} behind a step with sparse output. Use "
            "sparse_output=False or sparse_threshold=0 there."
        )
    node = table.numbers(graph)
    refuse_infinite(graph, node)
    references = np.asarray(transformer.references_, dtype=float)
    all_quantiles = np.asarray(transformer.quantiles_, dtype=float).T
    if np.any(np.diff(all_quantiles, axis=1) == 0):
        _refuse_rounded(transformer, "repeated quantiles", graph, node)
    columns = []
    for j, quantiles in enumerate(all_quantiles):
        x = graph.select(node, [j])
        columns.append(_rank(graph, x, quantiles, references, transformer.output_distribution))
    ranks = graph.concatenate(columns)
    if transformer.output_distribution == "normal":
        least = _NEAR_BOUND - np.spacing(1)
        inside = graph.clip(ranks, least, 1 - least)
        bounds = [float(stats.norm.ppf(p)) for p in (least, 1 - least)]
        ranks = graph.clip(normal_quantile(graph, inside), *bounds)
    return Table.of_node(graph, ranks)


def _rank(
    graph: Graph, x: int, quantiles: np.ndarray, references: np.ndarray, distribution: str
) -> int:
    """Return the rank of a number among the quantiles: 0 and 1 at the ends, and beyond."""
    # of equal quantiles all numbers are at an end or beyond: what is left is NaN
    equal = quantiles[0] == quantiles[-1]
    mean = x if equal else _mean_rank(graph, x, quantiles, references)
    low, high = graph.constant(quantiles[0]), graph.constant(quantiles[-1])
    if distribution == "normal":
        is_low = graph.arithmetic("less", graph.minus(x, _NEAR_BOUND), low)
        is_high = graph.arithmetic("less", high, graph.plus(x, _NEAR_BOUND))
    else:
        is_low = graph.arithmetic("less_equal", x, low)
        is_high = graph.arithmetic("less_equal", high, x)
    mean = graph.choose(is_high, graph.constant(1.0), mean)
    return graph.choose(is_low, graph.constant(0.0), mean)


def _mean_rank(graph: Graph, x: int, quantiles: np.ndarray, references: np.ndarray) -> int:
    """Return the mean of the ranks in rising and in falling order, for equal quantiles."""
    up = _interpolate(graph, x, quantiles, references)
    down = _interpolate(
        graph, graph.elementwise("negative", x), -quantiles[::-1], -references[::-1]
    )
    return graph.times(graph.arithmetic("subtract", up, down), 0.5)


def _interpolate(graph: Graph, x: int, knots: np.ndarray, heights: np.ndarray) -> int:
    """Interpolate as :func:`numpy.interp` does where knots are repeated, too.

    There it jumps: from the left it comes to the first of the equal knots, at them it has the
    height of the last. A knot one double before the jump says so with strictly rising knots.
    Only what it is left of all knots is not kept: the caller answers there.
    """
    first = np.flatnonzero(np.r_[True, knots[1:] != knots[:-1]])
    last = np.r_[first[1:], len(knots)] - 1
    places, values = [knots[0]], [heights[last[0]]]
    for before, start, end in zip(last[:-1], first[1:], last[1:], strict=True):
        x0, x1 = knots[before], knots[start]
        edge = np.nextafter(x1, -np.inf)
        if end > start and edge > x0:
            slope = (heights[start] - heights[before]) / (x1 - x0)
            places.append(edge)
            values.append(heights[before] + (edge - x0) * slope)
        places.append(x1)
        values.append(heights[end])
    return graph.interpolate(x, np.array(places), np.array(values))


_ROUNDED = ("erf", "exp", "log", "sigmoid", "softplus", "tanh")


def _refuse_rounded(transformer: Any, what: str, graph: Graph, node: int) -> None:
    """Refuse to jump at values of the training rows that come from a function such as log.

    Every library rounds such a function in its own way. A last bit that differs would move just
    the values that are most common to the other side of the jump.
    """
    waiting, seen = [node], {node}
    while waiting:
        step = graph[waiting.pop()]
        if getattr(step, "function", None) in (*_ROUNDED, "power"):
            raise ExportError(
                f"{type(transformer).__name__} with {what} must not read what a function such as "
                f"log or exp, or a PowerTransformer, has computed: it jumps at exactly those "
                f"values, and libraries differ in their last bit. Got {transformer!r:.200}. Leave "
                "that function out: the order of the values, which decides here, is the same "
                "without it."
            )
        fresh = [source for source in step.sources if source not in seen]
        seen.update(fresh)
        waiting.extend(fresh)


# --- bins -----------------------------------------------------------------------------------


@reads_transformer("sklearn.KBinsDiscretizer")
def _discretizer(discretizer: Any, graph: Graph, table: Table) -> Table:
    node = table.numbers(graph)
    if discretizer.dtype is not None and np.dtype(discretizer.dtype) == np.float32:
        node = graph.elementwise("round_single", node)
    refuse_not_finite(graph, node)
    if discretizer.strategy == "quantile":
        _refuse_rounded(discretizer, "quantiles as edges", graph, node)
    one_hot = discretizer.encode.startswith("onehot")
    columns: list[ComputedColumn] = []
    for j, edges in enumerate(discretizer.bin_edges_):
        place = _bin(graph, graph.select(node, [j]), np.asarray(edges, dtype=float)[1:-1])
        if one_hot:
            place = graph.one_hot(place, int(discretizer.n_bins_[j]))
        columns.extend(ComputedColumn(place, i) for i in range(graph.width(place)))
    return Table(tuple(columns), sparse=discretizer.encode == "onehot")


def _bin(graph: Graph, x: int, edges: np.ndarray) -> int:
    return graph.count(x, edges) if len(edges) else graph.constant(0.0)

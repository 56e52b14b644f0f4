"""Reads TransformedTargetRegressor: a regressor of a transformed target, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import only_predicts
from stackens.export.readers._registry import (
    Method,
    read_response,
    read_transform,
    reads_model,
)
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._functions import log1p
from stackens.export.readers.preprocessing._refusal import refuse_infinite

__all__: list[str] = []


@reads_model("sklearn.TransformedTargetRegressor")
def _transformed_target(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return _back(model.transformer_, graph, read_response(model.regressor_, graph, table, method))


def _back(transformer: Any, graph: Graph, values: int) -> int:
    """Undo a transformer, as its ``inverse_transform`` does."""
    name = type(transformer).__name__
    if name not in _INVERSES or not type(transformer).__module__.startswith("sklearn."):
        raise ExportError(
            f"The way back from the target's transformer {name} cannot be exported. Got "
            f"{transformer!r:.200}. Use one of {', '.join(_INVERSES)}."
        )
    return _INVERSES[name](transformer, graph, values)


def _standard(transformer: Any, graph: Graph, values: int) -> int:
    refuse_infinite(graph, values)
    if transformer.with_std:
        values = graph.times(values, transformer.scale_)
    return graph.plus(values, transformer.mean_) if transformer.with_mean else values


def _min_max(transformer: Any, graph: Graph, values: int) -> int:
    refuse_infinite(graph, values)
    return graph.over(graph.minus(values, transformer.min_), transformer.scale_)


def _max_abs(transformer: Any, graph: Graph, values: int) -> int:
    refuse_infinite(graph, values)
    return graph.times(values, transformer.scale_)


def _robust(transformer: Any, graph: Graph, values: int) -> int:
    refuse_infinite(graph, values)
    if transformer.with_scaling:
        values = graph.times(values, transformer.scale_)
    return graph.plus(values, transformer.center_) if transformer.with_centering else values


def _function(transformer: Any, graph: Graph, values: int) -> int:
    forward = FunctionTransformer(
        transformer.inverse_func, validate=transformer.validate, kw_args=transformer.inv_kw_args
    )
    return read_transform(forward, graph, Table.of_node(graph, values)).numbers(graph)


def _power(transformer: Any, graph: Graph, values: int) -> int:
    refuse_infinite(graph, values)
    if transformer.standardize:
        values = _standard(transformer._scaler, graph, values)
    undo = {"box-cox": _box_cox, "yeo-johnson": _yeo_johnson}[transformer.method]
    columns = [
        undo(graph, graph.select(values, [j]), float(exponent))
        for j, exponent in enumerate(transformer.lambdas_)
    ]
    return graph.concatenate(columns)


def _box_cox(graph: Graph, x: int, exponent: float) -> int:
    """Box & Cox (1964), eq. 1, solved for y."""
    if exponent == 0:
        return graph.elementwise("exp", x)
    return graph.elementwise("exp", graph.over(log1p(graph, graph.times(x, exponent)), exponent))


def _yeo_johnson(graph: Graph, x: int, exponent: float) -> int:
    """Yeo & Johnson (2000), eq. 2.1, solved for y."""
    if abs(exponent) < np.spacing(1.0):
        above = graph.minus(graph.elementwise("exp", x), 1.0)
    else:
        inner = graph.plus(graph.times(x, exponent), 1.0)
        above = graph.minus(_raised(graph, inner, 1 / exponent), 1.0)
    other = 2 - exponent
    if abs(exponent - 2) > np.spacing(1.0):
        power = _raised(graph, graph.plus(graph.times(x, -other), 1.0), 1 / other)
    else:
        power = graph.elementwise("exp", graph.elementwise("negative", x))
    below = graph.arithmetic("subtract", graph.constant(1.0), power)
    return graph.choose(graph.arithmetic("less_equal", graph.constant(0.0), x), above, below)


def _raised(graph: Graph, x: int, exponent: float) -> int:
    return graph.arithmetic("power", x, graph.constant(exponent))


def _pipeline(transformer: Any, graph: Graph, values: int) -> int:
    for _, step in reversed(transformer.steps):
        if step not in (None, "passthrough"):
            values = _back(step, graph, values)
    return values


_INVERSES: dict[str, Callable[[Any, Graph, int], int]] = {
    "FunctionTransformer": _function,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "Pipeline": _pipeline,
    "PowerTransformer": _power,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
}

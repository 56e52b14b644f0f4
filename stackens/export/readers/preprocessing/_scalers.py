"""Reads transformers that shift and scale numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers, refuse_infinite

__all__ = ["scaled"]


def scaled(
    graph: Graph, node: int, centre: np.ndarray | None, scale: np.ndarray | None, sparse: bool
) -> int:
    """Subtract, then divide, as scikit-learn does; a sparse matrix it multiplies by 1 / scale.

    Parameters
    ----------
    graph : Graph
    node : int
    centre, scale : array of shape (width,) or None
    sparse : bool
    """
    if centre is not None:
        node = graph.minus(node, centre)
    if scale is None:
        return node
    scale = np.asarray(scale, dtype=np.float64)
    return graph.times(node, 1.0 / scale) if sparse else graph.over(node, scale)


@reads_transformer("sklearn.StandardScaler")
def _standard_scaler(scaler: Any, graph: Graph, table: Table) -> Table:
    centre = scaler.mean_ if scaler.with_mean else None
    return _scale(graph, table, centre, scaler.scale_ if scaler.with_std else None)


@reads_transformer("sklearn.RobustScaler")
def _robust_scaler(scaler: Any, graph: Graph, table: Table) -> Table:
    centre = scaler.center_ if scaler.with_centering else None
    return _scale(graph, table, centre, scaler.scale_ if scaler.with_scaling else None)


@reads_transformer("sklearn.MaxAbsScaler")
def _max_abs_scaler(scaler: Any, graph: Graph, table: Table) -> Table:
    out = _scale(graph, table, None, scaler.scale_)
    if not getattr(scaler, "clip", False):
        return out
    node = graph.clip(out.numbers(graph), -1.0, 1.0)
    return Table.of_node(graph, node).marked(sparse=table.sparse)


def _scale(
    graph: Graph, table: Table, centre: np.ndarray | None, scale: np.ndarray | None
) -> Table:
    node = table.numbers(graph)
    refuse_infinite(graph, node)
    node = scaled(graph, node, centre, scale, table.sparse)
    return Table.of_node(graph, node).marked(sparse=table.sparse)


@reads_transformer("sklearn.MinMaxScaler")
def _min_max_scaler(scaler: Any, graph: Graph, table: Table) -> Table:
    node = table.numbers(graph)
    refuse_infinite(graph, node)
    node = graph.plus(graph.times(node, scaler.scale_), scaler.min_)
    if scaler.clip:
        low, high = scaler.feature_range
        node = graph.clip(node, float(low), float(high))
    return Table.of_node(graph, node)


@reads_transformer("sklearn.Binarizer")
def _binarizer(binarizer: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    above = graph.arithmetic("less", graph.constant(float(binarizer.threshold)), node)
    return Table.of_node(graph, above).marked(sparse=table.sparse)


@reads_transformer("sklearn.Normalizer")
def _normalizer(normalizer: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    if normalizer.norm == "l2":
        total = graph.reduce("sum", graph.arithmetic("multiply", node, node))
        norm = graph.elementwise("sqrt", total)
    else:
        size = graph.elementwise("absolute", node)
        norm = graph.reduce("sum" if normalizer.norm == "l1" else "maximum", size)
    # scikit-learn leaves rows of zeros as they are, and dense ones that are nearly so
    least = np.nextafter(0.0, 1.0) if table.sparse else 10 * np.finfo(np.float64).eps
    tiny = graph.arithmetic("less", norm, graph.constant(least))
    divisor = graph.choose(tiny, graph.constant(1.0), norm)
    out = graph.arithmetic("divide", node, divisor)
    return Table.of_node(graph, out).marked(sparse=table.sparse)

"""Reads the networks of stackens: an input layer for tables, and a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeGuard

import numpy as np

from stackens.export.program import Graph, Lookup
from stackens.export.readers._answers import answer_of_probabilities, only_predicts
from stackens.export.readers._registry import Method, read_transform, reads_model
from stackens.export.readers._table import Column, ComputedColumn, Table
from stackens.export.readers.models._torch_layers import array_of, read_torch_module

__all__ = ["read_tabular_network"]


@reads_model("stackens.TorchMLPClassifier")
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    encoded = read_transform(model.encoder_, graph, table)
    logits = read_tabular_network(model.module_, graph, encoded)
    if method == "predict":
        return graph.argmax(logits)
    return answer_of_probabilities(model, graph, method, graph.softmax(logits))


@reads_model("stackens.TorchMLPRegressor")
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    encoded = read_transform(model.encoder_, graph, table)
    values = read_tabular_network(model.module_, graph, encoded)
    return graph.plus(graph.times(values, model.target_scale_), model.target_mean_)


def read_tabular_network(network: Any, graph: Graph, table: Table) -> int:
    """Read the network inside a tabular estimator, from the table that its encoder gives.

    Parameters
    ----------
    network : TabularNetwork
    graph : Graph
    table : Table
        As encoded, in double precision; the network reads it in single precision.

    Returns
    -------
    int
        Node of the outputs.
    """
    first, *others = deepcopy(network.layers).double()  # which is how its estimator computes
    weights = np.ascontiguousarray(array_of(first.weight).T)
    weights[: len(network.inputs.numbers)] *= 3.0  # see `_bent`
    features, order, bins = _features(network.inputs, graph, table, weights)
    source = graph.dense(features, weights[order], array_of(first.bias))
    if bins is not None:
        source = graph.arithmetic("add", source, bins)
    for part in others:
        source = read_torch_module(part, graph, source)
    return source


def _features(
    inputs: Any, graph: Graph, table: Table, weights: np.ndarray
) -> tuple[int, np.ndarray, int | None]:
    """Return the node of the features, which of the network's features each is, and the bins.

    Columns that come from a lookup get their features by another lookup, made here once. Bins are
    most of the features; they come apart, as the node of what they add to the first layer.
    """
    buffers = {name: tensor.cpu().numpy() for name, tensor in inputs.named_buffers()}
    numbers = [int(p) for p in buffers["numbers"]]
    source = buffers["bin_source"]
    plain = [i for i, p in enumerate(numbers) if not _is_lookup(table.columns[p], graph)]
    wanted = list(dict.fromkeys([*(numbers[i] for i in plain), *source.tolist()]))
    parts, order, bins = [], [], None
    x = graph.elementwise("round_single", table.select(wanted).numbers(graph)) if wanted else -1
    if plain:
        parts.append(_bent(graph, graph.select(x, np.arange(len(plain)))))
        order.append(np.array(plain))
    if len(source):
        column = np.array([wanted.index(p) for p in source])
        left, slope = (buffers[name].astype(np.float64) for name in ("bin_left", "bin_slope"))
        own = weights[len(numbers) : len(numbers) + len(source)]
        bins = graph.ramps(x, column, left, slope, own)
    looked_up = [i for i in range(len(numbers)) if i not in set(plain)]
    for node, run in groupby(looked_up, lambda i: table.columns[numbers[i]].node):  # type: ignore[union-attr]
        members = list(run)
        columns = [table.columns[numbers[i]].position for i in members]
        parts.append(_mapped(graph, node, columns, _bent_array))
        order.append(np.array(members))
    start = len(numbers) + len(source)
    for position, offset in zip(buffers["coded"], buffers["code_starts"], strict=True):
        vectors = array_of(inputs.vectors.weight).astype(np.float64)
        parts.append(_embedded(graph, table.select([int(position)]), vectors, int(offset)))
        order.append(start + np.arange(vectors.shape[1]))
        start += vectors.shape[1]
    return graph.concatenate(parts), np.concatenate(order), bins


def _is_lookup(column: Column, graph: Graph) -> TypeGuard[ComputedColumn]:
    return isinstance(column, ComputedColumn) and isinstance(graph[column.node], Lookup)


def _mapped(
    graph: Graph,
    position: int,
    columns: Sequence[int],
    function: Callable[[np.ndarray], np.ndarray],
) -> int:
    """Apply a function of rows to what a lookup finds, by changing its values."""
    lookup = graph[position]
    if not isinstance(lookup, Lookup):
        raise TypeError(f"Only a lookup can be mapped. Got {lookup!r}. Add steps behind it.")
    rows = np.vstack([lookup.values, lookup.missing, lookup.unknown])[:, columns]
    values = function(rows)
    width = values.shape[1]
    return graph.add(
        replace(lookup, width=width, values=values[:-2], missing=values[-2], unknown=values[-1])
    )


def _bent(graph: Graph, x: int) -> int:
    """Return ``x / sqrt(9 + x^2)``, a third of what the network makes of a number."""
    size = graph.elementwise("sqrt", graph.plus(graph.arithmetic("multiply", x, x), 9.0))
    return graph.arithmetic("divide", x, size)


def _bent_array(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float32).astype(np.float64)
    return rows / np.sqrt(9.0 + rows * rows)


def _embedded(graph: Graph, table: Table, vectors: np.ndarray, offset: int) -> int:
    """Return the vectors of a column of codes."""
    column = table.columns[0]
    if _is_lookup(column, graph):
        return _mapped(
            graph,
            column.node,
            [column.position],
            lambda rows: vectors[rows[:, 0].astype(np.int64) + offset],
        )
    codes = graph.plus(table.numbers(graph), float(offset))
    return graph.dense(graph.one_hot(codes, len(vectors)), vectors)

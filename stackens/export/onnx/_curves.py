"""Step functions and piecewise linear ones of many columns at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stackens.export.onnx._builder import Tensor
from stackens.export.onnx._forests import Steps, add_steps, before
from stackens.export.onnx._views import Layout
from stackens.export.program import Count, Interpolate

__all__ = ["count", "interpolate"]


def count(layout: Layout, source: Tensor, nodes: Sequence[Count]) -> Tensor:
    """Count the edges that are at most x, for each column those of its node."""
    steps = []
    for column, node in enumerate(nodes):
        edges, counts = np.unique(node.edges, return_counts=True)
        pieces = np.concatenate([[0.0], np.cumsum(counts)])
        if len(edges) and edges[0] == -np.inf:  # at most every number
            edges, pieces = edges[1:], pieces[1:]
        steps.append(Steps(column, before(edges), pieces, np.nan))
    return add_steps(layout.builder, source, steps)


def interpolate(layout: Layout, source: Tensor, nodes: Sequence[Interpolate]) -> Tensor:
    """Interpolate each column between the knots of its node."""
    builder = layout.builder
    low, high = (layout.constant(np.array([node.x[end] for node in nodes])) for end in (0, -1))
    at = builder.node("Min", builder.node("Max", source.name, low.name), high.name)
    curves = [_pieces(node) for node in nodes]
    steps = [
        Steps(column, bounds, pieces[part], 0.0)
        for part in range(3)
        for column, (bounds, *pieces) in enumerate(curves)
    ]
    found = add_steps(builder, Tensor(at, source.width), steps)
    sizes = builder.constant(np.full(3, len(nodes)))
    x, slope, y = builder.node("Split", found.name, sizes, n_outputs=3, axis=1)
    rise = builder.node("Mul", builder.node("Sub", at, x), slope)
    return Tensor(builder.node("Add", rise, y), len(nodes))


def _pieces(node: Interpolate) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return bounds between pieces; from each knot on its x, the slope of what follows, its y.

    At knots before an infinite slope there is none, since infinity times 0 is NaN.
    """
    x, y = node.x, node.y
    with np.errstate(over="ignore"):
        slope = np.append(np.diff(y) / np.diff(x), 0.0)
    steep = np.flatnonzero(np.isinf(slope))
    x, y, slope = (
        np.insert(x, steep, x[steep]),
        np.insert(y, steep, y[steep]),
        np.insert(slope, steep, 0.0),
    )
    bounds = before(x[1:])
    bounds[steep + np.arange(len(steep))] = node.x[steep]
    return bounds, x, slope, y

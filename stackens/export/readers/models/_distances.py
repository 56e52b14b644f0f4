"""Distances between each row and given points, as the libraries compute them."""

from __future__ import annotations

import numpy as np

from stackens.export.program import Graph

__all__ = ["manhattan_distances", "squared_differences", "squared_distances"]


def squared_distances(graph: Graph, source: int, points: np.ndarray) -> int:
    """Return squared Euclidean distances, by ``x·x - 2 x·p + p·p``, at least 0.

    That formula is scikit-learn's `euclidean_distances`.
    """
    points = np.asarray(points, dtype=np.float64)
    products = graph.times(graph.dense(source, points.T), -2.0)
    own = graph.reduce("sum", graph.arithmetic("multiply", source, source))
    both = graph.arithmetic("add", products, own)
    apart = graph.plus(both, np.einsum("ij,ij->i", points, points))
    return graph.arithmetic("maximum", apart, graph.constant(0.0))


def squared_differences(graph: Graph, source: int, points: np.ndarray) -> int:
    """Return squared Euclidean distances, as the sum of squared differences (libsvm's way)."""
    squares = [graph.arithmetic("multiply", d, d) for d in _differences(graph, source, points)]
    return graph.weighted_sum(squares, np.ones(len(squares)))


def manhattan_distances(graph: Graph, source: int, points: np.ndarray) -> int:
    """Return sums of absolute differences."""
    sizes = [graph.elementwise("absolute", d) for d in _differences(graph, source, points)]
    return graph.weighted_sum(sizes, np.ones(len(sizes)))


def _differences(graph: Graph, source: int, points: np.ndarray) -> list[int]:
    """Return a matrix for each column: its differences from that coordinate of all points."""
    return [
        graph.arithmetic("subtract", graph.select(source, [j]), graph.constant(points[:, j]))
        for j in range(points.shape[1])
    ]

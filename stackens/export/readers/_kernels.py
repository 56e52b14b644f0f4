"""Distances and kernels between each row and given points, as the libraries compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph

__all__ = ["kernel_matrix", "manhattan_distances", "squared_differences", "squared_distances"]


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


def kernel_matrix(
    graph: Graph,
    source: int,
    points: np.ndarray,
    *,
    kernel: Any,
    gamma: float,
    coef0: float,
    degree: float,
    squared: Callable[[Graph, int, np.ndarray], int] = squared_distances,
) -> int:
    """Return the kernel between each row and each point, a column for each point.

    Parameters
    ----------
    graph : Graph
    source : int
    points : array of shape (n_points, n_features)
    kernel : {"linear", "poly", "polynomial", "rbf", "sigmoid", "laplacian"}
    gamma, coef0, degree : float
        As in :mod:`sklearn.metrics.pairwise`.
    squared : callable
        Which squared distances "rbf" takes.

    Raises
    ------
    ExportError
        For another kernel.
    """
    if kernel == "rbf":
        return graph.elementwise("exp", graph.times(squared(graph, source, points), -gamma))
    if kernel == "laplacian":
        apart = manhattan_distances(graph, source, points)
        return graph.elementwise("exp", graph.times(apart, -gamma))
    if kernel not in ("linear", "poly", "polynomial", "sigmoid"):
        raise ExportError(
            "The kernel must be 'linear', 'poly', 'rbf', 'sigmoid' or 'laplacian' to be exported. "
            f"Got {kernel!r:.100}. Use one of them, or distil the model into a student."
        )
    products = graph.dense(source, points.T)
    if kernel == "linear":
        return products
    shifted = graph.plus(graph.times(products, gamma), coef0)
    if kernel == "sigmoid":
        return graph.elementwise("tanh", shifted)
    return graph.arithmetic("power", shifted, graph.constant(float(degree)))

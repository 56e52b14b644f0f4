"""Kernels between each row and given points, and kernel ridge regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._answers import finite_numbers, only_predicts
from stackens.export.readers.models._distances import manhattan_distances, squared_distances

__all__ = ["kernel_matrix"]


def kernel_matrix(
    graph: Graph,
    source: int,
    points: np.ndarray,
    *,
    kernel: str,
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


@reads_model("sklearn.KernelRidge")
def _kernel_ridge(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    points = model.X_fit_.toarray() if sparse.issparse(model.X_fit_) else model.X_fit_
    gamma = model.gamma
    if gamma is None and model.kernel != "linear":
        gamma = 1.0 / points.shape[1]
    kernels = kernel_matrix(
        graph,
        finite_numbers(graph, table),
        np.asarray(points, dtype=np.float64),
        kernel=model.kernel,
        gamma=gamma,
        coef0=model.coef0,
        degree=model.degree,
    )
    weights = np.asarray(model.dual_coef_, dtype=np.float64)
    return graph.dense(kernels, weights.reshape(len(weights), -1))

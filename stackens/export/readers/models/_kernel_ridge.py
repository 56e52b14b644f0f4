"""Reads kernel ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from stackens.export.program import Graph
from stackens.export.readers._answers import only_predicts
from stackens.export.readers._kernels import kernel_matrix
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []


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

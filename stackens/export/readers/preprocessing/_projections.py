"""Reads transformers that combine columns: projections, distances and products."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
from scipy import linalg, sparse

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._kernels import kernel_matrix, squared_distances
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []


def _weights(matrix: Any) -> np.ndarray:
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    return np.asarray(dense, dtype=np.float64)


@reads_transformer("sklearn.PCA", "sklearn.IncrementalPCA")
def _pca(pca: Any, graph: Graph, table: Table) -> Table:
    components = _weights(pca.components_).T
    shift = np.asarray(pca.mean_, dtype=np.float64).reshape(1, -1) @ components
    node = graph.dense(finite_numbers(graph, table), components, -shift[0])
    if pca.whiten:
        spread = np.sqrt(np.asarray(pca.explained_variance_))
        spread[spread < np.finfo(spread.dtype).eps] = np.finfo(spread.dtype).eps
        node = graph.over(node, spread)
    return Table.of_node(graph, node)


@reads_transformer(
    "sklearn.TruncatedSVD",
    "sklearn.GaussianRandomProjection",
    "sklearn.NeighborhoodComponentsAnalysis",
    "sklearn.SparseRandomProjection",
)
def _plain_projection(projection: Any, graph: Graph, table: Table) -> Table:
    node = graph.dense(finite_numbers(graph, table), _weights(projection.components_).T)
    is_sparse = table.sparse and not getattr(projection, "dense_output", True)
    return Table.of_node(graph, node).marked(sparse=is_sparse)


@reads_transformer("sklearn.FastICA")
def _fast_ica(ica: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    if ica.whiten:
        node = graph.minus(node, ica.mean_)
    return Table.of_node(graph, graph.dense(node, _weights(ica.components_).T))


@reads_transformer("sklearn.FactorAnalysis")
def _factor_analysis(analysis: Any, graph: Graph, table: Table) -> Table:
    components = _weights(analysis.components_)
    weights = components / analysis.noise_variance_
    spread = linalg.inv(np.eye(len(components)) + weights @ components.T)
    centred = graph.minus(finite_numbers(graph, table), analysis.mean_)
    return Table.of_node(graph, graph.dense(graph.dense(centred, weights.T), spread))


@reads_transformer("sklearn.LinearDiscriminantAnalysis")
def _discriminants(analysis: Any, graph: Graph, table: Table) -> Table:
    if analysis.solver == "lsqr":
        raise ExportError(
            "LinearDiscriminantAnalysis must have the solver 'svd' or 'eigen' to transform. Got "
            "'lsqr'. Fit it with another solver."
        )
    node = finite_numbers(graph, table)
    if analysis.solver == "svd":
        node = graph.minus(node, analysis.xbar_)
    scalings = _weights(analysis.scalings_)[:, : analysis._max_components]
    return Table.of_node(graph, graph.dense(node, scalings))


@reads_transformer("sklearn.FeatureAgglomeration")
def _agglomeration(agglomeration: Any, graph: Graph, table: Table) -> Table:
    pool, labels = agglomeration.pooling_func, agglomeration.labels_
    node = finite_numbers(graph, table)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    extremes = {np.max: "maximum", np.min: "minimum", np.amax: "maximum", np.amin: "minimum"}
    if pool in extremes:
        parts = [graph.reduce(extremes[pool], graph.select(node, group)) for group in groups]
        return Table.of_node(graph, graph.concatenate(parts))
    if pool is not np.mean:
        raise ExportError(
            "The pooling_func of a FeatureAgglomeration must be numpy.mean, numpy.max or "
            f"numpy.min. Got {pool!r}. Use one of them."
        )
    sums = graph.dense(node, (labels[:, None] == np.arange(len(groups))).astype(np.float64))
    return Table.of_node(graph, graph.over(sums, np.array([len(g) for g in groups])))


# --- distances and kernels ------------------------------------------------------------------


@reads_transformer("sklearn.KMeans", "sklearn.MiniBatchKMeans", "sklearn.BisectingKMeans")
def _k_means(model: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    distances = squared_distances(graph, node, _weights(model.cluster_centers_))
    return Table.of_node(graph, graph.elementwise("sqrt", distances))


@reads_transformer("sklearn.Nystroem")
def _nystroem(nystroem: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    points = _weights(nystroem.components_)
    parameters = dict(nystroem.kernel_params or {})
    for name in ("gamma", "coef0", "degree"):
        if getattr(nystroem, name) is not None:
            parameters[name] = getattr(nystroem, name)
    kernel = kernel_matrix(
        graph,
        node,
        points,
        kernel=nystroem.kernel,
        gamma=parameters.get("gamma") or 1.0 / points.shape[1],
        coef0=parameters.get("coef0", 1),
        degree=parameters.get("degree", 3),
    )
    return Table.of_node(graph, graph.dense(kernel, _weights(nystroem.normalization_).T))


# --- products -------------------------------------------------------------------------------


@reads_transformer("sklearn.PolynomialFeatures")
def _polynomial_features(features: Any, graph: Graph, table: Table) -> Table:
    node = finite_numbers(graph, table)
    parts = [graph.constant(1.0)] if features.include_bias else []
    below = node
    terms: list[tuple[int, ...]] = [(j,) for j in range(graph.width(node))]
    for degree in range(1, features._max_degree + 1):
        if degree > 1:
            below, terms = _next_degree(graph, node, below, terms, features.interaction_only)
        if terms and degree >= features._min_degree:
            parts.append(below)
    return Table.of_node(graph, graph.concatenate(parts)).marked(sparse=table.sparse)


def _next_degree(
    graph: Graph, node: int, below: int, terms: list[tuple[int, ...]], interaction_only: bool
) -> tuple[int, list[tuple[int, ...]]]:
    """Multiply products of one degree by a column each, in scikit-learn's order."""
    choose = combinations if interaction_only else combinations_with_replacement
    if not terms:
        return below, []
    wanted = list(choose(range(graph.width(node)), len(terms[0]) + 1))
    if not wanted:
        return below, []
    place = {term: i for i, term in enumerate(terms)}
    rest = graph.select(below, [place[term[1:]] for term in wanted])
    first = graph.select(node, [term[0] for term in wanted])
    return graph.arithmetic("multiply", rest, first), wanted

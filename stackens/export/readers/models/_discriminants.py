"""Reads quadratic discriminants and nearest centroids."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import no_such_method
from stackens.export.readers._kernels import manhattan_distances, squared_distances
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []


@reads_model("sklearn.QuadraticDiscriminantAnalysis")
def _quadratic(model: Any, graph: Graph, table: Table, method: Method) -> int:
    x = finite_numbers(graph, table)
    norms = []
    for mean, rotation, scaling in zip(
        model.means_, model.rotations_, model.scalings_, strict=True
    ):
        rotated = graph.dense(graph.minus(x, mean), rotation * scaling**-0.5)
        norms.append(graph.reduce("sum", graph.arithmetic("multiply", rotated, rotated)))
    log_sizes = np.array([np.sum(np.log(scaling)) for scaling in model.scalings_])
    halves = graph.times(graph.plus(graph.concatenate(norms), log_sizes), -0.5)
    return _answer(graph, graph.plus(halves, np.log(model.priors_)), method)


@reads_model("sklearn.NearestCentroid")
def _nearest_centroid(model: Any, graph: Graph, table: Table, method: Method) -> int:
    distances = {"euclidean": squared_distances, "manhattan": manhattan_distances}
    if model.metric not in distances:
        raise ExportError(
            "The metric of NearestCentroid must be 'euclidean' or 'manhattan'. Got "
            f"{model.metric!r}. Use one of them."
        )
    if model.metric != "euclidean" and method != "predict":
        raise no_such_method(model, method, f"its metric is {model.metric!r}", "predict")
    between = distances[model.metric]
    x = finite_numbers(graph, table)
    n_classes = len(model.classes_)
    if method == "predict" and np.isclose(model.class_prior_, 1 / n_classes).all():
        return graph.argmax(graph.elementwise("negative", between(graph, x, model.centroids_)))
    deviation = model.within_class_std_dev_
    scale = np.where(deviation == 0, 1.0, deviation)
    apart = between(graph, graph.over(x, scale), model.centroids_ / scale)
    if model.metric == "manhattan":
        apart = graph.arithmetic("multiply", apart, apart)
    nearness = graph.elementwise("negative", apart)
    return _answer(graph, graph.plus(nearness, 2.0 * np.log(model.class_prior_)), method)


def _answer(graph: Graph, scores: int, method: Method) -> int:
    """Return the answer from logarithms of probabilities, but for a constant of the row."""
    if method == "predict":
        return graph.argmax(scores)
    if method == "predict_proba":
        likelihood = graph.arithmetic("subtract", scores, graph.reduce("maximum", scores))
        total = graph.reduce("sum", graph.elementwise("exp", likelihood))
        log_total = graph.elementwise("log", total)
        return graph.elementwise("exp", graph.arithmetic("subtract", likelihood, log_total))
    if graph.width(scores) == 2:
        return graph.arithmetic("subtract", graph.select(scores, [1]), graph.select(scores, [0]))
    return scores

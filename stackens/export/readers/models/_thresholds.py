"""Reads classifiers whose label follows from a threshold of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import first_response
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table

__all__: list[str] = []


@reads_model("sklearn.FixedThresholdClassifier")
def _fixed(model: Any, graph: Graph, table: Table, method: Method) -> int:
    inner = getattr(model, "estimator_", model.estimator)
    return _answer(model, inner, graph, table, method, model.threshold, model.pos_label)


@reads_model("sklearn.TunedThresholdClassifierCV")
def _tuned(model: Any, graph: Graph, table: Table, method: Method) -> int:
    label = model._curve_scorer._get_pos_label()
    threshold = float(model.best_threshold_)
    return _answer(model, model.estimator_, graph, table, method, threshold, label)


def _answer(
    model: Any,
    inner: Any,
    graph: Graph,
    table: Table,
    method: Method,
    threshold: float | str,
    pos_label: Any,
) -> int:
    if method != "predict":
        return read_response(inner, graph, table, method)
    methods = ("predict_proba", "decision_function")
    asked = methods if model.response_method == "auto" else (model.response_method,)
    score, used = first_response(inner, graph, table, asked)
    of_first = pos_label is not None and np.asarray(inner.classes_)[0] == pos_label
    if of_first:
        if used == "predict_proba":
            score = graph.select(read_response(inner, graph, table, used), [0])
        else:
            score = graph.elementwise("negative", score)
    limit = {"predict_proba": 0.5}.get(used, 0.0) if threshold == "auto" else float(threshold)
    reached = graph.arithmetic("less_equal", graph.constant(limit), score)
    if of_first:
        return graph.arithmetic("subtract", graph.constant(1.0), reached)
    return reached

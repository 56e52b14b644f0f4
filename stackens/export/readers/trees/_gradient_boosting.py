"""Reads scikit-learn's GradientBoostingClassifier and GradientBoostingRegressor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import only_predicts
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import joined_trees
from stackens.export.readers.trees._sklearn_trees import single_precision_input, tree_arrays

__all__ = ["read_classifier", "read_regressor"]

_EPSILON = float(np.finfo(np.float64).eps)


@reads_model("sklearn.GradientBoostingRegressor")
def read_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a regressor: its sum of trees, whatever the loss."""
    only_predicts(model, method)
    return _raw_scores(model, graph, table)


@reads_model("sklearn.GradientBoostingClassifier")
def read_classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier, of the log loss or the exponential loss."""
    raw = _raw_scores(model, graph, table)
    if method == "decision_function":
        return raw
    if len(model.classes_) > 2:
        return graph.argmax(raw) if method == "predict" else graph.softmax(raw)
    if method == "predict":  # 0 is the second class
        return graph.arithmetic("less_equal", graph.constant(0.0), raw)
    factor = 2.0 if model.loss == "exponential" else 1.0
    return graph.two_classes(graph.elementwise("sigmoid", graph.times(raw, factor)))


def _raw_scores(model: Any, graph: Graph, table: Table) -> int:
    """Sum the trees, each value times the learning rate first, onto the first model's scores."""
    source = single_precision_input(graph, table, missing_allowed=False)
    arrays = []
    for tree in model.estimators_.ravel():
        tree_of = tree_arrays(tree.tree_)
        arrays.append(replace(tree_of, leaf=model.learning_rate * tree_of.leaf))
    n_scores = model.estimators_.shape[1]
    start = _constant_start(model)
    sum_of_trees = joined_trees(
        graph,
        source,
        arrays,
        offset=np.arange(len(arrays)) % n_scores,
        base=np.zeros(n_scores) if start is None else start,
    )
    if start is not None:
        return sum_of_trees
    # added last, not first: the sums differ in their last bits
    return graph.arithmetic("add", sum_of_trees, _first_scores(model, graph, source))


def _constant_start(model: Any) -> np.ndarray | None:
    """Return the scores that trees start from, where they are the same for all rows."""
    if model.init_ == "zero":
        return np.zeros(model.estimators_.shape[1])
    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor"):
        return None
    if getattr(model.init_, "strategy", "mean") in ("uniform", "stratified"):
        raise ExportError(
            "The first model of a GradientBoosting must answer a row always alike. Got "
            f"{model.init_!r}. Choose another strategy."
        )
    return model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]


def _first_scores(model: Any, graph: Graph, source: int) -> int:
    """Return the scores of a first model that was fitted: its answer through the link."""
    graph.note_single_precision()  # rows reach it as float32, in which linear models then compute
    rows = Table.of_node(graph, source)
    if not hasattr(model, "classes_"):
        return read_response(model.init_, graph, rows, "predict")
    chances = read_response(model.init_, graph, rows, "predict_proba")
    binary = len(model.classes_) == 2
    if binary:
        chances = graph.select(chances, [1])
    clipped = graph.clip(chances, _EPSILON, 1 - _EPSILON)
    if binary:
        rest = graph.arithmetic("subtract", graph.constant(1.0), clipped)
        logit = graph.elementwise("log", graph.arithmetic("divide", clipped, rest))
        return graph.times(logit, 0.5) if model.loss == "exponential" else logit
    # the multinomial link: logarithms of probabilities over their geometric mean
    logs = graph.reduce("sum", graph.elementwise("log", clipped))
    mean = graph.elementwise("exp", graph.over(logs, float(len(model.classes_))))
    return graph.elementwise("log", graph.arithmetic("divide", clipped, mean))

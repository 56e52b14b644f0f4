"""Reads scikit-learn's AdaBoostClassifier; its regressor cannot be written exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import joined_trees
from stackens.export.readers.trees._sklearn_trees import (
    is_tree,
    leaves_of_tree,
    single_precision_input,
    takes_missing,
)

__all__ = ["read_classifier", "refuse_regressor"]


@reads_model("sklearn.AdaBoostClassifier")
def read_classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier: votes of its models for labels, with weights."""
    n_classes = len(model.classes_)
    if n_classes < 2:
        raise ExportError(
            f"A classifier must know two classes or more. Got an AdaBoostClassifier of "
            f"{model.classes_!r}. Fit it on rows of all classes."
        )
    graph.refuse(table.numbers(graph))
    trees = all(map(is_tree, model.estimators_))
    scores = _votes_of_trees(model, graph, table) if trees else _votes(model, graph, table)
    scores = graph.over(scores, model.estimator_weights_.sum())
    if n_classes > 2:
        if method == "predict":
            return graph.argmax(scores)
        if method == "decision_function":
            return scores
        return graph.softmax(graph.over(scores, n_classes - 1.0))
    score = graph.reduce("sum", graph.times(scores, np.array([-1.0, 1.0])))
    if method == "decision_function":
        return score
    if method == "predict":
        return graph.arithmetic("less", graph.constant(0.0), score)
    both = graph.concatenate([graph.elementwise("negative", score), score])
    return graph.softmax(graph.over(both, 2.0))


def _votes(model: Any, graph: Graph, table: Table) -> int:
    """Sum the models' votes, each for the label that the model predicts."""
    votes = []
    for estimator, weight in zip(model.estimators_, model.estimator_weights_, strict=False):
        label = read_response(estimator, graph, table.renamed(None), "predict")
        own = graph.one_hot(label, len(estimator.classes_))
        known = np.isin(model.classes_, estimator.classes_)
        zero = graph.constant(0.0)
        place = np.cumsum(known) - 1
        voted = graph.concatenate(
            [graph.select(own, [place[k]]) if known[k] else zero for k in range(len(known))]
        )
        values = graph.constant(weight), graph.constant(_against(model, weight))
        votes.append(graph.choose(voted, *values))
    return graph.weighted_sum(votes, np.ones(len(votes)))


def _votes_of_trees(model: Any, graph: Graph, table: Table) -> int:
    """Sum the votes of trees, whose leaves then hold votes."""
    estimators = model.estimators_
    source = single_precision_input(graph, table, missing_allowed=takes_missing(estimators[0]))
    arrays = []
    for estimator, weight in zip(estimators, model.estimator_weights_, strict=False):
        tree = leaves_of_tree(estimator)
        voted = estimator.classes_[tree.leaf.argmax(axis=1)][:, None] == model.classes_
        leaf = np.where(voted, weight, _against(model, weight))
        arrays.append(replace(tree, leaf=leaf))
    base = np.zeros(len(model.classes_))
    return joined_trees(graph, source, arrays, offset=np.zeros(len(arrays)), base=base)


def _against(model: Any, weight: float) -> float:
    """Return what a vote for one label adds to each other label."""
    return -1 / (len(model.classes_) - 1) * weight


@reads_model("sklearn.AdaBoostRegressor", refuses=True)
def refuse_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Refuse: a weighted median sorts the models anew for each row."""
    raise ExportError(
        "Models must be combined in one order for all rows. Got an AdaBoostRegressor, whose "
        "weighted median sorts its models for each row. Use GradientBoostingRegressor, or distil "
        "it into a student that can be exported."
    )

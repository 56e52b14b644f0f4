"""Reads scikit-learn's BaggingClassifier and BaggingRegressor, of any models that can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import of_probabilities, only_predicts
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import TreeArrays, joined_trees
from stackens.export.readers.trees._sklearn_trees import (
    is_tree,
    leaves_of_tree,
    single_precision_input,
    takes_missing,
)

__all__ = ["read_classifier", "read_regressor"]


@reads_model("sklearn.BaggingRegressor")
def read_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a regressor: the mean of its models."""
    only_predicts(model, method)
    if all(map(is_tree, model.estimators_)):
        return _mean_of_trees(model, graph, table)
    return graph.mean(_parts(model, graph, table, method))


@reads_model("sklearn.BaggingClassifier")
def read_classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier: the mean of its models' probabilities, or their votes."""
    if method == "decision_function":
        return graph.mean(_parts(model, graph, table, method))
    if all(map(is_tree, model.estimators_)):
        return of_probabilities(graph, _mean_of_trees(model, graph, table), method)
    if hasattr(model.estimators_[0], "predict_proba"):
        answers = _parts(model, graph, table, "predict_proba")
    else:
        labels = _parts(model, graph, table, "predict")
        answers = [
            graph.one_hot(label, len(estimator.classes_))
            for estimator, label in zip(model.estimators_, labels, strict=True)
        ]
    spread = [
        _of_all_classes(model, estimator, answer, graph)
        for estimator, answer in zip(model.estimators_, answers, strict=True)
    ]
    return of_probabilities(graph, graph.mean(spread), method)


def _parts(model: Any, graph: Graph, table: Table, method: Method) -> list[int]:
    """Read the models, each on the columns that it was given, as an array without names."""
    return [
        read_response(estimator, graph, table.select(columns).renamed(None), method)
        for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True)
    ]


def _of_all_classes(model: Any, estimator: Any, answer: int, graph: Graph) -> int:
    """Place the columns of a model that saw some classes only; it knows them by position."""
    if len(estimator.classes_) == len(model.classes_):
        return answer
    zero = graph.constant(0.0)
    place = {int(position): i for i, position in enumerate(estimator.classes_)}
    return graph.concatenate(
        [
            graph.select(answer, [place[k]]) if k in place else zero
            for k in range(len(model.classes_))
        ]
    )


def _mean_of_trees(model: Any, graph: Graph, table: Table) -> int:
    """Read trees as one forest, though each knows the columns in an order of its own."""
    used = np.unique(np.concatenate(model.estimators_features_))
    source = single_precision_input(
        graph, table.select(used), missing_allowed=takes_missing(model.estimators_[0])
    )
    arrays = [
        _of_columns(model, estimator, np.searchsorted(used, columns))
        for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    base = np.zeros(arrays[0].leaf.shape[1])
    sums = joined_trees(graph, source, arrays, offset=np.zeros(len(arrays)), base=base)
    return graph.over(sums, float(len(arrays)))


def _of_columns(model: Any, tree: Any, columns: np.ndarray) -> TreeArrays:
    arrays = leaves_of_tree(tree)
    leaf = arrays.leaf
    if hasattr(model, "classes_"):
        leaf = np.zeros((len(leaf), len(model.classes_)))
        leaf[:, tree.classes_.astype(int)] = arrays.leaf
    return replace(arrays, feature=columns[arrays.feature], leaf=leaf)

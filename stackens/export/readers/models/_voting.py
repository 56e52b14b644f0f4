"""Reads scikit-learn's voting ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import (
    answer_of_probabilities,
    labels_as_numbers,
    no_such_method,
    only_predicts,
)
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table

__all__: list[str] = []


@reads_model("sklearn.VotingRegressor")
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    parts = [read_response(part, graph, table, "predict") for part in model.estimators_]
    return _average(model, graph, parts)


@reads_model("sklearn.VotingClassifier")
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    if model.voting == "hard":
        if method != "predict":
            raise no_such_method(model, method, "voting='hard' gives labels", "predict")
        return graph.argmax(_votes(model, graph, table))
    parts = [read_response(part, graph, table, "predict_proba") for part in model.estimators_]
    return answer_of_probabilities(model, graph, method, _average(model, graph, parts))


def _votes(model: Any, graph: Graph, table: Table) -> int:
    n_classes = len(model.classes_)
    votes = []
    for part in model.estimators_:  # fitted on the positions of the labels
        position = read_response(part, graph, table, "predict")
        votes.append(graph.one_hot(labels_as_numbers(graph, position, part.classes_), n_classes))
    weights = model._weights_not_none
    return graph.weighted_sum(votes, np.ones(len(votes)) if weights is None else weights)


def _average(model: Any, graph: Graph, parts: list[int]) -> int:
    """Return the average as :func:`numpy.average` has it: a sum, then divided."""
    weights = model._weights_not_none
    if weights is None:
        return graph.mean(parts)
    row = np.asarray(weights, dtype=np.float64)
    return graph.over(graph.weighted_sum(parts, row), row.sum())

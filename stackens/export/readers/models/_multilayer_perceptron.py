"""Reads scikit-learn's multilayer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import answer_of_probabilities, one_label_only, only_predicts
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._activations import ACTIVATIONS
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []

_NAMES = {
    "exp": "exponential",
    "identity": "linear",
    "logistic": "sigmoid",
    "relu": "relu",
    "softmax": "softmax",
    "tanh": "tanh",
}


@reads_model("sklearn.MLPRegressor")
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return _outputs(model, graph, table)


@reads_model("sklearn.MLPClassifier")
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    one_label_only(model, model.out_activation_ == "softmax" or model.n_outputs_ == 1)
    outputs = _outputs(model, graph, table)
    if graph.width(outputs) > 1:
        return answer_of_probabilities(model, graph, method, outputs)
    if method == "predict":
        return graph.arithmetic("less", graph.constant(0.5), outputs)
    return answer_of_probabilities(model, graph, method, graph.two_classes(outputs))


def _outputs(model: Any, graph: Graph, table: Table) -> int:
    x = finite_numbers(graph, table)
    last = len(model.coefs_) - 1
    for i, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        x = graph.dense(x, weights.astype(np.float64), bias)
        name = model.out_activation_ if i == last else model.activation
        x = ACTIVATIONS[_NAMES[name]](graph, x)
    return x

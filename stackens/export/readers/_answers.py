"""What models answer: labels and probabilities from scores, and errors for what a model lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method, read_response
from stackens.export.readers._table import Table

__all__ = [
    "answer_of_probabilities",
    "classifier_answer",
    "distribution",
    "first_response",
    "labels_as_numbers",
    "no_such_method",
    "of_probabilities",
    "one_label_only",
    "only_predicts",
    "position_of_largest",
    "refuse_unless",
    "sigmoid_or_softmax",
]


def no_such_method(model: Any, method: Method, reason: str, instead: str) -> ExportError:
    """Return the error that says that a model has no such answer."""
    return ExportError(
        f"A model that is read by {method} must have it. Got a {type(model).__name__}, and "
        f"{reason}. Read it by {instead}."
    )


def refuse_unless(graph: Graph, condition: int) -> None:
    """Refuse the rows in which a matrix of 1 and 0 has a 0."""
    graph.refuse(graph.arithmetic("divide", graph.constant(1.0), condition))


def classifier_answer(
    model: Any,
    graph: Graph,
    method: Method,
    scores: int,
    probabilities: Callable[[Graph, int], int] | None = None,
) -> int:
    """Return the answer of a classifier whose labels and probabilities follow from its scores.

    Parameters
    ----------
    model : object
    graph : Graph
    method : {"predict_proba", "decision_function", "predict"}
    scores : int
        Node of the decision function: a column for each class, or one for two classes.
    probabilities : callable or None, default=None
        ``probabilities(graph, scores)``. None: the model has none.
    """
    if method == "decision_function":
        return scores
    if method == "predict":
        return position_of_largest(graph, scores)
    if probabilities is None:
        reason = "it gives no probabilities in these settings"
        raise no_such_method(model, method, reason, "decision_function")
    return probabilities(graph, scores)


def position_of_largest(graph: Graph, scores: int) -> int:
    """Return the position of the largest score; one column is the score of the second class."""
    if graph.width(scores) == 1:
        return graph.arithmetic("less", graph.constant(0.0), scores)
    return graph.argmax(scores)


def sigmoid_or_softmax(graph: Graph, scores: int) -> int:
    """Return probabilities from logits: by the sigmoid for two classes, otherwise by softmax."""
    if graph.width(scores) > 1:
        return graph.softmax(scores)
    return graph.two_classes(graph.elementwise("sigmoid", scores))


def distribution(graph: Graph, source: int) -> int:
    """Divide rows by their sums; rows that sum to zero become uniform."""
    total = graph.reduce("sum", source)
    none = graph.arithmetic("equal", total, graph.constant(0.0))
    uniform = graph.constant(np.full(graph.width(source), 1 / graph.width(source)))
    return graph.choose(none, uniform, graph.arithmetic("divide", source, total))


def first_response(
    model: Any, graph: Graph, table: Table, methods: Sequence[str]
) -> tuple[int, Method]:
    """Read the first method that a classifier has; one column for two classes, of the second.

    Returns
    -------
    node : int
    method : {"predict_proba", "decision_function"}
    """
    method = cast(Method, next(name for name in methods if hasattr(model, name)))
    node = read_response(model, graph, table, method)
    if method == "predict_proba" and len(model.classes_) == 2:
        node = graph.select(node, [1])
    return node, method


def labels_as_numbers(graph: Graph, positions: int, classes: np.ndarray) -> int:
    """Turn positions of labels into the labels themselves, which must be numbers."""
    classes = np.asarray(classes)
    if classes.dtype.kind not in "biuf":
        raise ExportError(
            "A model that reads the labels which another predicts must be given numbers. Got the "
            f"labels {classes.tolist()!r:.200}. Let it read probabilities, or fit on numbers."
        )
    if np.array_equal(classes, np.arange(len(classes))):
        return positions
    return graph.dense(
        graph.one_hot(positions, len(classes)), classes.astype(np.float64).reshape(-1, 1)
    )


def of_probabilities(graph: Graph, probabilities: int, method: Method) -> int:
    """Return probabilities, or for "predict" the position of the largest."""
    return graph.argmax(probabilities) if method == "predict" else probabilities


def answer_of_probabilities(model: Any, graph: Graph, method: Method, probabilities: int) -> int:
    """Return the answer of a classifier that has probabilities, and no decision function."""
    if method == "decision_function":
        raise no_such_method(model, method, "it gives probabilities", "predict_proba")
    return of_probabilities(graph, probabilities, method)


def only_predicts(model: Any, method: Method) -> None:
    """Raise unless a regressor, or another model without classes, is asked for its values."""
    if method != "predict":
        raise no_such_method(model, method, "it predicts values", "predict")


def one_label_only(model: Any, holds: bool) -> None:
    """Raise unless a classifier gives each row one label."""
    if not holds:
        raise ExportError(
            "Only classifiers that give each row one label can be exported. Got a "
            f"{type(model).__name__} of several labels or targets. Fit one classifier for each."
        )

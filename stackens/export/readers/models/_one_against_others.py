"""Reads classifiers made of one for each class, or for each pair of classes."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier, is_regressor

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import no_such_method, one_label_only
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._votes import votes_and_confidence

__all__: list[str] = []


@reads_model("sklearn.OneVsRestClassifier")
def _one_against_rest(model: Any, graph: Graph, table: Table, method: Method) -> int:
    one_label_only(model, not model.multilabel_)
    parts = model.estimators_
    if method == "decision_function":
        return graph.concatenate([read_response(part, graph, table, method) for part in parts])
    if method == "predict":
        scores = [_score(part, graph, table) for part in parts]
        if len(parts) > 1:
            return graph.argmax(graph.concatenate(scores))
        return graph.arithmetic("less", graph.constant(_limit(parts[0])), scores[0])
    second = [graph.select(read_response(p, graph, table, method), [1]) for p in parts]
    each = graph.two_classes(second[0]) if len(parts) == 1 else graph.concatenate(second)
    total = graph.reduce("sum", each)
    none = graph.arithmetic("equal", total, graph.constant(0.0))
    return graph.choose(none, each, graph.arithmetic("divide", each, total))


@reads_model("sklearn.OneVsOneClassifier")
def _one_against_one(model: Any, graph: Graph, table: Table, method: Method) -> int:
    if method == "predict_proba":
        raise no_such_method(model, method, "it counts votes", "decision_function")
    if model.pairwise_indices_ is not None:
        raise ExportError(
            "A model of given kernel values cannot be exported, because it reads no rows. Got a "
            "OneVsOneClassifier of pairwise estimators. Give it a kernel to compute."
        )
    parts = model.estimators_
    labels = graph.concatenate([read_response(p, graph, table, "predict") for p in parts])
    first = graph.arithmetic("equal", labels, graph.constant(0.0))
    second = graph.arithmetic("equal", labels, graph.constant(1.0))
    confidence = graph.concatenate([_score(part, graph, table) for part in parts])
    votes, sums = votes_and_confidence(graph, second, confidence, len(model.classes_), first)
    scores = graph.arithmetic("add", votes, sums)
    if model.n_classes_ > 2:
        return graph.argmax(scores) if method == "predict" else scores
    score = graph.select(scores, [1])
    if method == "decision_function":
        return score
    return graph.arithmetic("less", graph.constant(_limit(parts[0])), score)


def _score(part: Any, graph: Graph, table: Table) -> int:
    """Return how much one classifier of two classes, or regressor, is for the second."""
    if is_regressor(part):
        return read_response(part, graph, table, "predict")
    if hasattr(part, "decision_function"):
        return read_response(part, graph, table, "decision_function")
    return graph.select(read_response(part, graph, table, "predict_proba"), [1])


def _limit(part: Any) -> float:
    """Return the score above which the second of two classes is chosen."""
    return 0.0 if is_classifier(part) and hasattr(part, "decision_function") else 0.5

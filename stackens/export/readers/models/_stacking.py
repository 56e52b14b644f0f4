"""Reads scikit-learn's stacks."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier

from stackens.export.program import Graph
from stackens.export.readers._answers import labels_as_numbers, one_label_only
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table

__all__: list[str] = []


@reads_model("sklearn.StackingClassifier", "sklearn.StackingRegressor")
def _stack(model: Any, graph: Graph, table: Table, method: Method) -> int:
    one_label_only(model, not isinstance(getattr(model, "_label_encoder", None), list))
    parts = []
    for part, asked in zip(model.estimators_, model.stack_method_, strict=True):
        node = read_response(part, graph, table, asked)
        if asked == "predict" and is_classifier(part):
            node = labels_as_numbers(graph, node, part.classes_)
        elif asked == "predict_proba" and len(model.classes_) == 2:
            node = graph.select(node, [1])
        parts.append(node)
    answers = Table.of_node(graph, graph.concatenate(parts))
    if model.passthrough:
        answers = answers.beside(table)
    return read_response(model.final_estimator_, graph, answers.renamed(None), method)

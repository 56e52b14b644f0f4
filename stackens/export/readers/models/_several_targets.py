"""Reads regressors made of one for each target."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import only_predicts
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []


@reads_model("sklearn.MultiOutputRegressor")
def _side_by_side(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return graph.concatenate([read_response(p, graph, table, method) for p in model.estimators_])


@reads_model("sklearn.RegressorChain")
def _chain(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    finite_numbers(graph, table)
    known, answers = table.renamed(None), []
    for part in model.estimators_:
        answer = read_response(part, graph, known, method)
        answers.append(answer)
        known = known.beside(Table.of_node(graph, answer))
    return graph.select(graph.concatenate(answers), np.argsort(model.order_))

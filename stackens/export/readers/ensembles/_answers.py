"""What a base model answers in the layout of the prediction table, as `respond` brings it there."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens._core._task import Task
from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table
from stackens.out_of_fold import FoldBag

__all__ = ["read_answer"]


def read_answer(
    model: Any,
    graph: Graph,
    table: Table,
    response: str,
    task: Task,
    *,
    n_train: int | None = None,
) -> int:
    """Read a fitted base model, and return the node of its columns in a prediction table.

    Parameters
    ----------
    model : object
        A fitted base model, or a :class:`FoldBag` of several.
    graph : Graph
    table : Table
    response : {"predict_proba", "decision_function", "predict", "value"}
        What is asked of it, as in :class:`PredictionTable`.
    task : Task
    n_train : int or None, default=None
        As for :func:`stackens.out_of_fold.respond`: training rows of a model that may not have
        seen every class.

    Returns
    -------
    int
        A node of width ``task.n_outputs``.

    Raises
    ------
    ExportError
        If the model cannot be written exactly.
    """
    if task.kind == "multilabel":
        raise ExportError(
            "Exports answer with one class or with values for each row. Got a model of "
            f"{task.n_outputs} labels (multilabel). Export a model of each label by itself."
        )
    if isinstance(model, FoldBag):
        return _mean_answer(model, graph, table)
    method: Any = "predict" if response == "value" else response
    node = read_response(model, graph, table, method)
    if not task.is_classification:
        return _of_width(graph, node, task.n_outputs, model)
    if response == "value":
        return graph.select(node, np.zeros(task.n_outputs, dtype=int))
    places = _places(model, task)
    if response == "predict":
        return graph.arithmetic("equal", node, graph.constant(places))
    if response == "decision_function" and graph.width(node) == 1:
        node = graph.concatenate([graph.elementwise("negative", node), node])
    n_seen = int(places.max()) + 1
    if n_seen == 1 and response == "predict_proba":
        node = graph.select(node, [0])  # LightGBM gives one to the class that it never saw, too
    node = _of_width(graph, node, n_seen, model)
    if np.array_equal(places, np.arange(n_seen)):
        return node
    if response == "predict_proba":
        return _with_laplace(graph, node, places, n_train)
    return _with_lowest(graph, node, places)


def _of_width(graph: Graph, node: int, width: int, model: Any) -> int:
    if graph.width(node) != width:
        raise ExportError(
            f"A base model must answer with {width} columns here. Got {graph.width(node)} from "
            f"{model!r:.200}. Leave it out; for an SVC set decision_function_shape='ovr'."
        )
    return node


def _places(model: Any, task: Task) -> np.ndarray:
    """Return where each class of the task stands among those of the model; -1: it saw none."""
    seen = getattr(model, "classes_", None)
    classes = task.output_names()
    known = classes if seen is None else np.asarray(seen).tolist()
    return np.array([known.index(c) if c in known else -1 for c in classes])


def _with_laplace(graph: Graph, node: int, places: np.ndarray, n_train: int | None) -> int:
    """Give classes that the model never saw the probability of Laplace's rule, or 0."""
    floor = 0.0 if n_train is None else 1.0 / (n_train + len(places))
    seen = graph.times(node, 1.0 - floor * int((places < 0).sum()))
    return _placed(graph, seen, graph.constant(floor), places)


def _with_lowest(graph: Graph, node: int, places: np.ndarray) -> int:
    """Give classes that the model never saw a margin below all others of the row."""
    twice = graph.times(graph.reduce("minimum", node), 2.0)
    lowest = graph.arithmetic("subtract", twice, graph.reduce("maximum", node))
    return _placed(graph, node, lowest, places)


def _placed(graph: Graph, seen: int, unseen: int, places: np.ndarray) -> int:
    together = graph.concatenate([seen, unseen])
    return graph.select(together, np.where(places < 0, graph.width(seen), places))


# --- bags of fold models --------------------------------------------------------------------------


def _mean_answer(bag: FoldBag, graph: Graph, table: Table) -> int:
    answers = [
        read_answer(model, graph, table, bag.response, bag.task, n_train=n_train)
        for model, n_train in zip(bag.models, bag.n_train, strict=True)
    ]
    if bag.averages_one_column:
        return graph.two_classes(graph.mean([graph.select(answer, [1]) for answer in answers]))
    return graph.mean(answers)


@reads_model("stackens.FoldBag")
def _read_bag(bag: FoldBag, graph: Graph, table: Table, method: Method) -> int:
    answer = _mean_answer(bag, graph, table)
    if method == "predict" and bag.task.has_classes and bag.response != "value":
        return graph.argmax(answer)
    if method == "decision_function" and bag.task.kind == "binary":
        return graph.select(answer, [1])
    if method == "predict" and bag.task.y_ndim == 1:
        return graph.select(answer, [graph.width(answer) - 1])
    return answer

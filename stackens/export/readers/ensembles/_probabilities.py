"""Small steps on probabilities that several combiners and students share."""

from __future__ import annotations

import numpy as np

from stackens._core._task import Task
from stackens.export.program import Graph

__all__ = ["log_odds", "probabilities_of_log_odds", "renormalised"]


def renormalised(graph: Graph, node: int, task: Task) -> int:
    """Return what :func:`stackens._core._losses.renormalise` makes of numbers."""
    inside = graph.clip(node, 0.0, 1.0)
    if not task.has_classes:
        return inside
    total = graph.reduce("sum", inside)
    positive = graph.arithmetic("less", graph.constant(0.0), total)
    uniform = graph.constant(1.0 / graph.width(inside))
    return graph.choose(positive, graph.arithmetic("divide", inside, total), uniform)


def log_odds(graph: Graph, probabilities: int) -> int:
    """Return log-odds of two classes, or log-probabilities of more."""
    least = graph.constant(np.finfo(float).tiny)
    logs = graph.elementwise("log", graph.arithmetic("maximum", probabilities, least))
    if graph.width(logs) != 2:
        return logs
    return graph.arithmetic("subtract", graph.select(logs, [1]), graph.select(logs, [0]))


def probabilities_of_log_odds(graph: Graph, odds: int) -> int:
    """Return the probabilities of both classes, each from a sigmoid of its own."""
    first = graph.elementwise("sigmoid", graph.elementwise("negative", odds))
    return graph.concatenate([first, graph.elementwise("sigmoid", odds)])

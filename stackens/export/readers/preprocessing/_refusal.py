"""Says which rows a transformer refuses, with as few further steps as are needed."""

from __future__ import annotations

import numpy as np

from stackens.export.program import (
    Arithmetic,
    Choose,
    Concatenate,
    Constant,
    Count,
    Elementwise,
    Graph,
    Lookup,
    Select,
)
from stackens.export.readers._table import Table

__all__ = ["finite_numbers", "refuse_infinite", "refuse_not_finite"]

_COMPARISONS = ("less", "less_equal", "equal")


def finite_numbers(graph: Graph, table: Table) -> int:
    """Return all columns as numbers; rows with one that is missing or infinite are refused."""
    numbers = table.numbers(graph)
    refuse_not_finite(graph, numbers)
    return numbers


def refuse_not_finite(graph: Graph, node: int) -> None:
    """Refuse rows in which a matrix is NaN or infinite."""
    if not _harmless(graph, node, missing_too=True):
        graph.refuse(node)


def refuse_infinite(graph: Graph, node: int) -> None:
    """Refuse rows in which a matrix is infinite; NaN is taken."""
    if not _harmless(graph, node, missing_too=False):
        graph.refuse(graph.fill_missing(node, 0.0))


def _harmless(graph: Graph, node: int, *, missing_too: bool) -> bool:
    """Whether a matrix is never infinite (nor NaN) in a row that is not refused already."""
    if graph.refuses(node):
        return True
    step = graph[node]
    match step:
        case Lookup():
            rows = [step.values.ravel(), step.missing, step.unknown]
            return _fine(np.concatenate(rows), missing_too)
        case Constant():
            return _fine(step.values, missing_too)
        case Elementwise():
            return step.function in ("is_missing", "is_finite")
        case Arithmetic():
            return step.function in _COMPARISONS
        case Count() if not missing_too:
            return True
        case Select() | Concatenate():
            parts = step.sources
        case Choose():
            if _replaces_missing(graph, step):
                return _harmless(graph, step.no, missing_too=False) and _harmless(
                    graph, step.yes, missing_too=missing_too
                )
            parts = (step.yes, step.no)
        case _:
            return False
    return all(_harmless(graph, part, missing_too=missing_too) for part in parts)


def _fine(values: np.ndarray, missing_too: bool) -> bool:
    return bool(np.isfinite(values).all() if missing_too else not np.isinf(values).any())


def _replaces_missing(graph: Graph, step: Choose) -> bool:
    condition = graph[step.condition]
    return (
        isinstance(condition, Elementwise)
        and condition.function == "is_missing"
        and condition.source == step.no
    )

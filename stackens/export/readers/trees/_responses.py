"""What readers of trees share: labels from probabilities, and errors for what a model lacks."""

from __future__ import annotations

from typing import Any

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method

__all__ = ["no_such_method", "of_probabilities"]


def no_such_method(model: Any, method: Method, reason: str, instead: str) -> ExportError:
    """Return the error that says that a model has no such answer."""
    return ExportError(
        f"A model that is read by {method} must have it. Got a {type(model).__name__}, and "
        f"{reason}. Read it by {instead}."
    )


def of_probabilities(graph: Graph, probabilities: int, method: Method) -> int:
    """Return probabilities, or for "predict" the position of the largest."""
    return graph.argmax(probabilities) if method == "predict" else probabilities

"""Reads models that hand every question on to one that they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import Method, read_response, reads_model
from stackens.export.readers._table import Table

__all__: list[str] = []


def _holding(attribute: str) -> Callable[[Any, Graph, Table, Method], int]:
    def read(model: Any, graph: Graph, table: Table, method: Method) -> int:
        if not hasattr(model, attribute):
            raise ExportError(
                f"{type(model).__name__} must hold a fitted model as '{attribute}'. Got "
                f"{model!r:.200} without it. Fit it (with refit=True, if it is a search)."
            )
        return read_response(getattr(model, attribute), graph, table, method)

    return read


reads_model("sklearn.FrozenEstimator")(_holding("estimator"))
reads_model("sklearn.RANSACRegressor", "sklearn.SelfTrainingClassifier")(_holding("estimator_"))
reads_model(
    "sklearn.GridSearchCV",
    "sklearn.HalvingGridSearchCV",
    "sklearn.HalvingRandomSearchCV",
    "sklearn.RandomizedSearchCV",
)(_holding("best_estimator_"))

"""Reads scikit-learn's dummies, which answer the same for every row."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import answer_of_probabilities, one_label_only, only_predicts
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table

__all__: list[str] = []


@reads_model("sklearn.DummyRegressor")
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return graph.constant(np.ravel(model.constant_).astype(np.float64))


@reads_model("sklearn.DummyClassifier")
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    one_label_only(model, model.n_outputs_ == 1)
    if model._strategy not in ("most_frequent", "prior", "constant"):
        raise ExportError(
            "A DummyClassifier must answer the same for every row. Got "
            f"strategy={model._strategy!r}, which draws at random. Use strategy='prior'."
        )
    classes = np.asarray(model.classes_)
    if model._strategy == "constant":
        chosen = int(np.flatnonzero(classes == np.ravel(model.constant)[0])[0])
    else:
        chosen = int(np.argmax(model.class_prior_))
    if model._strategy == "prior":
        row = model.class_prior_
    else:
        row = (np.arange(len(classes)) == chosen).astype(np.float64)
    return answer_of_probabilities(model, graph, method, graph.constant(row))


@reads_model("sklearn._ConstantPredictor")
def _constant_predictor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read what OneVsRestClassifier puts in place of a class that all or no rows have."""
    value = float(np.ravel(model.y_)[0])
    if method == "predict_proba":
        return graph.constant(np.array([1.0 - value, value]))
    return graph.constant(value)

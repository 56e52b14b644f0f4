"""Reads scikit-learn's linear models: regressors, generalised ones and classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import (
    classifier_answer,
    distribution,
    one_label_only,
    only_predicts,
    sigmoid_or_softmax,
)
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__ = ["linear_scores"]


def linear_scores(model: Any, graph: Graph, source: int) -> int:
    """Return ``x @ coef_.T + intercept_``, a column for each row of the coefficients."""
    coef = model.coef_.toarray() if sparse.issparse(model.coef_) else np.asarray(model.coef_)
    weights = np.atleast_2d(coef).T.astype(np.float64)
    return graph.dense(source, weights, np.asarray(model.intercept_, dtype=np.float64))


@reads_model(
    "sklearn.ARDRegression",
    "sklearn.BayesianRidge",
    "sklearn.ElasticNet",
    "sklearn.ElasticNetCV",
    "sklearn.HuberRegressor",
    "sklearn.Lars",
    "sklearn.LarsCV",
    "sklearn.Lasso",
    "sklearn.LassoCV",
    "sklearn.LassoLars",
    "sklearn.LassoLarsCV",
    "sklearn.LassoLarsIC",
    "sklearn.LinearRegression",
    "sklearn.LinearSVR",
    "sklearn.MultiTaskElasticNet",
    "sklearn.MultiTaskElasticNetCV",
    "sklearn.MultiTaskLasso",
    "sklearn.MultiTaskLassoCV",
    "sklearn.OrthogonalMatchingPursuit",
    "sklearn.OrthogonalMatchingPursuitCV",
    "sklearn.PassiveAggressiveRegressor",
    "sklearn.QuantileRegressor",
    "sklearn.Ridge",
    "sklearn.RidgeCV",
    "sklearn.SGDRegressor",
    "sklearn.TheilSenRegressor",
)
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return linear_scores(model, graph, finite_numbers(graph, table))


@reads_model("sklearn.GammaRegressor", "sklearn.PoissonRegressor", "sklearn.TweedieRegressor")
def _generalised(model: Any, graph: Graph, table: Table, method: Method) -> int:
    values = _regressor(model, graph, table, method)
    link = type(model._base_loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise ExportError(
            f"The link of {type(model).__name__} must be the identity or the logarithm. Got "
            f"{link}. Use link='log' or link='identity'."
        )
    return graph.elementwise("exp", values) if link == "LogLink" else values


@reads_model("sklearn.CCA", "sklearn.PLSCanonical", "sklearn.PLSRegression")
def _partial_least_squares(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return linear_scores(model, graph, graph.minus(finite_numbers(graph, table), model._x_mean))


@reads_model(
    "sklearn.LinearSVC",
    "sklearn.PassiveAggressiveClassifier",
    "sklearn.Perceptron",
    "sklearn.RidgeClassifier",
    "sklearn.RidgeClassifierCV",
)
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    return _answer(model, graph, table, method, None)


@reads_model(
    "sklearn.LinearDiscriminantAnalysis",
    "sklearn.LogisticRegression",
    "sklearn.LogisticRegressionCV",
)
def _logistic(model: Any, graph: Graph, table: Table, method: Method) -> int:
    return _answer(model, graph, table, method, sigmoid_or_softmax)


@reads_model("sklearn.SGDClassifier")
def _gradient_descent(model: Any, graph: Graph, table: Table, method: Method) -> int:
    by_loss = {"log_loss": _one_against_rest, "modified_huber": _clipped}
    return _answer(model, graph, table, method, by_loss.get(model.loss))


def _answer(
    model: Any,
    graph: Graph,
    table: Table,
    method: Method,
    probabilities: Callable[[Graph, int], int] | None,
) -> int:
    scores = linear_scores(model, graph, finite_numbers(graph, table))
    n_classes = len(model.classes_)
    # ridge classifiers count several labels as classes
    kind = getattr(getattr(model, "_label_binarizer", None), "y_type_", "")
    fits = graph.width(scores) == (1 if n_classes == 2 else n_classes)
    one_label_only(model, fits and not kind.startswith("multilabel"))
    return classifier_answer(model, graph, method, scores, probabilities)


def _one_against_rest(graph: Graph, scores: int) -> int:
    each = graph.elementwise("sigmoid", scores)
    return graph.two_classes(each) if graph.width(scores) == 1 else distribution(graph, each)


def _clipped(graph: Graph, scores: int) -> int:
    """Return ``(clip(score, -1, 1) + 1) / 2``: Zhang (2002), appendix B, for the Huber loss."""
    each = graph.over(graph.plus(graph.clip(scores, -1.0, 1.0), 1.0), 2.0)
    return graph.two_classes(each) if graph.width(scores) == 1 else distribution(graph, each)

"""Reads XGBoost: boosters, and the classifiers, regressors and rankers around them.

XGBoost adds leaves in single precision, and so agrees with a sum in double precision to about 1e-6
of the size of its scores; which leaf a row reaches is exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import no_such_method, of_probabilities, only_predicts
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import NO_SET, joined_trees
from stackens.export.readers.trees._xgboost_model import XGBoostModel, read_model

__all__ = ["read_booster", "read_classifier", "read_regressor"]

_SIGMOID = ("binary:logistic", "reg:logistic")
_SOFTMAX = ("multi:softprob", "multi:softmax")
_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_IDENTITY = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "binary:logitraw",
    "rank:ndcg",
    "rank:map",
    "rank:pairwise",
)


@reads_model("xgboost.Booster")
def read_booster(booster: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a booster.

    "predict" is what ``booster.predict`` gives: for two classes the probability of the second.
    "predict_proba" is a column for each class, for objectives of classes, and
    "decision_function" the margins.
    """
    model = read_model(booster, None)
    # a DMatrix, unlike the classes around a booster, takes no infinite numbers
    rounded = graph.elementwise("round_single", table.numbers(graph))
    graph.refuse(graph.fill_missing(rounded, 0.0))
    margins = _margins(model, np.nan, graph, table)
    if method == "decision_function":
        return margins
    if method == "predict":
        return _values(model.objective, graph, margins)
    if model.objective not in (*_SIGMOID, *_SOFTMAX):
        reason = f"its objective, {model.objective!r}, is not one of classes"
        raise no_such_method(booster, method, reason, "predict")
    return _probabilities(model.objective, graph, margins)


@reads_model("xgboost.XGBRegressor", "xgboost.XGBRFRegressor", "xgboost.XGBRanker")
def read_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a regressor, or the scores of a ranker."""
    only_predicts(model, method)
    read = _model_of(model)
    return _values(read.objective, graph, _margins(read, model.missing, graph, table))


@reads_model("xgboost.XGBClassifier", "xgboost.XGBRFClassifier")
def read_classifier(classifier: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier."""
    model = _model_of(classifier)
    margins = _margins(model, classifier.missing, graph, table)
    if method == "decision_function":
        return margins
    n_scores = 1 if classifier.n_classes_ == 2 else classifier.n_classes_
    if (
        callable(classifier.objective)
        or model.objective not in (*_SIGMOID, *_SOFTMAX)
        or len(model.base) != n_scores
    ):
        raise ExportError(
            f"A classifier must have an objective with probabilities, and one target. Got an "
            f"{type(classifier).__name__} with the objective {classifier.objective!r} and "
            f"{len(model.base)} scores for {classifier.n_classes_} classes. Export its booster, or "
            "train with 'binary:logistic' or 'multi:softprob'."
        )
    return of_probabilities(graph, _probabilities(model.objective, graph, margins), method)


def _model_of(wrapper: Any) -> XGBoostModel:
    """Read the iterations that `predict` uses: up to the best one, if training stopped early."""
    booster = wrapper.get_booster()
    best = booster.attr("best_iteration")
    return read_model(booster, None if best is None else int(best) + 1)


def _margins(model: XGBoostModel, missing: float | None, graph: Graph, table: Table) -> int:
    """Sum the trees over columns as splits read them: single precision, categories whole."""
    graph.note_single_precision()  # XGBoost adds leaves up as float32
    n_features = len(table)
    split = [tree.category_set != NO_SET for tree in model.trees]
    keys = [
        tree.feature + n_features * by_category
        for tree, by_category in zip(model.trees, split, strict=True)
    ]
    used = np.unique(np.concatenate(keys)).astype(np.int64)
    trees = [
        replace(tree, feature=np.searchsorted(used, key))
        for tree, key in zip(model.trees, keys, strict=True)
    ]
    parts = []
    plain, whole = used[used < n_features], used[used >= n_features] - n_features
    if len(plain):
        parts.append(_single(table, plain, missing, graph))
    if len(whole):  # -0.5 is no category, so down, not towards 0
        parts.append(graph.elementwise("floor", _single(table, whole, missing, graph)))
    if not parts:  # no tree has a split
        parts = [graph.constant(0.0)]
    return joined_trees(
        graph,
        graph.concatenate(parts),
        trees,
        offset=model.offset,
        base=model.base,
        sets=model.sets,
    )


def _single(table: Table, columns: np.ndarray, missing: float | None, graph: Graph) -> int:
    """Round to single precision; the number that stands for missing values becomes NaN."""
    rounded = graph.elementwise("round_single", table.select(columns).numbers(graph))
    if missing is None or np.isnan(missing):
        return rounded
    stands = graph.constant(float(np.float32(missing)))
    is_missing = graph.arithmetic("equal", rounded, stands)
    return graph.choose(is_missing, graph.constant(np.nan), rounded)


def _values(objective: str, graph: Graph, margins: int) -> int:
    """Turn margins into what `predict` answers: PredTransform of the objective."""
    if objective in _IDENTITY:
        return margins
    if objective in _SIGMOID:
        return graph.elementwise("sigmoid", margins)
    if objective in _EXPONENTIAL:
        return graph.elementwise("exp", margins)
    if objective == "multi:softprob":
        return graph.softmax(margins)
    if objective == "multi:softmax":
        return graph.argmax(margins)
    if objective == "binary:hinge":
        return graph.arithmetic("less", graph.constant(0.0), margins)
    raise ExportError(
        f"The objective of an XGBoost model must be known. Got {objective!r}. Train it with "
        "another objective."
    )


def _probabilities(objective: str, graph: Graph, margins: int) -> int:
    if objective in _SIGMOID:
        return graph.two_classes(graph.elementwise("sigmoid", margins))
    return graph.softmax(margins)

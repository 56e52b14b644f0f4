"""Reads LightGBM: boosters, and the classifier, regressor and ranker around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import no_such_method, of_probabilities, only_predicts
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import NO_SET, TreeArrays, joined_trees
from stackens.export.readers.trees._lightgbm_categories import encoded_categories
from stackens.export.readers.trees._lightgbm_text import LightGBMModel, parse_model_text

__all__ = ["read_booster", "read_classifier", "read_regressor"]

# LightGBM's kZeroThreshold, a float: what is not farther from 0 counts as 0.
_ALMOST_ZERO = float(np.float32(1e-35))
_BELOW_ALMOST_ZERO = np.nextafter(-_ALMOST_ZERO, -np.inf)
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2

_IDENTITY = (
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",  # codespell:ignore mape
    "lambdarank",
    "rank_xendcg",
    "custom",
)
_EXPONENTIAL = ("poisson", "gamma", "tweedie")
_TWO_CLASSES = ("binary", "cross_entropy")
_SEVERAL_CLASSES = ("multiclass", "multiclassova")


@reads_model("lightgbm.Booster")
def read_booster(booster: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a booster.

    "predict" is what ``booster.predict`` gives: for two classes the probability of the second.
    "predict_proba" is a column for each class, for objectives of classes, and
    "decision_function" what ``predict(raw_score=True)`` gives.
    """
    model = _model_of(booster)
    raw = _raw_scores(model, booster.pandas_categorical, graph, table)
    if method == "decision_function":
        return raw
    values = _converted(model, graph, raw)
    if method == "predict":
        return values
    name = _objective_of(model)
    if name not in (*_TWO_CLASSES, *_SEVERAL_CLASSES):
        raise no_such_method(
            booster, method, f"its objective, {name!r}, is not one of classes", "predict"
        )
    return graph.two_classes(values) if name in _TWO_CLASSES else values


@reads_model("lightgbm.LGBMRegressor", "lightgbm.LGBMRanker", "lightgbm.LGBMModel")
def read_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a regressor, or the scores of a ranker."""
    only_predicts(model, method)
    _refuse_early_stop(model)
    return read_booster(model.booster_, graph, table, "predict")


@reads_model("lightgbm.LGBMClassifier")
def read_classifier(classifier: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier."""
    _refuse_early_stop(classifier)
    booster = classifier.booster_
    if method == "decision_function":
        return read_booster(booster, graph, table, method)
    if callable(classifier.objective_):
        raise ExportError(
            "A classifier must have probabilities. Got a LGBMClassifier with a function as "
            "objective, with which LightGBM knows raw scores only. Export its 'booster_', which "
            "answers with these, or distil the classifier."
        )
    values = read_booster(booster, graph, table, "predict")
    several = len(classifier.classes_) > 2  # of one class it gives two probabilities, too
    return of_probabilities(graph, values if several else graph.two_classes(values), method)


def _refuse_early_stop(model: Any) -> None:
    if model.get_params().get("pred_early_stop"):
        raise ExportError(
            "All trees must be summed for every row. Got a LightGBM model with "
            "pred_early_stop=True, which leaves some out where a score is large already. "
            "Set pred_early_stop=False (set_params); no new fit is needed."
        )


def _model_of(booster: Any) -> LightGBMModel:
    """Read the iterations that `predict` uses: up to the best one, if training stopped early."""
    return parse_model_text(booster.model_to_string(num_iteration=max(booster.best_iteration, 0)))


def _raw_scores(
    model: LightGBMModel, categories: list[list[Any]] | None, graph: Graph, table: Table
) -> int:
    trees = model.trees
    used = np.unique(trees.feature)
    table, encoded = encoded_categories(model, categories or [], used, graph, table)
    source, trees = _source_of_splits(model, encoded, graph, table)
    return joined_trees(
        graph,
        source,
        [trees],
        offset=np.arange(model.n_trees) % model.n_scores,
        base=np.zeros(model.n_scores),
        sets=model.sets,
    )


def _source_of_splits(
    model: LightGBMModel, encoded: frozenset[int], graph: Graph, table: Table
) -> tuple[int, TreeArrays]:
    """Return a node with a column for each way in which splits read a feature.

    And the trees with those columns as features, and directions of missing values that hold for
    NaN in them.
    """
    trees = model.trees
    is_category = trees.category_set != NO_SET
    as_whole = is_category & ~np.isin(trees.feature, list(encoded))
    zero_missing = ~is_category & (model.missing == _ZERO_IS_MISSING)
    way = np.where(as_whole, 2, np.where(zero_missing, 1, 0))
    n_features = len(table)
    found, columns = np.unique(way * n_features + trees.feature, return_inverse=True)
    features = [found[found // n_features == w] % n_features for w in range(3)]
    plain, zeros, whole = (table.select(f).numbers(graph) if len(f) else None for f in features)
    parts = [] if plain is None else [plain]
    if zeros is not None:
        parts.append(_zeros_as_missing(graph, zeros))
    if whole is not None:  # LightGBM cuts 5.5 to the category 5, and -0.5 to 0
        parts.append(graph.elementwise("truncate", whole))
    if not parts:  # no tree has a split
        parts = [graph.constant(0.0)]
    # what is almost 0 reaches the trees as 0
    threshold = trees.threshold.copy()
    threshold[(threshold >= 0) & (threshold < _ALMOST_ZERO)] = _ALMOST_ZERO
    threshold[(threshold >= -_ALMOST_ZERO) & (threshold < 0)] = _BELOW_ALMOST_ZERO
    # 0, where NaN counts as 0, goes to the left of thresholds that are not below it
    nan_left = np.where(model.missing == 0, threshold >= 0, trees.missing_left)
    return graph.concatenate(parts), replace(
        trees, feature=columns, threshold=threshold, missing_left=nan_left & ~is_category
    )


def _zeros_as_missing(graph: Graph, source: int) -> int:
    size = graph.elementwise("absolute", source)
    is_zero = graph.arithmetic("less_equal", size, graph.constant(_ALMOST_ZERO))
    return graph.choose(is_zero, graph.constant(np.nan), source)


def _objective_of(model: LightGBMModel) -> str:
    return model.objective[0] if model.objective else "custom"


def _converted(model: LightGBMModel, graph: Graph, raw: int) -> int:
    """Turn raw scores into what `predict` answers: their mean, ConvertOutput of the objective."""
    if model.averaged:  # only here: raw scores stay sums
        raw = graph.over(raw, float(model.n_trees // model.n_scores))
    name = _objective_of(model)
    words = dict(word.split(":") for word in model.objective[1:] if ":" in word)
    if name in _IDENTITY:
        if "sqrt" not in model.objective:
            return raw
        size = graph.elementwise("sign", raw)
        return graph.arithmetic("multiply", graph.arithmetic("multiply", size, raw), raw)
    if name in _EXPONENTIAL:
        return graph.elementwise("exp", raw)
    if name == "multiclass":
        return graph.softmax(raw)
    if name == "cross_entropy_lambda":
        return graph.elementwise("softplus", raw)
    if name in (*_TWO_CLASSES, *_SEVERAL_CLASSES):
        return graph.elementwise("sigmoid", graph.times(raw, float(words.get("sigmoid", 1.0))))
    raise ExportError(
        f"The objective of a LightGBM model must be known. Got {name!r}. Export its raw scores "
        "(decision_function of its booster), or train with another objective."
    )

"""Combiners that are linear in the models' log-probabilities."""

from __future__ import annotations

import numpy as np

from stackens.combiners import LogisticOnLogits, LogLinearPool, TwoScalePool
from stackens.combiners._logistic import LOGIT_FLOOR, is_probability
from stackens.combiners._two_scale import SLOPE
from stackens.export.program import Graph
from stackens.export.readers.ensembles._predictions import Predictions
from stackens.export.readers.ensembles._probabilities import probabilities_of_log_odds

__all__ = ["read_log_linear"]


def read_log_linear(
    combiner: LogisticOnLogits | LogLinearPool | TwoScalePool,
    graph: Graph,
    predictions: Predictions,
) -> int:
    """Read a log-linear pool or logistic regression, and return the node of its probabilities.

    Parameters
    ----------
    combiner : fitted combiner
    graph : Graph
    predictions : Predictions
        Of a binary or multiclass task.
    """
    binary = predictions.like.task.kind == "binary"
    coef, intercept = combiner._coefs[0], combiner._intercepts[0]
    # one row of coefficients for each feature: of a model, then of the bounded probabilities
    sources = [(model, False) for model in range(predictions.like.n_models)]
    if len(coef) > len(sources):
        kinds = predictions.like.response
        sources += [(model, True) for model, kind in enumerate(kinds) if is_probability(kind)]
    used = [i for i in range(len(sources)) if np.any(coef[i])]
    features = [
        _bounded(graph, predictions, model)
        if bounded
        else _log_feature(combiner, graph, predictions, model)
        for model, bounded in (sources[i] for i in used)
    ]
    if not used:
        scores = graph.constant(np.broadcast_to(intercept, (1 if binary else len(intercept),)))
    elif coef.ndim == 1:
        scores = graph.plus(graph.weighted_sum(features, coef[used]), intercept)
    else:
        products = [graph.times(f, coef[i]) for f, i in zip(features, used, strict=True)]
        scores = graph.plus(graph.weighted_sum(products, np.ones(len(products))), intercept)
    return probabilities_of_log_odds(graph, scores) if binary else graph.softmax(scores)


def _log_feature(
    combiner: LogisticOnLogits | LogLinearPool, graph: Graph, predictions: Predictions, model: int
) -> int:
    """Return log-odds (binary) or centred log-probabilities, or standardised margins and values."""
    node = predictions.of(model)
    binary = predictions.like.task.kind == "binary"
    if not is_probability(predictions.like.response[model]):
        node = graph.select(node, [1]) if binary else node
        centred = graph.minus(node, combiner.centre_[model])
        return graph.over(centred, combiner.scale_[model])
    inside = graph.clip(node, LOGIT_FLOOR, 1.0 - LOGIT_FLOOR)
    if binary:
        odds = graph.arithmetic("divide", graph.select(inside, [1]), graph.select(inside, [0]))
        return graph.elementwise("log", odds)
    logs = graph.elementwise("log", inside)
    mean = graph.over(graph.reduce("sum", logs), float(graph.width(logs)))
    return graph.arithmetic("subtract", logs, mean)


def _bounded(graph: Graph, predictions: Predictions, model: int) -> int:
    """Return the second feature of a two-scale pool."""
    node = predictions.of(model)
    if predictions.like.task.kind == "binary":
        node = graph.select(node, [1])
    return graph.times(graph.minus(node, 0.5), SLOPE)

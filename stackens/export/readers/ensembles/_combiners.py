"""Reads fitted combiners: what turns the answers of base models into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.combiners import (
    AutoCombiner,
    Combiner,
    LogisticOnLogits,
    LogLinearPool,
    MajorityVote,
    MetaLearner,
    NonNegativeLeastSquares,
    RidgeLeaveOneOut,
    TwoScalePool,
    WeightedCombiner,
    weightless,
)
from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._table import Table
from stackens.export.readers.ensembles._log_linear import read_log_linear
from stackens.export.readers.ensembles._meta_learner import read_meta_learner
from stackens.export.readers.ensembles._predictions import Predictions, read_predictions
from stackens.export.readers.ensembles._probabilities import renormalised
from stackens.out_of_fold import CrossFit

__all__ = ["read_combination", "read_combined"]


def read_combined(cross_fit: CrossFit, combiner: Combiner, graph: Graph, table: Table) -> int:
    """Read the models of a cross-fit and a combiner, and return the node of the combination.

    Models that the combiner gives no weight are not read.

    Parameters
    ----------
    cross_fit : CrossFit
    combiner : Combiner
        Fitted on it.
    graph : Graph
    table : Table
        The columns that the models were fitted on.

    Returns
    -------
    int
        A node of width ``cross_fit.task.n_outputs``.

    Raises
    ------
    ExportError
        If one of them cannot be written exactly.
    """
    skip = weightless(combiner, cross_fit.names)
    predictions = read_predictions(cross_fit, graph, table, skip=skip)
    return read_combination(combiner, graph, predictions)


def read_combination(combiner: Combiner, graph: Graph, predictions: Predictions) -> int:
    """Read a fitted combiner, and return the node of what it makes of predictions.

    Raises
    ------
    ExportError
        If the combiner is not one of ours, or combines in a way of its own.
    """
    reader = _READERS.get(type(combiner))
    # a weighted mean stays one however its weights were found
    if type(combiner).combine is WeightedCombiner.combine:
        reader = _read_weighted
    if reader is None:
        known = ", ".join(sorted(cls.__name__ for cls in _READERS))
        raise ExportError(
            f"The combiner {type(combiner).__name__} cannot be exported. Got {combiner!r:.200}. "
            f"What can: weighted means, and {known}. Use one of them, or distil the ensemble."
        )
    return reader(combiner, graph, predictions)


def _read_auto(combiner: AutoCombiner, graph: Graph, predictions: Predictions) -> int:
    return read_combination(combiner.best_combiner_, graph, predictions)


def _read_weighted(combiner: WeightedCombiner, graph: Graph, predictions: Predictions) -> int:
    used = np.flatnonzero(combiner.weights_).tolist()
    if not used:  # of non-negative least squares, where no model helps
        return graph.constant(np.zeros(predictions.like.n_outputs))
    return graph.weighted_sum([predictions.of(m) for m in used], combiner.weights_[used])


def _read_nnls(combiner: NonNegativeLeastSquares, graph: Graph, predictions: Predictions) -> int:
    mean = _read_weighted(combiner, graph, predictions)
    task = predictions.like.task
    return renormalised(graph, mean, task) if task.is_classification else mean


def _read_ridge(combiner: RidgeLeaveOneOut, graph: Graph, predictions: Predictions) -> int:
    task = predictions.like.task
    values = graph.dense(predictions.matrix(graph), combiner.coef_.T, combiner.intercept_)
    return renormalised(graph, values, task) if task.is_classification else values


def _read_vote(combiner: MajorityVote, graph: Graph, predictions: Predictions) -> int:
    used = np.flatnonzero(combiner.weights_).tolist()
    n_classes = predictions.like.n_outputs
    votes = [graph.one_hot(graph.argmax(predictions.of(m)), n_classes) for m in used]
    return graph.weighted_sum(votes, combiner.weights_[used])


_READERS: dict[type[Combiner], Callable[[Any, Graph, Predictions], int]] = {
    AutoCombiner: _read_auto,
    LogLinearPool: read_log_linear,
    LogisticOnLogits: read_log_linear,
    MajorityVote: _read_vote,
    MetaLearner: read_meta_learner,
    NonNegativeLeastSquares: _read_nnls,
    RidgeLeaveOneOut: _read_ridge,
    TwoScalePool: read_log_linear,
}

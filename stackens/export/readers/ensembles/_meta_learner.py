"""What a meta-learner sees: predictions, and the features that pass through beside them."""

from __future__ import annotations

from stackens.combiners import MetaLearner
from stackens.export.program import Graph
from stackens.export.readers._table import Table
from stackens.export.readers.ensembles._answers import read_answer
from stackens.export.readers.ensembles._predictions import Predictions

__all__ = ["read_meta_features", "read_meta_learner"]


def read_meta_features(combiner: MetaLearner, graph: Graph, predictions: Predictions) -> Table:
    """Return the columns that :func:`stackens.combiners.meta_features` hands to the meta-learner.

    Parameters
    ----------
    combiner : MetaLearner
        A fitted one.
    graph : Graph
    predictions : Predictions
    """
    features = predictions.features
    names = None if features.names is None else predictions.like.column_names()
    table = Table.of_node(graph, predictions.matrix(graph), names)
    return table.beside(features.select(combiner.passed_))


def read_meta_learner(combiner: MetaLearner, graph: Graph, predictions: Predictions) -> int:
    """Read a meta-learner, and return the node of its answer in the layout of the table."""
    return read_answer(
        combiner.final_estimator_,
        graph,
        read_meta_features(combiner, graph, predictions),
        combiner.response_,
        predictions.like.task,
    )

"""Reads scikit-learn's HistGradientBoostingClassifier and HistGradientBoostingRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import classifier_answer, only_predicts, sigmoid_or_softmax
from stackens.export.readers._registry import Method, read_transform, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import (
    NO_SET,
    TreeArrays,
    joined_trees,
    members_of_bits,
)

__all__ = ["read_classifier", "read_regressor"]


@reads_model("sklearn.HistGradientBoostingRegressor")
def read_regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a regressor, of a loss with identity or logarithm as its link."""
    only_predicts(model, method)
    raw = _raw_scores(model, graph, table)
    link = type(model._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise ExportError(
            "The link of a HistGradientBoostingRegressor must be the identity or the logarithm. "
            f"Got {link} of {model.loss!r}. Choose another loss."
        )
    return graph.elementwise("exp", raw) if link == "LogLink" else raw


@reads_model("sklearn.HistGradientBoostingClassifier")
def read_classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a classifier."""
    raw = _raw_scores(model, graph, table)
    return classifier_answer(model, graph, method, raw, sigmoid_or_softmax)


def _raw_scores(model: Any, graph: Graph, table: Table) -> int:
    known_bits, known_of = model._bin_mapper.make_known_categories_bitsets()
    known = [members_of_bits(bits) for bits in known_bits]
    sets: list[np.ndarray] = []
    arrays = [
        _tree_arrays(predictor, known, known_of, sets)
        for iteration in model._predictors
        for predictor in iteration
    ]
    base = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return joined_trees(
        graph,
        _encoded(model, graph, table).numbers(graph),
        arrays,
        offset=np.arange(len(arrays)) % len(base),
        base=base,
        sets=sets,
    )


def _encoded(model: Any, graph: Graph, table: Table) -> Table:
    """Return the columns as trees know them: codes of categories first, then the numbers."""
    if model.is_categorical_ is None:
        return table
    encoder = model._preprocessor.named_transformers_["encoder"]
    categories = table.select(np.flatnonzero(model.is_categorical_))
    numbers = table.select(np.flatnonzero(~model.is_categorical_))
    return read_transform(encoder, graph, categories).beside(numbers)


def _tree_arrays(
    predictor: Any, known: list[np.ndarray], known_of: np.ndarray, sets: list[np.ndarray]
) -> TreeArrays:
    """Return the arrays of one tree, and add its sets of categories to `sets`.

    Categories that the trees do not know go where missing values go: where that is to the left, the
    split is turned round, so that what is in no set and what is missing go to the right.
    """
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"] != 0
    inner = nodes[~is_leaf]
    place = np.where(is_leaf, -np.cumsum(is_leaf), np.cumsum(~is_leaf) - 1)
    left, right = place[inner["left"]], place[inner["right"]]
    missing_left = inner["missing_go_to_left"] != 0
    category_set = np.full(len(inner), NO_SET)
    for i in np.flatnonzero(inner["is_categorical"]):
        members = members_of_bits(predictor.raw_left_cat_bitsets[inner["bitset_idx"][i]])
        if missing_left[i]:
            members = np.setdiff1d(known[known_of[inner["feature_idx"][i]]], members)
            left[i], right[i] = right[i], left[i]
            missing_left[i] = False
        category_set[i] = len(sets)
        sets.append(members)
    return TreeArrays(
        feature=inner["feature_idx"],
        threshold=inner["num_threshold"],
        missing_left=missing_left,
        category_set=category_set,
        left=left,
        right=right,
        leaf=nodes["value"][is_leaf][:, None],
        root=place[:1],
    )

"""Reads scikit-learn's decision trees, random forests and extra trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import no_such_method, of_probabilities
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.trees._joined import NO_SET, TreeArrays, joined_trees

__all__ = [
    "is_tree",
    "leaves_of_tree",
    "read_forest",
    "read_tree",
    "single_precision_input",
    "takes_missing",
    "tree_arrays",
]

_TREES = (
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "ExtraTreeClassifier",
    "ExtraTreeRegressor",
)


@reads_model(*(f"sklearn.{name}" for name in _TREES))
def read_tree(tree: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read one tree."""
    _check_answer(tree, method)
    source = single_precision_input(graph, table, missing_allowed=takes_missing(tree))
    return _answer(graph, _sum_of_leaves(graph, source, [tree]), method, tree)


@reads_model(
    "sklearn.RandomForestClassifier",
    "sklearn.RandomForestRegressor",
    "sklearn.ExtraTreesClassifier",
    "sklearn.ExtraTreesRegressor",
)
def read_forest(forest: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a forest: the trees' sum, then divided by their number."""
    _check_answer(forest, method)
    trees = forest.estimators_
    source = single_precision_input(graph, table, missing_allowed=takes_missing(trees[0]))
    mean = graph.over(_sum_of_leaves(graph, source, trees), float(len(trees)))
    return _answer(graph, mean, method, forest)


def single_precision_input(graph: Graph, table: Table, *, missing_allowed: bool) -> int:
    """Return the columns as scikit-learn's trees read them, and refuse the rows that they refuse.

    Numbers are rounded to single precision. What is infinite then is refused, and missing values
    are, unless they are allowed.
    """
    source = graph.elementwise("round_single", table.numbers(graph))
    graph.refuse(graph.fill_missing(source, 0.0) if missing_allowed else source)
    return source


def tree_arrays(tree: Any, *, n_classes: int | None = None) -> TreeArrays:
    """Return the arrays of a fitted ``sklearn.tree._tree.Tree``.

    Parameters
    ----------
    tree : Tree
    n_classes : int, default=None
        Width of a leaf of a classifier; None: a leaf holds a value for each target.
    """
    is_leaf = tree.children_left < 0
    inner = ~is_leaf
    # position of each node among the inner nodes, or as a leaf
    place = np.where(is_leaf, -np.cumsum(is_leaf), np.cumsum(inner) - 1).astype(np.int32)
    values = tree.value[is_leaf]
    leaf = values[:, :, 0] if n_classes is None else values[:, 0, :n_classes]
    return TreeArrays(
        feature=tree.feature[inner].astype(np.int32),
        threshold=tree.threshold[inner],
        missing_left=tree.missing_go_to_left[inner] != 0,
        category_set=np.full(int(inner.sum()), NO_SET, dtype=np.int32),
        left=place[tree.children_left[inner]],
        right=place[tree.children_right[inner]],
        leaf=leaf,
        root=place[:1],
    )


def is_tree(model: Any) -> bool:
    """Whether a model is one of scikit-learn's trees, and has one target if it is a classifier."""
    sklearn = type(model).__module__.startswith("sklearn.")
    tree = sklearn and type(model).__name__ in _TREES
    return tree and (not hasattr(model, "classes_") or model.n_outputs_ == 1)


def leaves_of_tree(model: Any) -> TreeArrays:
    """Return the arrays of a fitted tree: leaves of probabilities, or of values."""
    n_classes = getattr(model, "n_classes_", None)
    return tree_arrays(model.tree_, n_classes=None if n_classes is None else int(n_classes))


def takes_missing(tree: Any) -> bool:
    """Whether a tree takes missing values when it predicts."""
    return tree.__sklearn_tags__().input_tags.allow_nan


def _sum_of_leaves(graph: Graph, source: int, trees: Sequence[Any]) -> int:
    arrays = [leaves_of_tree(tree) for tree in trees]
    base = np.zeros(arrays[0].leaf.shape[1])
    return joined_trees(graph, source, arrays, offset=np.zeros(len(arrays)), base=base)


def _answer(graph: Graph, values: int, method: Method, model: Any) -> int:
    return of_probabilities(graph, values, method) if hasattr(model, "classes_") else values


def _check_answer(model: Any, method: Method) -> None:
    name = type(model).__name__
    if not hasattr(model, method):
        raise no_such_method(model, method, "it has none", "predict")
    if hasattr(model, "classes_") and model.n_outputs_ > 1:
        raise ExportError(
            f"A classifier must have one target. Got a {name} with {model.n_outputs_}. Fit one "
            "classifier for each target, and export each."
        )

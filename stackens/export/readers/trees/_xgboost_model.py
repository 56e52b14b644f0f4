"""Reads what an XGBoost booster saves of itself into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.readers.trees._joined import NO_SET, TreeArrays
from stackens.export.readers.trees._ubjson import parse_ubjson

__all__ = ["XGBoostModel", "read_model"]

_LOGISTIC = ("binary:logistic", "binary:logitraw", "reg:logistic")
_LOGARITHMIC = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")


@dataclass(frozen=True)
class XGBoostModel:
    """What a saved booster says.

    Attributes
    ----------
    objective : str
    trees : list of TreeArrays
        Splits by categories send members of the set to the left, all others to the right.
    sets : list of int64 arrays
    offset : int array of shape (n_trees,)
    base : float64 array of shape (n_scores,)
        Margins that trees are added to.
    """

    objective: str
    trees: list[TreeArrays]
    sets: list[np.ndarray]
    offset: np.ndarray
    base: np.ndarray


def read_model(booster: Any, n_iterations: int | None) -> XGBoostModel:
    """Read the first iterations of a booster; None: all.

    Raises
    ------
    ExportError
        If it is linear, or was trained on a frame with categories.
    """
    learner = parse_ubjson(bytes(booster.save_raw("ubj")))["learner"]
    gradient_booster = learner["gradient_booster"]
    name = gradient_booster["name"]
    if name not in ("gbtree", "dart"):
        raise ExportError(
            f"A booster must be made of trees. Got an XGBoost booster of kind {name!r}. Train it "
            "with booster='gbtree', or use a linear model of scikit-learn."
        )
    model = gradient_booster["gbtree"]["model"] if name == "dart" else gradient_booster["model"]
    _refuse_frame_categories(learner, model)
    n_scores = _n_scores(learner)
    n_trees = _n_trees(model, n_iterations, n_scores)
    factors = gradient_booster.get("weight_drop", np.ones(n_trees))
    sets: list[np.ndarray] = []
    trees = [
        _tree_arrays(tree, float(factor), sets)
        for tree, factor in zip(model["trees"][:n_trees], factors, strict=False)
    ]
    return XGBoostModel(
        objective=learner["objective"]["name"],
        trees=trees,
        sets=sets,
        offset=np.array(model["tree_info"][:n_trees], dtype=np.int32),
        base=_base_margins(learner, n_scores),
    )


def _refuse_frame_categories(learner: dict[str, Any], model: dict[str, Any]) -> None:
    known = any(len(column["values"]) for column in model.get("cats", {}).get("enc", []))
    by_codes_of_a_frame = "cats" not in model and len(learner["feature_names"]) > 0
    if known or (by_codes_of_a_frame and "c" in learner["feature_types"]):
        raise ExportError(
            "Categories must be numbers before they reach an XGBoost model. Got a model that was "
            "trained on a frame with categories; XGBoost may take a category that it never saw for "
            "another one, which no export can repeat. Encode them first, for example with "
            "sklearn.preprocessing.OrdinalEncoder, and name them in feature_types."
        )


def _n_scores(learner: dict[str, Any]) -> int:
    parameters = learner["learner_model_param"]
    return max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))


def _n_trees(model: dict[str, Any], n_iterations: int | None, n_scores: int) -> int:
    n_trees = len(model["trees"])
    if n_iterations is None:
        return n_trees
    starts = model.get("iteration_indptr")
    if starts is not None:
        return int(starts[n_iterations])
    per_score = int(model["gbtree_model_param"]["num_parallel_tree"])
    return min(n_trees, n_iterations * per_score * n_scores)


def _base_margins(learner: dict[str, Any], n_scores: int) -> np.ndarray:
    text = str(learner["learner_model_param"]["base_score"]).strip("[]")
    scores = np.array(text.split(","), dtype=np.float32).astype(np.float64)
    objective = learner["objective"]["name"]
    if objective in _LOGISTIC:
        scores = -np.log(1.0 / scores - 1.0)
    elif objective in _LOGARITHMIC:
        scores = np.log(scores)
    return np.broadcast_to(scores, n_scores).copy()


def _tree_arrays(tree: dict[str, Any], factor: float, sets: list[np.ndarray]) -> TreeArrays:
    """Return the arrays of one tree, and add its sets of categories to `sets`.

    Numbers are compared in single precision: x < t is x <= the number of single precision below t.
    Categories of a set go to the right there, so such splits are turned round.
    """
    left, right = (np.asarray(tree[name], dtype=np.int64) for name in _CHILDREN)
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    is_leaf = left == -1
    inner = np.flatnonzero(~is_leaf)
    place = np.where(is_leaf, -np.cumsum(is_leaf), np.cumsum(~is_leaf) - 1)
    missing_left = np.asarray(tree["default_left"])[inner] != 0
    left_place, right_place = place[left[inner]], place[right[inner]]
    category_set = np.full(len(inner), NO_SET)
    by_category = np.asarray(tree.get("split_type", np.zeros(len(left))))[inner] == 1
    first_set = len(sets)
    sets.extend(_category_sets(tree))
    order = {int(node): first_set + i for i, node in enumerate(tree.get("categories_nodes", []))}
    category_set[by_category] = [order[node] for node in inner[by_category]]
    left_place, right_place = (
        np.where(by_category, right_place, left_place),
        np.where(by_category, left_place, right_place),
    )
    return TreeArrays(
        feature=np.asarray(tree["split_indices"])[inner],
        threshold=np.nextafter(condition[inner], np.float32(-np.inf)).astype(np.float64),
        missing_left=missing_left ^ by_category,
        category_set=category_set,
        left=left_place,
        right=right_place,
        leaf=factor * _leaves(tree, condition, right, is_leaf),
        root=place[:1],
    )


_CHILDREN = ("left_children", "right_children")


def _leaves(
    tree: dict[str, Any], condition: np.ndarray, right: np.ndarray, is_leaf: np.ndarray
) -> np.ndarray:
    width = int(tree["tree_param"]["size_leaf_vector"])
    if width <= 1:
        return condition[is_leaf].astype(np.float64)[:, None]
    if "leaf_weights" not in tree:
        raise ExportError(
            "Leaves with several values must be those of XGBoost 3.2 or later. Got a model with "
            "multi_strategy='multi_output_tree' of an earlier version. Train it with "
            "multi_strategy='one_output_per_tree'."
        )
    weights = np.asarray(tree["leaf_weights"], dtype=np.float64).reshape(-1, width)
    return weights[right[is_leaf]]  # where a leaf's right child would stand, its number stands


def _category_sets(tree: dict[str, Any]) -> list[np.ndarray]:
    values = np.asarray(tree.get("categories", []), dtype=np.int64)
    starts = tree.get("categories_segments", [])
    sizes = tree.get("categories_sizes", [])
    return [
        np.sort(values[int(start) : int(start) + int(size)])
        for start, size in zip(starts, sizes, strict=True)
    ]

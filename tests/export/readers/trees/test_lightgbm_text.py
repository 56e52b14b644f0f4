"""Tests of what is read from the text of a LightGBM model."""

import lightgbm as lgb
import numpy as np

from stackens.export.readers.trees._joined import NO_SET
from stackens.export.readers.trees._lightgbm_text import parse_model_text

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=500), RNG.integers(0, 40, 500)])
Y = 10 + X[:, 0] + X[:, 1] % 4


def model_of(n=6, **parameters):
    settings = {"verbose": -1, "num_leaves": 6, "num_threads": 1, "min_data_per_group": 5}
    parameters = {**settings, "max_cat_threshold": 4, **parameters}
    booster = lgb.train(parameters, lgb.Dataset(X, Y, categorical_feature=[1]), n)
    return booster, parse_model_text(booster.model_to_string())


def test_arrays_are_those_of_the_dump():
    booster, model = model_of()
    trees = model.trees
    assert model.n_trees == booster.num_trees()
    for root, tree in zip(trees.root, booster.dump_model()["tree_info"], strict=True):
        stack = [(int(root), tree["tree_structure"])]
        while stack:
            at, node = stack.pop()
            if at < 0:
                assert trees.leaf[-1 - at, 0] == node["leaf_value"]
                continue
            assert trees.feature[at] == node["split_feature"]
            if node["decision_type"] == "==":
                members = model.sets[trees.category_set[at]]
                assert "||".join(map(str, members)) == node["threshold"]
            else:
                assert trees.category_set[at] == NO_SET
                assert trees.threshold[at] == node["threshold"]
                assert trees.missing_left[at] == node["default_left"]
            stack += [(trees.left[at], node["left_child"]), (trees.right[at], node["right_child"])]


def test_equal_sets_of_categories_are_kept_once():
    _, model = model_of(n=30)
    splits = (model.trees.category_set != NO_SET).sum()
    assert 0 < len(model.sets) < splits
    assert len({members.tobytes() for members in model.sets}) == len(model.sets)


def test_trees_without_a_single_split():
    y = np.arange(len(X)) % 3
    settings = {"objective": "multiclass", "num_class": 3, "min_data_in_leaf": 400, "verbose": -1}
    booster = lgb.train(settings, lgb.Dataset(X, y), 2)
    trees = parse_model_text(booster.model_to_string()).trees
    assert trees.root.tolist() == [-1, -2, -3]
    assert len(trees.feature) == len(trees.threshold) == len(trees.left) == 0


def test_header_and_parameters():
    _, model = model_of(objective="poisson")
    assert model.objective == ("poisson",)
    assert (model.n_scores, model.averaged, model.categorical) == (1, False, (1,))
    assert model.ranges[0] == f"[{X[:, 0].min()}:{X[:, 0].max()}]"
    assert model.missing.tolist() == [0] * len(model.trees.feature)


def test_forests_and_several_classes():
    forest = model_of(boosting="rf", bagging_fraction=0.5, bagging_freq=1)[1]
    assert forest.averaged
    booster = lgb.train(
        {"verbose": -1, "objective": "multiclass", "num_class": 3, "num_threads": 1},
        lgb.Dataset(X, np.digitize(Y, [11, 12])),
        2,
    )
    model = parse_model_text(booster.model_to_string())
    assert (model.n_scores, model.n_trees) == (3, 6)
    assert model.objective == ("multiclass", "num_class:3")

"""The ready set of base models."""

import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor

import stackens as se
from stackens.out_of_fold._policy import final_step

NAMES = ["lightgbm", "lightgbm_shallow", "random_forest", "extra_trees", "linear"]
WITH_TORCH = [*NAMES, "mlp"] if find_spec("torch") else NAMES


def mixed_table(n=120, seed=0):
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "number": random.normal(size=n),
            "text": random.choice(["a", "b", None], size=n),
            "whole": random.integers(5, size=n),
            "flag": random.random(n) > 0.5,
            "level": pd.Categorical(random.choice(["x", "y"], size=n)),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(99, size=n), "D"),
            "name [odd], {json}:": random.normal(size=n),
        }
    )
    X.loc[::7, "number"] = np.nan
    return X, random


def small(estimators):
    """The same models with few trees and epochs, so that the tests are quick."""
    found = []
    for name, model in estimators:
        model = clone(model)
        trees = [key for key in model.get_params() if key.endswith("n_estimators")]
        model.set_params(**dict.fromkeys(trees, 5))
        if name == "mlp":
            epochs = [key for key in model.get_params() if key.endswith("max_iter")]
            model.set_params(**dict.fromkeys(epochs, 2))
        found.append((name, model))
    return found


@pytest.mark.parametrize("target", ["binary", "multiclass", "text", "number", "multilabel", "two"])
def test_every_model_takes_a_mixed_table(target):
    X, random = mixed_table()
    y = {
        "binary": random.integers(2, size=120),
        "multiclass": random.integers(4, size=120),
        "text": random.choice(["no", "yes"], size=120),
        "number": random.normal(size=120),
        "multilabel": random.integers(2, size=(120, 3)),
        "two": random.normal(size=(120, 2)),
    }[target]
    estimators = se.default_estimators(X, y)
    assert [name for name, _ in estimators] == WITH_TORCH
    new = X.iloc[:3].copy()
    new["text"] = ["never seen", None, "a"]
    new.loc[:, "number"] = np.nan
    check = is_regressor if target in ("number", "two") else is_classifier
    for _, model in small(estimators):
        assert check(model)
        with warnings.catch_warnings():
            # a tree in every bag of five: not what is tested
            warnings.simplefilter("ignore", UserWarning)
            predicted = model.fit(X, y).predict(new)
        assert len(predicted) == 3


def test_sparse_rows():
    X = sparse.random(100, 20, density=0.2, format="csr", random_state=0)
    y = np.arange(100) % 2
    assert [name for name, _ in se.default_estimators(X, y)] == NAMES
    for _, model in small(se.default_estimators(X, y)):
        assert model.fit(X, y).predict(X).shape == (100,)


def test_arrays_and_polars():
    polars = pytest.importorskip("polars")
    X, random = mixed_table()
    y = random.integers(2, size=120)
    for _, model in small(se.default_estimators(X, y)):
        frame = polars.from_pandas(X.drop(columns="level"))
        assert model.fit(frame, y).predict(frame).shape == (120,)
    for _, model in small(se.default_estimators(X[["number"]].to_numpy(), y)):
        model.fit(X[["number"]].to_numpy(), y)


def test_forests_may_use_their_out_of_bag_rows():
    for n in (100, 6_000, 30_000):
        X, y = np.zeros((n, 1)), np.arange(n) % 2
        models = dict(se.default_estimators(X, y))
        for name in ("random_forest", "extra_trees"):
            forest = final_step(models[name])
            assert forest.bootstrap
            assert forest.n_estimators >= 100
    X, y = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) % 2
    fitted = se.cross_fit(se.default_estimators(X, y)[2:3], X, y)
    assert fitted.final_fit == {"random_forest": "out_of_bag"}


def test_sizes_follow_rows_and_classes():
    def boosted(n, classes):
        X = np.zeros((n, 1))
        models = dict(se.default_estimators(X, np.arange(n) % classes))
        return final_step(models["lightgbm"]).n_estimators

    assert boosted(1_000, 2) < boosted(30_000, 2)
    assert boosted(1_000, 10) < boosted(1_000, 2)


def test_whole_numbers_of_many_values_are_numbers():
    X = np.zeros((100, 1))
    assert is_regressor(se.default_estimators(X, np.arange(100))[0][1])
    assert is_classifier(se.default_estimators(X, np.arange(100) % 20)[0][1])
    models = se.default_estimators(X, np.arange(100) % 25, classification=True)
    assert is_classifier(models[0][1])


def test_without_torch_there_is_no_network(monkeypatch):
    monkeypatch.setitem(se.default_estimators.__globals__, "find_spec", lambda name: None)
    assert [name for name, _ in se.default_estimators(np.zeros((9, 1)), np.arange(9))] == NAMES


def test_seeds_reach_every_model():
    X, y = np.zeros((100, 1)), np.arange(100) % 2
    for name, model in se.default_estimators(X, y, random_state=7):
        assert final_step(model).random_state == 7, name
    assert final_step(se.default_estimators(X, y)[0][1]).random_state == 0


def test_boosted_trees_are_repeatable():
    X, random = mixed_table()
    y = random.integers(2, size=120)
    for _, model in se.default_estimators(X, y)[:2]:
        first, again = (clone(model).fit(X, y).predict_proba(X) for _ in range(2))
        np.testing.assert_array_equal(first, again)


def test_labels_take_weights():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 3)), random.integers(2, size=(60, 2))
    models = [pair for pair in se.default_estimators(X, y) if pair[0] in NAMES]
    fitted = se.cross_fit(models, X, y, cv=2, sample_weight=random.random(60))
    assert list(fitted.names) == NAMES

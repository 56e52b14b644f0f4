"""Tests of what is read from a saved XGBoost booster."""

import numpy as np
import pandas as pd
import pytest

from stackens.exceptions import ExportError
from stackens.export.readers.trees._joined import NO_SET
from stackens.export.readers.trees._xgboost_model import read_model

xgb = pytest.importorskip("xgboost")

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=300), RNG.integers(0, 9, 300)])
Y = X[:, 0] + X[:, 1] % 3


def booster(n=4, y=Y, **parameters):
    data = xgb.DMatrix(X, y, feature_types=["float", "c"], enable_categorical=True)
    return xgb.train({"max_depth": 3, "nthread": 1, **parameters}, data, n)


def test_thresholds_are_one_step_below():
    model = read_model(booster(), None)
    saved = booster().trees_to_dataframe()
    splits = {np.float32(split) for split in saved.Split.dropna()}
    numeric = [tree.threshold[tree.category_set == NO_SET] for tree in model.trees]
    above = np.nextafter(np.concatenate(numeric).astype(np.float32), np.float32(np.inf))
    assert len(above) > 0
    assert set(above.tolist()) <= {float(split) for split in splits}


def test_splits_by_category_are_turned_round():
    tree = booster(n=1, max_cat_to_onehot=1).trees_to_dataframe()
    model = read_model(booster(n=1, max_cat_to_onehot=1), None)
    sets = sorted(tuple(map(int, c)) for c in tree.Category.dropna())
    assert sorted(tuple(members.tolist()) for members in model.sets) == sets != []


def test_iterations_base_and_columns():
    model = read_model(booster(num_parallel_tree=2, subsample=0.5), 3)
    assert len(model.trees) == 6
    assert model.offset.tolist() == [0] * 6
    classes = np.digitize(Y, [0, 1])
    several = read_model(booster(y=classes, objective="multi:softprob", num_class=3), 2)
    assert several.offset.tolist() == [0, 1, 2, 0, 1, 2]
    assert several.base.shape == (3,)
    chance = read_model(booster(y=Y > 1, objective="binary:logistic", base_score=0.25), None)
    np.testing.assert_allclose(chance.base, [np.log(0.25 / 0.75)], rtol=1e-7)
    rate = read_model(booster(y=np.exp(Y), objective="count:poisson", base_score=2.0), None)
    np.testing.assert_allclose(rate.base, [np.log(2)], rtol=1e-7)


def test_a_linear_booster_is_refused():
    linear = xgb.train({"booster": "gblinear", "updater": "coord_descent"}, xgb.DMatrix(X, Y), 2)
    with pytest.raises(ExportError, match="Got an XGBoost booster of kind 'gblinear'"):
        read_model(linear, None)


def test_a_frame_with_categories_is_refused():
    frame = pd.DataFrame({"a": X[:, 0], "town": pd.Categorical(RNG.choice(["x", "y"], 300))})
    model = xgb.XGBRegressor(n_estimators=2, enable_categorical=True, n_jobs=1).fit(frame, Y)
    with pytest.raises(ExportError, match="trained on a frame with categories"):
        read_model(model.get_booster(), None)

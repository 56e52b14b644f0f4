"""Tests of the policy: what each kind of model is made of after the cross-fit."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneOut
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.svm import SVC, LinearSVC

from stackens._core._task import Task
from stackens.exceptions import LeakageWarning
from stackens.neural import TorchMLPClassifier, TorchMLPRegressor
from stackens.out_of_fold._folds import Folds
from stackens.out_of_fold._policy import choose_policies, expected_cost, final_step, kind_of

TASK = Task("binary", 2, np.array([0, 1]))


def folds(k=5, complete=True, shuffled=True):
    splits = tuple((np.array([1]), np.array([0])) for _ in range(k))
    return Folds(splits, np.array([True, complete]), shuffled)


def policy(model, final_fit="auto", out_of_bag="auto", task=TASK, **options):
    pairs = [("m", model)]
    return choose_policies(pairs, final_fit, out_of_bag, folds(**options), task)["m"]


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (HistGradientBoostingClassifier(), "boosted"),
        (GradientBoostingClassifier(), "boosted"),
        (make_pipeline(StandardScaler(), MLPClassifier()), "neural"),
        (TorchMLPClassifier(), "neural"),
        (TransformedTargetRegressor(TorchMLPRegressor()), "neural"),
        (TransformedTargetRegressor(HistGradientBoostingRegressor()), "boosted"),
        (RandomForestClassifier(), "bagged"),
        (BaggingClassifier(), "bagged"),
        (SVC(), "kernel"),
        (GaussianProcessClassifier(), "kernel"),
        (LinearSVC(), "other"),
        (LogisticRegression(), "other"),
    ],
)
def test_families(model, family):
    assert kind_of(model).family == family


@pytest.mark.parametrize(("package", "name"), [("lightgbm", "LGBM"), ("xgboost", "XGB")])
def test_boosting_packages(package, name):
    module = pytest.importorskip(package)
    assert kind_of(getattr(module, f"{name}Classifier")()).family == "boosted"
    assert kind_of(getattr(module, f"{name}Regressor")()).family == "boosted"


def test_final_step():
    inner = LogisticRegression()
    assert final_step(make_pipeline(PCA(), make_pipeline(PCA(), inner))) is inner
    assert final_step(TransformedTargetRegressor()).regressor is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (HistGradientBoostingClassifier(), "bag"),
        (make_pipeline(StandardScaler(), MLPClassifier()), "bag"),
        (TorchMLPClassifier(), "bag"),
        (LogisticRegression(), "refit"),
        (SVC(), "refit"),
        (RandomForestClassifier(), "out_of_bag"),
        (RandomForestClassifier(49), "refit"),
        (ExtraTreesClassifier(), "refit"),
        (ExtraTreesClassifier(bootstrap=True), "out_of_bag"),
        (BaggingClassifier(n_estimators=50), "out_of_bag"),
        (BaggingClassifier(n_estimators=50, bootstrap=False), "refit"),
        (RandomForestClassifier(warm_start=True), "refit"),
        (FrozenEstimator(LogisticRegression()), "frozen"),
    ],
)
def test_auto(model, expected):
    assert policy(model) == expected


def test_what_is_asked_for_is_done():
    boosted, forest = HistGradientBoostingClassifier(), RandomForestClassifier()
    assert policy(boosted, "refit") == "refit"
    assert policy(LogisticRegression(), "bag") == "bag"
    assert policy(boosted, {"m": "refit"}) == "refit"
    assert policy(boosted, {"other": "refit"}) == "bag"
    assert policy(forest, "bag") == "bag"
    assert policy(forest, "refit") == "out_of_bag"
    assert policy(forest, "refit", out_of_bag=False) == "refit"
    assert policy(RandomForestClassifier(10), out_of_bag=True) == "out_of_bag"
    assert policy(FrozenEstimator(boosted), "bag") == "frozen"


def test_partial_coverage_and_many_folds_mean_a_refit():
    boosted = HistGradientBoostingClassifier()
    assert policy(boosted, complete=False) == "refit"
    assert policy(boosted, k=21) == "refit"
    assert policy(boosted, k=20) == "bag"


def test_out_of_bag_only_with_our_own_shuffled_folds():
    assert policy(RandomForestClassifier(), shuffled=False) == "refit"
    with pytest.warns(LeakageWarning, match="out_of_bag=True is switched off for 'm'.*groups"):
        assert policy(RandomForestClassifier(), out_of_bag=True, shuffled=False) == "refit"


def test_no_out_of_bag_for_labels():
    assert policy(RandomForestClassifier(), task=Task("multilabel", 3, y_ndim=2)) == "refit"


FOREST, BOOSTED = RandomForestRegressor(), HistGradientBoostingRegressor()


@pytest.mark.parametrize(
    ("models", "n_rows", "out_of_bag", "expected"),
    [
        ([FOREST, BOOSTED], 49_999, "auto", ["refit", "bag"]),
        ([FOREST, BOOSTED], 50_000, "auto", ["out_of_bag", "bag"]),
        ([FOREST, BOOSTED], 100, True, ["out_of_bag", "bag"]),
        ([FOREST, RandomForestRegressor(10)], 100, "auto", ["refit", "refit"]),
        ([FOREST, ExtraTreesRegressor(bootstrap=True)], 100, "auto", ["out_of_bag"] * 2),
        ([FOREST, FrozenEstimator(BOOSTED)], 100, "auto", ["out_of_bag", "frozen"]),
    ],
)
def test_regressors_are_held_out_alike_on_few_rows(models, n_rows, out_of_bag, expected):
    few = Folds(folds().splits, np.ones(n_rows, dtype=bool), shuffled=True)
    pairs = [(str(i), model) for i, model in enumerate(models)]
    found = choose_policies(pairs, "auto", out_of_bag, few, Task("regression", 1))
    assert list(found.values()) == expected


class VarianceThresholdByTarget(SelectKBest):
    """A selector that reads y, with a harmless name."""


VarianceThresholdByTarget.__name__ = "VarianceThreshold"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([StandardScaler()], "out_of_bag"),
        ([PCA(), "passthrough"], "out_of_bag"),
        ([VarianceThreshold()], "out_of_bag"),
        ([ColumnTransformer([("a", OneHotEncoder(), [0])], remainder="passthrough")], "out_of_bag"),
        ([FeatureUnion([("a", PCA()), ("b", make_pipeline(StandardScaler()))])], "out_of_bag"),
        ([SelectKBest()], "refit"),
        ([TargetEncoder()], "refit"),
        ([VarianceThresholdByTarget()], "refit"),
        ([ColumnTransformer([("a", TargetEncoder(), [0])])], "refit"),
        ([ColumnTransformer([("a", PCA(), [0])], remainder=TargetEncoder())], "refit"),
        ([FeatureUnion([("a", PCA()), ("b", SelectKBest())])], "refit"),
        ([make_pipeline(StandardScaler(), SelectKBest())], "refit"),
    ],
)
def test_out_of_bag_only_after_steps_that_ignore_the_target(steps, expected):
    assert policy(make_pipeline(*steps, RandomForestClassifier())) == expected


def test_no_out_of_bag_behind_a_transformed_target():
    assert policy(TransformedTargetRegressor(RandomForestRegressor())) == "refit"


def test_long_fits_cost_more():
    def cost(model, how="refit"):
        return expected_cost(model, how, 5)

    light = cost(LogisticRegression())
    assert cost(HistGradientBoostingClassifier()) > light
    assert cost(RandomForestClassifier(500)) > cost(RandomForestClassifier(100)) > light
    assert cost(RandomForestClassifier(), "out_of_bag") > cost(RandomForestClassifier())
    assert cost(MLPClassifier()) > light
    assert cost(TorchMLPClassifier()) == cost(MLPClassifier())
    for search_cv in (3, LeaveOneOut(), None):
        assert cost(GridSearchCV(LogisticRegression(), {"C": [1]}, cv=search_cv)) > light
    assert cost(VotingClassifier([("a", LogisticRegression())])) > light

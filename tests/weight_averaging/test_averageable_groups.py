"""Tests of finding models that share an architecture, before any fit."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    RANSACRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

import stackens as se
from stackens.weight_averaging import averageable_groups


def names(**models):
    return [[name for name, _ in group] for group in averageable_groups(list(models.items()))]


def behind(*steps):
    return make_pipeline(*steps, MLPClassifier((5,)))


def test_groups_come_in_the_order_given_without_lonely_models():
    found = names(
        net=MLPClassifier((5,)),
        c1=LogisticRegression(C=0.1),
        forest=RandomForestClassifier(),
        slow=MLPClassifier([5], learning_rate_init=1e-4),
        alone=LinearSVC(),
        c2=LogisticRegression(),
    )
    assert found == [["net", "slow"], ["c1", "c2"]]
    assert names(forest=RandomForestClassifier(), other=RandomForestClassifier()) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MLPClassifier((5,)), MLPClassifier((6,))),
        (MLPClassifier((5,)), MLPClassifier((5,), activation="tanh")),
        (MLPRegressor(), MLPRegressor(loss="poisson")),
        (LogisticRegression(), SGDClassifier(loss="log_loss")),
        (SGDClassifier(loss="hinge"), SGDClassifier(loss="log_loss")),
        (TweedieRegressor(power=1.5), TweedieRegressor(power=2)),
        (RANSACRegressor(), RANSACRegressor()),
        (Ridge(), make_pipeline(Ridge())),
        (Ridge(), FrozenEstimator(Ridge())),
        (behind(StandardScaler()), behind(MinMaxScaler())),
        (behind(StandardScaler()), behind(StandardScaler(with_mean=False))),
        (behind(PCA(2)), behind(PCA(2))),
        (behind(FunctionTransformer(lambda X: X)), behind(FunctionTransformer(lambda X: X))),
        (behind(StandardScaler()), Pipeline([("s", StandardScaler()), ("m", MLPClassifier((5,)))])),
    ],
)
def test_what_cannot_be_averaged(one, other):
    assert names(one=one, other=other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (behind(StandardScaler()), behind(StandardScaler())),
        (behind(PCA(2, random_state=0)), behind(PCA(2, random_state=0))),
        (behind(FunctionTransformer(np.log1p)), behind(FunctionTransformer(np.log1p))),
        (make_pipeline(Ridge()), make_pipeline(Ridge(2))),
        (FrozenEstimator(Ridge()), FrozenEstimator(Ridge(2))),
        (se.TorchMLPClassifier((5,)), se.TorchMLPClassifier((5,), dropout=0.5)),
    ],
)
def test_what_can(one, other):
    assert names(one=one, other=other) == [["one", "other"]]


def test_torch_networks_with_other_inputs():
    models = {"a": se.TorchMLPRegressor(n_bins=8), "b": se.TorchMLPRegressor(n_bins=16)}
    assert names(**models, c=se.TorchMLPRegressor(categories="one_hot")) == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "models",
    [
        {"a": behind(StandardScaler()), "b": behind(StandardScaler())},
        {
            name: make_pipeline(se.TabularEncoder(scale=True), LogisticRegression(C=C))
            for name, C in (("a", 0.1), ("b", 1.0))
        },
        {
            name: make_pipeline(PCA(2, random_state=0), SGDClassifier(alpha=alpha))
            for name, alpha in (("a", 0.1), ("b", 0.01))
        },
    ],
)
def test_a_group_can_be_averaged(models):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    (group,) = averageable_groups(list(models.items()))
    average = se.WeightAveragedClassifier(group, weighting="equal", random_state=0)
    for _, model in group:
        if isinstance(model[-1], MLPClassifier):
            model[-1].set_params(max_iter=5)
    assert average.fit(X, y).weights_.tolist() == [0.5, 0.5]


def test_estimators_in_every_form():
    models = {"a": Ridge(0.1), "tree": DecisionTreeRegressor(), "b": Ridge(1.0)}
    expected = [[("a", models["a"]), ("b", models["b"])]]
    assert averageable_groups(models) == averageable_groups(list(models.items())) == expected
    (group,) = averageable_groups(list(models.values()))
    assert [name for name, _ in group] == ["ridge-1", "ridge-2"]

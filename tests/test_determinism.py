"""The same seed gives the same bits, whatever the number of jobs and wherever they run."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se

# Wide enough that a matrix product is shared by threads where BLAS may.
X, Y = make_classification(200, 60, n_informative=10, random_state=0)
NEW = np.tile(X, (6, 1))
# No forest with several threads of its own: it adds up its trees in the order they come in.
CLASSIFIERS = {
    "forest": RandomForestClassifier(50, max_depth=3),
    "bagging": BaggingClassifier(n_estimators=3),
    "boosting": HistGradientBoostingClassifier(max_iter=2, max_features=0.5),
    "network": make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=5)),
    "sgd": SGDClassifier(),
    "lr": LogisticRegression(max_iter=1000),
}
FEW = {name: CLASSIFIERS[name] for name in ("bagging", "network", "lr")}
REGRESSORS = {
    "trees": ExtraTreesRegressor(5),
    "network": MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=5),
    "ridge": Ridge(),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table_bits(fitted):
    return fitted.out_of_fold.values.tobytes(), fitted.predict(NEW).values.tobytes()


def cross_fit(n_jobs, seed=0, models=CLASSIFIERS):
    return se.cross_fit(models, X, Y, cv=3, n_jobs=n_jobs, random_state=seed)


@pytest.fixture(scope="module")
def sequential():
    return table_bits(cross_fit(1))


def test_threads_agree_with_a_sequence(sequential):
    assert table_bits(cross_fit(2)) == sequential


def test_processes_agree_with_a_sequence(sequential):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert table_bits(cross_fit(2)) == sequential


def test_another_seed_gives_something_else(sequential):
    assert table_bits(cross_fit(1, seed=1)) != sequential


def test_neither_the_order_nor_the_company_of_models_matters(sequential):
    names = ["lr", "sgd", "forest"]
    fitted = cross_fit(1, models={name: CLASSIFIERS[name] for name in names})
    assert table_bits(fitted) == table_bits(cross_fit(1).select(names))


@pytest.mark.parametrize(
    "estimator",
    [
        se.StackedClassifier(FEW, DecisionTreeClassifier(max_features=1), cv=2),
        se.StackedClassifier(FEW, "logistic", stack_method="predict", cv=2),
        se.BlendedClassifier(FEW, cv=2),
        se.StackedRegressor(REGRESSORS, DecisionTreeRegressor(max_features=1)),
        se.BlendedRegressor(REGRESSORS, weighting="greedy"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_ensembles(estimator):
    data = (X, Y) if is_classifier(estimator) else make_regression(120, 8, random_state=0)
    method = "predict_proba" if is_classifier(estimator) else "predict"

    def bits(n_jobs, random_state):
        estimator.set_params(n_jobs=n_jobs, random_state=random_state)
        return getattr(estimator.fit(*data), method)(data[0]).tobytes()

    first = bits(1, 0)
    assert bits(2, 0) == first
    assert bits(1, np.random.RandomState(0)) == bits(1, np.random.RandomState(0))


def test_boosters_of_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    kinds = {"colsample_bytree": 0.5, "n_estimators": 3, "verbose": -1, "deterministic": True}
    models = {"lgbm": lightgbm.LGBMClassifier(force_row_wise=True, **kinds)}
    assert table_bits(cross_fit(1, models=models)) == table_bits(cross_fit(2, models=models))


def test_base_models_without_a_seed_are_left_alone_without_ours():
    fitted = se.cross_fit({"tree": DecisionTreeClassifier()}, pd.DataFrame(X), Y)
    assert fitted.models["tree"].random_state is None

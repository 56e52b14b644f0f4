"""scikit-learn's own checks on every estimator, with no expected failures.

Base models here are deterministic ones of scikit-learn, so that a failure is ours; what others
bring along is listed below with its cause.
"""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

import stackens as se

EXPECTED_FAILURES: dict[str, str] = {}

CLASSIFIERS = [
    ("lr", LogisticRegression()),
    ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
]
REGRESSORS = [
    ("ridge", Ridge()),
    ("tree", DecisionTreeRegressor(max_depth=3, random_state=0)),
]
DEFAULTS = [
    se.StackedClassifier(CLASSIFIERS),
    se.StackedRegressor(REGRESSORS),
    se.BlendedClassifier(CLASSIFIERS),
    se.BlendedRegressor(REGRESSORS),
]
STUDENTS = [
    se.DistilledClassifier(
        LogisticRegression(), student=DecisionTreeClassifier(max_depth=3, random_state=0)
    ),
    se.DistilledRegressor(Ridge(), student=DecisionTreeRegressor(max_depth=3, random_state=0)),
]
DEFAULTS += STUDENTS
# Shorter than usual, so that the tests are quick.
NETWORKS = [
    se.TorchMLPClassifier(max_iter=20, random_state=0),
    se.TorchMLPRegressor(max_iter=20, random_state=0),
]
if find_spec("torch"):
    DEFAULTS += NETWORKS
SETTINGS = [
    se.StackedClassifier(CLASSIFIERS, LogisticRegression(), passthrough=True),
    se.StackedClassifier({"nb": GaussianNB(), "lr": LogisticRegression()}, "logistic", cv=3),
    se.StackedRegressor(REGRESSORS, LinearRegression(), final_fit="bag"),
    se.BlendedClassifier([LogisticRegression(), LogisticRegression(C=0.1)], weighting="greedy"),
    se.BlendedRegressor(REGRESSORS, weighting=[0.25, 0.75]),
    se.DistilledClassifier(LogisticRegression(), student="linear", augmentation=None),
    se.DistilledRegressor(Ridge(), student="tree", augmentation=None),
]


# One check gives all weight to one class: models that predict it everywhere are as they should be.
@pytest.mark.filterwarnings("ignore::stackens.exceptions.ConstantPredictionWarning")
@pytest.mark.filterwarnings("ignore::stackens.exceptions.DistillationWarning")
@pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")
@parametrize_with_checks(
    [*DEFAULTS, *SETTINGS], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# What models like those of default_estimators do themselves, alone as well as combined.
BROUGHT_ALONG = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a forest draws its rows anew; scikit-learn exempts its own forests"
    ),
    "check_dtype_object": "the encoder takes text, and dicts as text, where an error is expected",
    "check_estimators_nan_inf": "the encoder takes missing values, as is its purpose",
}


def like_the_defaults(task):
    """Return three of the default base models, small ones."""
    y = np.arange(40) % 2 if task == "classes" else np.arange(40) / 7
    models = dict(se.default_estimators(np.ones((40, 3)), y))
    chosen = [(name, models[name]) for name in ("lightgbm_shallow", "random_forest", "linear")]
    for _, model in chosen:
        sizes = [key for key in model.get_params() if key.endswith("n_estimators")]
        model.set_params(**dict.fromkeys(sizes, 3))
    return chosen


@pytest.mark.filterwarnings("ignore::stackens.exceptions.ConstantPredictionWarning")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@parametrize_with_checks(
    [
        se.StackedClassifier(like_the_defaults("classes")),
        se.BlendedRegressor(like_the_defaults("numbers")),
    ],
    expected_failed_checks=lambda estimator: BROUGHT_ALONG,
)
def test_scikit_learn_checks_with_the_default_base_models(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::stackens.exceptions.DistillationWarning")
@pytest.mark.parametrize("estimator", DEFAULTS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
def test_checks_that_scikit_learn_runs_on_its_own_classes(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.filterwarnings("ignore::stackens.exceptions.DistillationWarning")
@pytest.mark.parametrize("estimator", [*DEFAULTS, *SETTINGS], ids=repr)
def test_arrays_and_frames_give_the_same_answer(estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int) if hasattr(estimator, "predict_proba") else X[:, 0] * 2.5
    expected = estimator.fit(X, y).predict(X)
    for frame, target in (
        (pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(y)),
        (pl.DataFrame(X, schema=["a", "b", "c"]), pl.Series(y)),
    ):
        fitted = estimator.fit(frame, target)
        assert fitted.n_features_in_ == 3
        assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
        np.testing.assert_allclose(fitted.predict(frame), expected)

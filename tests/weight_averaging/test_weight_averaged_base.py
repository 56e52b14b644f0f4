"""Tests of what the weight-averaging estimators refuse, and how they say it."""

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier

import stackens as se
from stackens.exceptions import BaseModelError
from tests.export.exported import assert_exported

X, Y = load_breast_cancer(return_X_y=True)
LOGISTIC = [(f"c{i}", LogisticRegression(C=c)) for i, c in enumerate([0.1, 1.0, 10.0])]


def test_what_cannot_be_averaged_is_refused_before_any_fit():
    with pytest.raises(TypeError, match=r"'forest' has no weights.*BlendedClassifier"):
        se.WeightAveragedClassifier([*LOGISTIC, ("forest", RandomForestClassifier())]).fit(X, Y)
    with pytest.raises(ValueError, match="one architecture"):
        se.WeightAveragedClassifier([("a", MLPClassifier((3,))), ("b", MLPClassifier((4,)))]).fit(
            X, Y
        )
    with pytest.raises(ValueError, match="'scoring' parameter"):
        se.WeightAveragedClassifier(LOGISTIC, scoring="goodness").fit(X, Y)
    with pytest.raises((ValueError, TypeError), match="kind|one architecture|LogisticRegression"):
        se.WeightAveragedClassifier([*LOGISTIC, ("sgd", SGDClassifier())]).fit(X[:, :2], Y)
    with pytest.raises(ValueError, match="weights"):
        se.WeightAveragedClassifier(LOGISTIC, weighting=[0.5, 0.5]).fit(X[:, :2], Y)


class Untrainable(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted before what was wrong was told")


def test_kinds_and_weights_are_looked_at_before_any_fit():
    first = ("first", Untrainable())
    with pytest.raises(TypeError, match=r"one kind.*linear models.*'first'.*multi-layer.*'net'"):
        se.WeightAveragedClassifier([first, ("net", MLPClassifier())]).fit(X, Y)
    with pytest.raises(ValueError, match=r"'weights' parameter must have shape \(1,\)"):
        se.WeightAveragedClassifier([first], weighting=[0.5, 0.5]).fit(X, Y)


def test_a_failing_model_is_named():
    with pytest.raises(BaseModelError, match="model 'broken' failed.*could not convert"):
        se.WeightAveragedClassifier({"broken": LogisticRegression()}).fit(
            pd.DataFrame({"text": [f"word {i}" for i in range(40)]}), [0, 1] * 20
        )


def test_the_average_is_exported_as_the_one_model_that_it_is():
    rows, y = X[:, :3], Y
    classifier = se.WeightAveragedClassifier(LOGISTIC, weighting="equal", random_state=0)
    assert_exported(classifier.fit(rows, y), rows)
    ridge = [(f"a{i}", Ridge(alpha)) for i, alpha in enumerate([0.1, 10.0])]
    regressor = se.WeightAveragedRegressor(ridge, weighting="equal", random_state=0)
    assert_exported(regressor.fit(rows, X[:, 4]), rows)

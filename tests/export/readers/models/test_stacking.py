"""Tests of the readers of scikit-learn's stacks."""

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)

CLASSIFIERS = [("lr", LogisticRegression()), ("svc", LinearSVC()), ("nb", GaussianNB())]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_classifiers(method, passthrough, n_classes):
    X, y = class_rows(n_classes)
    estimators = [*CLASSIFIERS, ("gone", "drop")]
    model = StackingClassifier(estimators, passthrough=passthrough, cv=3).fit(X, y)
    # scores of the support vector machine and their weights reach 1e9 on extreme rows
    assert_same(model, X, method, scale=100.0, extremes=(0.0, 5e-324, 40.0, -40.0))


@pytest.mark.parametrize("stack_method", ["predict", "predict_proba"])
def test_one_method_for_all(stack_method):
    X, y = class_rows(3)
    estimators = [CLASSIFIERS[0], CLASSIFIERS[2]]
    model = StackingClassifier(estimators, stack_method=stack_method, cv=3).fit(X, y)
    assert_same(model, X, "predict_proba")


def test_models_fitted_before_give_their_own_labels():
    X, y = class_rows(3)
    numbers = np.searchsorted(["a", "b", "c"], y) * 10 - 7
    fitted = [(name, model.fit(X, numbers)) for name, model in (CLASSIFIERS[0], CLASSIFIERS[2])]
    model = StackingClassifier(fitted, stack_method="predict", cv="prefit").fit(X, numbers)
    assert_same(model, X, "predict_proba")


@pytest.mark.parametrize("passthrough", [False, True])
def test_regressors(passthrough):
    X, y = number_rows()
    estimators = [("ridge", Ridge()), ("plain", LinearRegression())]
    model = StackingRegressor(estimators, passthrough=passthrough, cv=3).fit(X, y)
    assert_same(model, X, "predict", scale=1000.0)


def test_another_final_estimator():
    X, y = class_rows(3)
    model = StackingClassifier(CLASSIFIERS, SVC(), cv=3).fit(X, y)
    assert_same(model, X, "predict", tolerance=0, extremes=(0.0, 40.0))


def test_several_labels_are_refused():
    X, _ = class_rows(2)
    Y = (X[:, :2] > 0).astype(int)
    mlp = MLPClassifier((2,), max_iter=400, learning_rate_init=0.1, tol=1e-2)
    model = StackingClassifier([("mlp", mlp)], mlp, cv=2, stack_method="predict").fit(X, Y)
    with pytest.raises(ExportError, match="one label"):
        program_of(model, 5, "predict")

"""Tests of the readers of classifiers made of one for each class or pair."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import assert_same, class_rows, program_of

INNER = [LogisticRegression(), LinearSVC(), GaussianNB(), LinearRegression(), SVC()]
MODERATE = (0.0, -0.0, 5e-324, 40.0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("inner", INNER, ids=str)
def test_one_against_rest(inner, n_classes):
    X, y = class_rows(n_classes)
    model = OneVsRestClassifier(inner).fit(X, y)
    for method in ("predict_proba", "decision_function", "predict"):
        if hasattr(model, method):
            assert_same(model, X, method, scale=10.0, extremes=MODERATE)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("method", ["decision_function", "predict"])
@pytest.mark.parametrize("inner", INNER, ids=str)
def test_one_against_one(inner, method, n_classes):
    X, y = class_rows(n_classes)
    assert_same(OneVsOneClassifier(inner).fit(X, y), X, method, extremes=MODERATE)


@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples:UserWarning")
def test_a_class_without_rows_is_never_likely():
    X, y = class_rows(3)
    model = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    constant = OneVsRestClassifier(LogisticRegression()).fit(X, np.ones((len(X), 1), dtype=int))
    model.estimators_[0] = constant.estimators_[0]
    assert_same(model, X, "predict_proba", extremes=MODERATE)
    assert_same(model, X, "predict", extremes=MODERATE)


def test_what_cannot_be_exported_is_refused():
    X, y = class_rows(3)
    several = OneVsRestClassifier(LogisticRegression()).fit(X, (X[:, :2] > 0).astype(int))
    with pytest.raises(ExportError, match="one label"):
        program_of(several, 5, "predict_proba")
    with pytest.raises(ExportError, match="counts votes"):
        program_of(OneVsOneClassifier(LinearSVC()).fit(X, y), 5, "predict_proba")
    of_kernels = OneVsOneClassifier(SVC(kernel="precomputed")).fit(X @ X.T, y)
    with pytest.raises(ExportError, match="kernel values"):
        program_of(of_kernels, 150, "predict")

"""Tests of the readers of classifiers with a threshold."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.svm import LinearSVC

from tests.export.readers.models.against_source import assert_same, class_rows

X, Y = class_rows(2)


@pytest.mark.parametrize("label", [None, "a", "c"])
@pytest.mark.parametrize("threshold", ["auto", 0.8])
@pytest.mark.parametrize("response", ["auto", "decision_function"])
@pytest.mark.parametrize("inner", [LogisticRegression(), LinearSVC()], ids=str)
def test_fixed_thresholds(inner, response, threshold, label):
    model = FixedThresholdClassifier(
        inner, threshold=threshold, pos_label=label, response_method=response
    ).fit(X, Y)
    assert_same(model, X, "predict", tolerance=0)
    assert_same(model, X, "decision_function", scale=10.0)


def test_a_score_at_the_threshold_reaches_it():
    inner = LogisticRegression().fit(X, Y)
    threshold = float(inner.predict_proba(X[:1])[0, 1])
    model = FixedThresholdClassifier(inner, threshold=threshold).fit(X, Y)
    model.estimator_ = inner
    assert_same(model, X, "predict", tolerance=0)
    assert model.predict(X[:1])[0] == model.classes_[1]


def test_a_tuned_threshold():
    y = np.array(["a", "b"])[(Y == "c").astype(int)]
    for scoring in ("balanced_accuracy", make_scorer(f1_score, pos_label="a")):
        model = TunedThresholdClassifierCV(
            LogisticRegression(), scoring=scoring, cv=2, thresholds=9
        ).fit(X, y)
        assert_same(model, X, "predict", tolerance=0)
        assert_same(model, X, "predict_proba")

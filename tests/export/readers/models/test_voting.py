"""Tests of the readers of voting ensembles."""

import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)

CLASSIFIERS = [
    ("lr", LogisticRegression()),
    ("nb", GaussianNB()),
    ("lda", LinearDiscriminantAnalysis()),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weights", [None, [1, 2.5, 0.3]])
@pytest.mark.parametrize(
    ("voting", "method"), [("soft", "predict_proba"), ("soft", "predict"), ("hard", "predict")]
)
def test_classifiers(voting, method, weights, n_classes):
    X, y = class_rows(n_classes)
    model = VotingClassifier(CLASSIFIERS, voting=voting, weights=weights).fit(X, y)
    assert_same(model, X, method)


def test_a_model_that_was_dropped():
    X, y = class_rows(3)
    estimators = [("gone", "drop"), *CLASSIFIERS]
    model = VotingClassifier(estimators, voting="soft", weights=[9, 1, 2, 3]).fit(X, y)
    assert_same(model, X, "predict_proba")


@pytest.mark.parametrize("weights", [None, [0.2, 3]])
def test_regressors(weights):
    X, y = number_rows()
    estimators = [("ridge", Ridge()), ("plain", LinearRegression())]
    assert_same(VotingRegressor(estimators, weights=weights).fit(X, y), X, "predict", scale=100.0)


def test_hard_votes_have_no_probabilities():
    X, y = class_rows(2)
    with pytest.raises(ExportError, match="gives labels"):
        program_of(VotingClassifier(CLASSIFIERS).fit(X, y), 5, "predict_proba")

"""Tests of classifying ensembles: labels in the user's form, probabilities, several labels."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import stackens as se

X, CODES = make_classification(120, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
LABELS = np.array(["cat", "ant", "bee"])[CODES]
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB())]
MAKERS = [se.BlendedClassifier, se.StackedClassifier]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "wrap",
    [
        list,
        np.asarray,
        lambda y: np.asarray(y, dtype=object),
        pd.Series,
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="string"),
        pl.Series,
    ],
    ids=["list", "array", "object", "Series", "category", "string", "polars"],
)
def test_labels_come_back_as_they_were_given(make, wrap):
    model = make(MODELS).fit(X, wrap(LABELS))
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    predicted = model.predict(X)
    assert predicted.shape == (120,)
    assert np.mean(predicted == LABELS) > 0.5
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], predicted)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "y",
    [
        CODES > 0,
        pd.Series(CODES > 0, dtype="boolean"),
        pd.Series(np.where(CODES > 0, 7, 3), dtype="Int64"),
        np.where(CODES > 0, 0.5, 0.0) * 2 - 1,
    ],
    ids=["bool", "boolean", "Int64", "float"],
)
def test_two_classes_of_any_type(make, y):
    model = make(MODELS).fit(X, y)
    assert model.predict_proba(X).shape == (120, 2)
    assert set(model.predict(X).tolist()) <= set(np.asarray(y).tolist())
    assert np.mean(model.predict(X) == np.asarray(y)) > 0.6


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("make", MAKERS)
def test_several_labels(make, n_labels):
    X, Y = make_multilabel_classification(120, 6, n_classes=n_labels, random_state=0)
    models = [("knn", KNeighborsClassifier()), ("tree", DecisionTreeClassifier(max_depth=3))]
    model = make(models, random_state=0).fit(X, Y)
    proba = model.predict_proba(X)
    assert proba.shape == Y.shape
    np.testing.assert_array_equal(model.predict(X), proba > 0.5)
    assert [labels.tolist() for labels in model.classes_] == [[0, 1]] * n_labels
    for label in range(n_labels):
        assert np.corrcoef(proba[:, label], Y[:, label])[0, 1] > 0.3
    assert model.score(X, Y) > 0.3


def test_numbers_are_not_classes():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        se.BlendedClassifier(MODELS).fit(X, X[:, 0])


@pytest.mark.parametrize("make", MAKERS)
def test_truth_values_of_dtype_object_are_scored(make):
    y = pd.Series(CODES > 0, dtype=object)
    model = make(MODELS).fit(X, y)
    assert model.score(X, y) == np.mean(model.predict(X) == (CODES > 0)) > 0.5
    weights = np.arange(120) < 30
    assert model.score(X, y, weights) == np.mean(model.predict(X)[:30] == (CODES > 0)[:30])

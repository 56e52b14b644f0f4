"""Tests of the tabular classifier: labels of every type, probabilities, rare and single classes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import train_test_split

from stackens import TorchMLPClassifier

pytest.importorskip("torch")

X, CODES = load_iris(return_X_y=True)


def small(**settings):
    return TorchMLPClassifier(
        **{"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0} | settings
    )


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["setosa", "versicolor", "virginica"]),
        np.array(["b", "c", "a"], dtype=object),
        np.array([10, 7, -3]),
        np.array([0.0, 2.0, 1.0]),
    ],
    ids=["text", "objects", "whole numbers", "floats"],
)
def test_labels_come_back_as_they_were(labels):
    y = labels[CODES]
    model = TorchMLPClassifier(random_state=0).fit(X, y)
    assert model.classes_.tolist() == sorted(labels.tolist())
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.93


def test_two_truth_values():
    y = CODES == 1
    predicted = small().fit(X, pd.Series(y)).predict(X)
    assert predicted.dtype == bool


def test_probabilities():
    model = small().fit(X, CODES)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))


def test_real_rows_are_predicted_well():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    model = TorchMLPClassifier(random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.94


@pytest.mark.parametrize("code", [9_999_999_999.0, 1e30])
def test_a_code_among_ordinary_numbers_hides_nothing(code):
    rng = np.random.default_rng(0)
    X = rng.normal(50.0, 20.0, (1_500, 2))
    y = X.sum(axis=1) > 100.0
    X[rng.random(X.shape) < 0.05] = code
    ordinary = (code != X).all(axis=1)
    model = small(max_iter=20).fit(X, y)
    assert (model.predict(X) == y)[ordinary].mean() > 0.97


def test_a_class_of_one_row_is_learnt_from():
    y = CODES.copy()
    y[0] = 3
    for early_stopping in (True, False):
        model = small(early_stopping=early_stopping, validation_fraction=0.9).fit(X, y)
        assert model.predict_proba(X).shape == (150, 4)
        assert np.isfinite(model.predict_log_proba(X)).all()


def test_classes_of_no_weight_are_absent():
    model = small().fit(X, CODES, sample_weight=(CODES != 1).astype(float))
    assert model.classes_.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(150), r"at least two classes. Got one class: \[0.0\]"),
        (np.eye(3, dtype=int)[CODES], "matrix of labels .*with 3 columns. Wrap it in"),
        (np.linspace(0, 1, 150), "continuous"),
        (np.where(CODES == 0, None, CODES), "must not be missing"),
    ],
)
def test_targets_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X, y)


def test_a_warm_start_needs_the_same_classes():
    model = small(warm_start=True).fit(X, CODES)
    with pytest.raises(ValueError, match=r"first fit, \[0, 1, 2\]. Got \[0, 1\]. Set warm_start"):
        model.fit(X[:100], CODES[:100])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (150, 3)

"""Scorers see recorded predictions as an estimator with the original labels."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer

from stackens._core._task import Task
from stackens.out_of_fold import (
    as_fitted_estimator,
    call_scorer,
    reads_rows,
    scorer_advice,
    scorer_failure,
)

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
BINARY = Task("binary", 2, np.array(["ant", "bee"]))
LABELS = Task("multilabel", 2, y_ndim=2)


def test_classes_and_probabilities():
    estimator = as_fitted_estimator(BINARY)
    assert estimator.classes_.tolist() == ["ant", "bee"]
    assert estimator.predict(P).tolist() == ["ant", "bee", "ant"]
    np.testing.assert_array_equal(estimator.predict_proba(P), P)
    assert not hasattr(estimator, "decision_function")


@pytest.mark.parametrize(
    ("response", "asked"),
    [("predict_proba", "predict_proba"), ("decision_function", "decision_function")],
)
def test_methods_are_those_of_the_response(response, asked):
    estimator = as_fitted_estimator(BINARY, response)
    methods = ("predict_proba", "decision_function")
    assert [name for name in methods if hasattr(estimator, name)] == [asked]
    assert np.shape(getattr(estimator, asked)(P)) == ((3, 2) if asked == "predict_proba" else (3,))


def test_labels_have_a_threshold_for_each_response():
    margins = np.array([[-0.1, 0.1], [0.6, 0.4]])
    assert as_fitted_estimator(LABELS).predict(margins).tolist() == [[0, 0], [1, 0]]
    by_sign = as_fitted_estimator(LABELS, "decision_function")
    assert by_sign.predict(margins).tolist() == [[0, 1], [1, 1]]


def test_numbers_have_the_shape_of_the_target():
    column = as_fitted_estimator(Task("regression", 1))
    assert column.predict(P[:, :1]).shape == (3,)
    matrix = as_fitted_estimator(Task("regression", 2, y_ndim=2))
    assert matrix.predict(P).shape == (3, 2)


def test_failures_speak_of_what_users_know():
    estimator = as_fitted_estimator(Task("regression", 1))
    with pytest.raises(AttributeError) as caught:
        get_scorer("neg_log_loss")(estimator, P[:, :1], np.ones(3))
    said = scorer_failure(caught.value, estimator.task)
    assert said.startswith("AttributeError: ")
    assert "a regressor" in said
    assert "_Recorded" not in said


def test_failures_say_how_to_name_the_positive_class():
    estimator = as_fitted_estimator(BINARY)
    with pytest.raises(ValueError, match="pos_label") as caught:
        get_scorer("f1")(estimator, P, np.array(["ant", "bee", "bee"]))
    said = scorer_failure(caught.value, BINARY)
    assert "pos_label='bee' for example, in sklearn.metrics.make_scorer" in said
    assert scorer_failure(KeyError(), BINARY) == "KeyError: "


def test_scorers_get_the_rows_unless_they_cannot_read_them():
    rows, y = [["x"], ["y"], ["z"]], np.array(["ant", "bee", "bee"])
    seen = []

    def own(estimator, X, y, sample_weight=None):
        seen.append((X, sample_weight))
        return get_scorer("neg_log_loss")(estimator, X, y, sample_weight=sample_weight)

    weights = np.array([1.0, 2.0, 0.5])
    for scorer in (own, get_scorer("neg_log_loss")):
        score = call_scorer(scorer, P, y, BINARY, sample_weight=weights, X=rows)
        assert score == pytest.approx(np.log([0.9, 0.8, 0.5]) @ weights / 3.5)
    assert seen == [(rows, weights)]
    assert [reads_rows(scorer) for scorer in (own, get_scorer("r2"), None, "r2")] == [
        True,
        *[False] * 3,
    ]


def test_scorers_cannot_ask_for_other_rows():
    def of_some(estimator, X, y):
        return (estimator.predict(X[:2]) == y[:2]).mean()

    with pytest.raises(ValueError, match="that it is given. Got 2 rows in place of 3. Select"):
        call_scorer(of_some, P, np.array(["ant", "bee", "bee"]), BINARY, X=np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("rmse", "neg_root_mean_squared_error"),
        ("MAE", "neg_mean_absolute_error"),
        ("auc", "roc_auc"),
        ("log-loss", "neg_log_loss"),
        ("f1_makro", "f1_macro"),
    ],
)
def test_the_scorer_that_may_be_meant_is_named(given, meant):
    assert scorer_advice(given).startswith("Perhaps it is ")
    assert repr(meant) in scorer_advice(given)


@pytest.mark.parametrize("given", ["", "no such", 3, ["r2", "accuracy"]])
def test_nothing_is_guessed_for_other_names(given):
    assert scorer_advice(given) == "sklearn.metrics.get_scorer_names() lists the names."

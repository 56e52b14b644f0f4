"""The report that users hold."""

import pickle

import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import stackens as se

X, Y = make_classification(200, 5, random_state=0)


@pytest.fixture(scope="module")
def report():
    models = {"<linear>": LogisticRegression(), "bayes": GaussianNB()}
    return se.compare(models, X, Y, random_state=0)


def test_frames_are_copies(report):
    for give, column in ((report.frame, "score"), (report.differences, "difference")):
        frame = give()
        frame[column] = 9.0
        assert (give()[column] < 9).all()


def test_differences_are_to_the_best_single_model(report):
    table = report.differences()
    assert table.index.tolist() == report.frame().index.tolist()
    assert table.columns.tolist() == ["difference", "se", "low", "high"]
    assert table.loc[report.best_single].tolist() == [0, 0, 0, 0]
    singles = report.frame().loc[["<linear>", "bayes"], "score"]
    assert report.best_single == singles.idxmax()
    assert (table["low"] <= table["high"]).all()


def test_the_best_is_fitted_once(report):
    assert report.best == report.frame().index[0]
    assert report.best_estimator_ is report.best_estimator_
    assert report.best_estimator_ is report.fit(report.best)
    assert report.best_estimator_.predict(X[:3]).shape == (3,)


def test_the_reference_need_not_be_shown():
    models = {"linear": LogisticRegression(), "bayes": GaussianNB()}
    report = se.compare(models, X, Y, strategies=["uniform"])
    assert report.frame().index.tolist() == ["uniform"]
    assert report.best_single in models
    assert repr(report.best_single) in report.summary()


@pytest.mark.parametrize("strategies", [["uniform"], ["bayes"], [("other name", "bayes")], None])
def test_every_name_that_is_said_can_be_fitted(strategies):
    models = {"linear": LogisticRegression(), "bayes": GaussianNB(var_smoothing=10.0)}
    report = se.compare(models, X, Y, strategies=strategies, outer=0.3)
    assert report.recommended in report.summary()
    for name in (report.best, report.recommended, report.best_single, *models):
        assert report.fit(name).predict(X[:2]).shape == (2,)


def test_the_best_single_model_has_the_name_of_its_strategy():
    models = {"linear": LogisticRegression(), "bayes": GaussianNB(var_smoothing=10.0)}
    report = se.compare(
        models, X, Y, strategies=[("straight", "linear"), "bayes", "uniform"], outer=0.3
    )
    assert report.best_single == "straight"
    assert report.differences().loc["straight", "difference"] == 0
    both = se.compare(models, X, Y, strategies=[("straight", "linear"), "linear"], outer=0.3)
    assert both.best_single == "linear"


def test_only_strategies_and_base_models_can_be_fitted(report):
    with pytest.raises(ValueError, match="Only strategies of the report and base models"):
        report.fit("no such")


def test_it_survives_pickle(report):
    again = pickle.loads(pickle.dumps(report))
    pd.testing.assert_frame_equal(again.frame(), report.frame())
    assert again.summary() == report.summary()
    assert again.fit("bayes").predict(X[:2]).tolist() == report.fit("bayes").predict(X[:2]).tolist()


def test_texts(report):
    assert "Log loss (lower is better) on 200 rows" in str(report)
    assert "blend simplex" in str(report)
    assert repr(report).startswith("<ComparisonReport of 8 strategies by log loss, best: ")
    html = report._repr_html_()
    assert "&lt;linear&gt;" in html
    assert "<linear>" not in html
    assert "<table" in html


def test_the_picture_shows_the_leaderboard(report):
    display = report.plot()
    frame = display.frame()
    assert frame.index.tolist() == report.frame().index.tolist()
    assert (frame["score"] == -report.frame()["score"]).all()
    assert frame["combination"].sum() == 6


def test_honest_when_nothing_is_gained():
    forest = RandomForestClassifier(60, random_state=0)
    report = se.compare({"a": forest, "b": forest}, X, Y, random_state=0)
    assert "Use 'a'" in report.summary() or "Use 'b'" in report.summary()

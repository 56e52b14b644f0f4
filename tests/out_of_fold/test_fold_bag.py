"""Tests of the bag of fold models: the mean of what its models answer."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from stackens._core._task import infer_task
from stackens.out_of_fold import FoldBag
from stackens.out_of_fold._fold_bag import respond_model

X, Y3 = make_classification(90, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
Y2 = np.array(["no", "yes"])[(Y3 > 0).astype(int)]
HALVES = (slice(0, 45), slice(45, 90))


def bag_of(model, response, y, X=X, classification=None):
    task, y = infer_task(y, classification=classification)
    models = [copy.deepcopy(model).fit(X[half], y[half]) for half in HALVES]
    return FoldBag(models, response, task, [45, 45])


def test_probabilities():
    bag = bag_of(GaussianNB(), "predict_proba", Y3)
    expected = (bag.models[0].predict_proba(X) + bag.models[1].predict_proba(X)) / 2
    np.testing.assert_array_equal(bag.predict_proba(X), expected)
    np.testing.assert_array_equal(bag.predict(X), expected.argmax(axis=1))
    np.testing.assert_array_equal(bag.classes_, [0, 1, 2])
    assert not hasattr(bag, "decision_function")
    assert len(bag) == 2
    assert bag.n_features_in_ == 5
    assert is_classifier(bag)
    assert repr(bag) == "FoldBag(2 x GaussianNB())"


def test_margins_and_labels():
    bag = bag_of(LinearSVC(), "decision_function", Y2)
    expected = (bag.models[0].decision_function(X) + bag.models[1].decision_function(X)) / 2
    np.testing.assert_allclose(bag.decision_function(X), expected)
    np.testing.assert_array_equal(bag.predict(X), np.where(expected > 0, "yes", "no"))
    assert bag_of(LinearSVC(), "decision_function", Y3).decision_function(X).shape == (90, 3)
    assert not hasattr(bag, "predict_proba")


def test_votes():
    bag = bag_of(GaussianNB(), "predict", Y2)
    votes = [model.predict(X) == "yes" for model in bag.models]
    np.testing.assert_array_equal(bag.respond(X)[:, 1], np.mean(votes, axis=0))
    assert set(bag.predict(X)) == {"no", "yes"}
    assert not hasattr(bag, "predict_proba")


def test_values():
    bag = bag_of(Ridge(), "predict", X[:, 0] * 2.5)
    expected = (bag.models[0].predict(X) + bag.models[1].predict(X)) / 2
    np.testing.assert_array_equal(bag.predict(X), expected)
    several = bag_of(Ridge(), "predict", X[:, :2] * 2.5)
    assert several.predict(X).shape == (90, 2)
    with pytest.raises(AttributeError, match="regression target has no classes_"):
        _ = bag.classes_


def test_a_regressor_under_classes_gives_its_value():
    task, _ = infer_task(Y3)
    models = [LinearRegression().fit(X, Y3)]
    np.testing.assert_array_equal(
        FoldBag(models, "value", task, [90]).predict(X), models[0].predict(X)
    )


def test_labels():
    XL, YL = make_multilabel_classification(90, 6, n_classes=3, random_state=0)
    bag = bag_of(KNeighborsClassifier(), "predict_proba", YL, XL)
    answer = bag.predict_proba(XL)
    assert answer.shape == (90, 3)
    np.testing.assert_array_equal(bag.predict(XL), answer > 0.5)
    assert np.mean(bag.predict(XL) == YL) > 0.7


def test_fold_models_that_saw_different_classes():
    y = np.r_[np.zeros(30), np.ones(30), np.full(30, 2)].astype(int)
    bag = bag_of(GaussianNB(), "predict_proba", y)
    assert [len(model.classes_) for model in bag.models] == [2, 2]
    np.testing.assert_allclose(bag.predict_proba(X).sum(axis=1), 1)
    assert (bag.predict_proba(X) > 0).all()


def test_respond_model_takes_a_bag_or_one_model():
    bag = bag_of(GaussianNB(), "predict_proba", Y3)
    one = respond_model(bag.models[0], X, "predict_proba", bag.task)
    np.testing.assert_array_equal(one, bag.models[0].predict_proba(X))
    np.testing.assert_array_equal(
        respond_model(bag, X, "predict_proba", bag.task), bag.predict_proba(X)
    )


def test_pickle():
    bag = bag_of(GaussianNB(), "predict_proba", Y3)
    again = pickle.loads(pickle.dumps(bag))
    np.testing.assert_array_equal(again.predict_proba(X), bag.predict_proba(X))


@pytest.mark.parametrize("before", [[], [StandardScaler()], [PCA(2), StandardScaler()]])
def test_boosters_of_a_bag_are_asked_directly_with_the_same_answer(before, monkeypatch):
    lightgbm = pytest.importorskip("lightgbm")
    booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
    bag = bag_of(make_pipeline(*before, booster) if before else booster, "predict_proba", Y3)
    rows = (X, X[:1], X.astype(object))  # numbers kept as objects go through the wrapper
    expected = [np.mean([m.predict_proba(part) for m in bag.models], axis=0) for part in rows]
    for part, mean in zip(rows, expected, strict=True):
        np.testing.assert_allclose(bag.respond(part), mean, rtol=1e-15)
    monkeypatch.setattr(lightgbm.LGBMClassifier, "predict_proba", None)
    monkeypatch.setattr(Pipeline, "predict_proba", None)
    np.testing.assert_allclose(bag.respond(X), expected[0], rtol=1e-15)


def test_boosters_that_saw_different_classes():
    lightgbm = pytest.importorskip("lightgbm")
    booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
    y = np.r_[np.zeros(30), np.ones(30), np.full(30, 2)].astype(int)
    bag = bag_of(make_pipeline(StandardScaler(), booster), "predict_proba", y)
    assert bag.predict_proba(X).shape == (90, 3)
    np.testing.assert_allclose(bag.predict_proba(X).sum(axis=1), 1)


def test_score():
    bag = bag_of(LinearSVC(), "decision_function", Y2)
    weights = np.arange(90.0)
    assert bag.score(X, Y2) == np.mean(bag.predict(X) == Y2)
    assert bag.score(X, Y2, weights) == accuracy_score(Y2, bag.predict(X), sample_weight=weights)
    y = X[:, 0] * 2.5
    assert bag_of(Ridge(), "predict", y).score(X, y) > 0.99


def test_whether_the_probability_of_one_class_is_averaged():
    lightgbm = pytest.importorskip("lightgbm")
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1)
    assert bag_of(booster, "predict_proba", Y2).averages_one_column
    assert not bag_of(booster, "predict_proba", Y3).averages_one_column
    assert not bag_of(GaussianNB(), "predict_proba", Y2).averages_one_column


def test_importances_are_the_mean_of_those_of_the_models():
    bag = bag_of(DecisionTreeClassifier(max_depth=2, random_state=0), "predict_proba", Y3)
    expected = (bag.models[0].feature_importances_ + bag.models[1].feature_importances_) / 2
    np.testing.assert_array_equal(bag.feature_importances_, expected)
    assert not hasattr(bag_of(GaussianNB(), "predict_proba", Y3), "feature_importances_")

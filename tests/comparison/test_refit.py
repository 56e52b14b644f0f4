"""Strategies fitted on all rows."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.out_of_fold import FoldBag, seeded_clone

X, Y = make_classification(200, 5, random_state=0)
MODELS = {
    "tree": DecisionTreeClassifier(max_features=2),
    "linear": LogisticRegression(),
    "boosted": LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
}


@pytest.fixture(scope="module")
def report():
    return se.compare(MODELS, X, Y, cv=4, outer=0.3, random_state=3)


def test_base_models_are_seeded_like_in_the_comparison(report):
    found = report.fit("tree")
    assert type(found) is DecisionTreeClassifier
    by_hand = seeded_clone("tree", MODELS["tree"], 3).fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(X), by_hand.predict_proba(X))
    assert not hasattr(MODELS["tree"], "tree_")


def test_a_bag_stays_a_bag(report):
    bag = se.cross_fit({"boosted": MODELS["boosted"]}, X, Y, cv=4, random_state=3).models["boosted"]
    found = report.fit("boosted")
    np.testing.assert_allclose(found.predict_proba(X), bag.predict_proba(X))
    plain = se.compare(
        MODELS, X, Y, cv=4, outer=0.3, random_state=3, final_fit="refit", strategies=["boosted"]
    )
    assert type(plain.best_estimator_) is LGBMClassifier


def test_ensembles_have_the_options_of_the_comparison(report):
    found = report.fit("blend simplex")
    by_hand = se.BlendedClassifier(list(MODELS.items()), cv=4, random_state=3).fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(X), by_hand.predict_proba(X))


def test_weights_and_groups_are_used():
    groups = np.repeat(np.arange(20), 10)
    weights = np.where(Y == 1, 4.0, 1.0)
    report = se.compare(
        {"linear": LogisticRegression()},
        X,
        Y,
        groups=groups,
        sample_weight=weights,
        cv=3,
        outer=0.3,
        strategies=["linear", "uniform"],
    )
    weighted = clone(MODELS["linear"]).fit(X, Y, sample_weight=weights)
    np.testing.assert_allclose(report.fit("linear").predict_proba(X), weighted.predict_proba(X))
    for train, test in report.fit("uniform").out_of_fold_.splits:
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize("final_fit", ["auto", "bag", "refit"])
@pytest.mark.filterwarnings("ignore:The base models .'nothing'. predict the same value")
def test_a_winner_that_has_only_margins_predicts_labels(final_fit):
    X, codes = load_iris(return_X_y=True)
    y = np.array(["setosa", "versicolor", "virginica"])[codes]
    models = {"svc": LinearSVC(), "nothing": DummyClassifier()}
    report = se.compare(
        models, X, y, final_fit=final_fit, outer=0.3, random_state=0, strategies=list(models)
    )
    assert report.best == report.recommended == "svc"
    found = report.best_estimator_
    assert type(found) is (FoldBag if final_fit == "bag" else LinearSVC)
    assert (found.predict(X) == y).mean() > 0.9
    assert found.decision_function(X[:4]).shape == (4, 3)


class NeedsLuck(ClassifierMixin, BaseEstimator):
    """Never works."""

    def fit(self, X, y):
        raise RuntimeError("no luck")

    def predict_proba(self, X):
        raise RuntimeError("no luck")


@pytest.mark.filterwarnings("ignore::stackens.exceptions.StackensWarning")
def test_fixed_weights_stay_with_their_models_where_one_failed():
    models = {**MODELS, "unlucky": NeedsLuck()}
    blend = se.BlendedClassifier(
        [*MODELS.items(), ("unlucky", NeedsLuck())], weighting=[1, 2, 1, 4]
    )
    report = se.compare(models, X, Y, strategies={"fixed": blend}, outer=0.3, cv=3)
    np.testing.assert_allclose(report.fit("fixed").weights_, [0.25, 0.5, 0.25])


def test_how_models_are_asked_is_up_to_the_comparison():
    blend = se.BlendedClassifier([], weighting="uniform", stack_method="predict")
    report = se.compare(MODELS, X, Y, strategies={"mean": blend}, outer=0.3, cv=3)
    assert report.best_estimator_.stack_method_ == ["predict_proba"] * 3

"""Strategies fitted on all rows."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.out_of_fold._members import seeded_clone

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

"""scikit-learn's own tests of voting, run against our blends through an adapter.

Voting has ``voting`` and ``weights`` where a blend has ``weighting``, and fits on all rows only;
the adapter translates and leaves single rows out where there are too few for folds.
"""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut
from sklearn.naive_bayes import GaussianNB
from sklearn.tests.metadata_routing_common import (
    ConsumingClassifier,
    ConsumingRegressor,
    _Registry,
)

import stackens as se
from stackens.combiners import FixedWeights, MajorityVote, UniformMean
from tests.scikit_learn_tests import load_tests

pytestmark = pytest.mark.filterwarnings("default")


class _Voting:
    def _check_combiner(self, sample_weight):
        if self.weights is not None and len(self.weights) != len(self.estimators):
            raise ValueError("Number of `estimators` and weights must be equal")
        super()._check_combiner(sample_weight)

    def fit(self, X, y, sample_weight=None, **params):
        self.cv = LeaveOneOut() if len(X) < 10 else 5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().fit(X, y, sample_weight, **params)

    def _choose_combiner(self, table):
        if getattr(self, "voting", "soft") == "hard":
            return MajorityVote(self.weights)
        return UniformMean() if self.weights is None else FixedWeights(self.weights)


class VotingClassifier(_Voting, se.BlendedClassifier):
    """A blend with the parameters of scikit-learn's VotingClassifier."""

    def __init__(
        self,
        estimators,
        *,
        voting="hard",
        weights=None,
        n_jobs=None,
        flatten_transform=True,
        verbose=False,
    ):
        super().__init__(estimators, final_fit="refit", out_of_bag=False)
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.voting = voting
        self.weights = weights
        self.flatten_transform = flatten_transform

    _parameter_constraints = {
        "n_jobs": [None, int],
        "verbose": ["verbose"],
        "weights": ["array-like", None],
    }


class VotingRegressor(_Voting, se.BlendedRegressor):
    """A blend with the parameters of scikit-learn's VotingRegressor."""

    def __init__(self, estimators, *, weights=None, n_jobs=None, verbose=False):
        super().__init__(estimators, final_fit="refit")
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.weights = weights

    _parameter_constraints = VotingClassifier._parameter_constraints


LEFT_OUT = {
    "test_voting_classifier_estimator_init": "wording; and we accept a plain list of estimators",
    "test_predictproba_hardvoting": (
        "wording, of an error that we have no need for: a majority vote gives the shares of the "
        "votes; see test_shares_of_a_hard_vote"
    ),
    "test_predict_proba_on_toy_problem": (
        "ends on the same wording; the rest is test_weighted_mean_on_a_toy_problem"
    ),
    "test_sample_weight_kwargs": (
        "its base model has no predict, and a cross-fit predicts the rows it leaves out; see "
        "test_weights_reach_a_fit_that_takes_anything"
    ),
    "test_set_estimator_drop": "column layout of transform",
    "test_transform": "column layout of transform",
    "test_voting_verbose": "wording of what is printed",
    "test_get_features_names_out_classifier": "column layout of transform with voting='hard'",
    "test_get_features_names_out_classifier_error": "column layout with flatten_transform=False",
    "test_metadata_routing_for_voting_estimators": (
        "asserts that no fit sees a part of the rows, and a cross-fit is made of such fits; see "
        "test_metadata_reaches_every_fit"
    ),
}

TESTS = load_tests(
    "sklearn.ensemble.tests.test_voting",
    {"VotingClassifier": VotingClassifier, "VotingRegressor": VotingRegressor},
)
globals().update({name: test for name, test in TESTS.items() if name not in LEFT_OUT})


@pytest.fixture
def global_random_seed():
    return 42


def test_adapter_is_a_plain_mean():
    X = np.linspace(0, 1, 30)[:, None]
    y = X[:, 0] > 0.4
    models = [("lr", LogisticRegression()), ("nb", GaussianNB())]
    blend = VotingClassifier(models, voting="soft").fit(X, y)
    expected = np.mean([m.fit(X, y).predict_proba(X) for _, m in models], axis=0)
    np.testing.assert_allclose(blend.predict_proba(X), expected)


def test_shares_of_a_hard_vote():
    X = np.linspace(0, 1, 30)[:, None]
    y = np.where(X[:, 0] > 0.4, "yes", "no")
    models = [
        ("lr", LogisticRegression()),
        ("nb", GaussianNB()),
        ("off", LogisticRegression(C=1e-9)),
    ]
    vote = VotingClassifier(models, voting="hard").fit(X, y)
    votes = np.array([model.fit(X, y).predict(X) for _, model in models])
    expected = np.column_stack([(votes == label).mean(axis=0) for label in ("no", "yes")])
    np.testing.assert_allclose(vote.predict_proba(X), expected)
    assert {0.0, 0.667} <= set(vote.predict_proba(X)[:, 0].round(3))
    assert (vote.predict(X) == np.array(["no", "yes"])[expected.argmax(axis=1)]).all()


def test_weighted_mean_on_a_toy_problem():
    """scikit-learn's rows and models, with the models themselves in place of rounded numbers."""
    X = np.array([[-1.1, -1.5], [-1.2, -1.4], [-3.4, -2.2], [1.1, 1.2]])
    y = np.array([1, 1, 2, 2])
    models = [
        ("lr", LogisticRegression(random_state=123)),
        ("rf", RandomForestClassifier(random_state=123)),
        ("gnb", GaussianNB()),
    ]
    blend = VotingClassifier(models, voting="soft", weights=[2, 1, 1]).fit(X, y)
    found = [model.fit(X, y).predict_proba(X) for _, model in models]
    np.testing.assert_allclose(
        blend.predict_proba(X), np.average(found, axis=0, weights=[2, 1, 1]), atol=1e-12
    )


def test_weights_reach_a_fit_that_takes_anything():
    class Mock(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, *args, **sample_weight):
            assert len(sample_weight["sample_weight"]) == len(X)
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.resize(self.classes_, len(X))

    X = np.arange(20.0)[:, None]
    blend = VotingClassifier([("mock", Mock())], voting="hard")
    assert len(blend.fit(X, np.arange(20) % 2, sample_weight=np.ones(20)).predict(X)) == 20
    with pytest.raises(ValueError, match="KeyError: 'sample_weight'"):
        blend.fit(X, np.arange(20) % 2)


@pytest.mark.parametrize(
    ("make", "child"),
    [(VotingClassifier, ConsumingClassifier), (VotingRegressor, ConsumingRegressor)],
)
@pytest.mark.parametrize("name", ["sample_weight", "metadata"])
@config_context(enable_metadata_routing=True)
def test_metadata_reaches_every_fit(make, child, name):
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    given = np.arange(1.0, 13.0) if name == "sample_weight" else "a"
    registries = [_Registry(), _Registry()]
    models = [
        (f"m{i}", child(registry=registry).set_fit_request(**{name: True}))
        for i, registry in enumerate(registries)
    ]
    make(models).fit(X, y, **{name: given})
    for registry in registries:
        assert len(registry) == 6  # five folds and all rows
        seen = [model._records["fit"]["fit"][0][name] for model in registry]
        if name == "metadata":
            assert seen == ["a"] * 6
        else:
            assert sorted(map(len, seen)) == [9, 9, 10, 10, 10, 12]
            assert all(set(weights) <= set(given) for weights in seen)


def test_nearly_all_tests_are_run():
    assert set(LEFT_OUT) <= set(TESTS)
    assert len(TESTS) - len(LEFT_OUT) >= 15

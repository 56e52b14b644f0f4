"""scikit-learn's own tests of voting, run against our blends through an adapter.

Voting has ``voting`` and ``weights`` where a blend has ``weighting``, and fits on all rows only;
the adapter translates and leaves single rows out where there are too few for folds.
"""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut
from sklearn.naive_bayes import GaussianNB

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

    def _choose_combiner(self, X):
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
    "test_predictproba_hardvoting": "wording; our majority vote has vote shares as probabilities",
    "test_predict_proba_on_toy_problem": "the same wording; the mean is tested below",
    "test_sample_weight_kwargs": "its base model has no predict, so no row can be held out",
    "test_set_estimator_drop": "column layout of transform",
    "test_transform": "column layout of transform",
    "test_voting_verbose": "wording of what is printed",
    "test_get_features_names_out_classifier": "column layout of transform with voting='hard'",
    "test_get_features_names_out_classifier_error": "column layout with flatten_transform=False",
    "test_metadata_routing_for_voting_estimators": "asserts that no fit sees a part of the rows",
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


def test_nearly_all_tests_are_run():
    assert set(LEFT_OUT) <= set(TESTS)
    assert len(TESTS) - len(LEFT_OUT) >= 15

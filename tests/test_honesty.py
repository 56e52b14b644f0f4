"""Honesty: on pure noise claimed scores are chance, on real tables they match fresh rows.

A small run here, with the tolerance that its size allows, and the full one marked ``nightly``.
"""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.combiners import COMBINERS

N_ROWS, HELD_OUT = 1_000, 0.8

# The models memorise (a deep tree), select by the target (which leaks if done outside the
# folds), predict out of bag, or are linear.
MODELS = {
    "linear": LogisticRegression(),
    "memory": DecisionTreeClassifier(random_state=0),
    "selecting": make_pipeline(SelectKBest(k=3), RandomForestClassifier(50, random_state=0)),
    "forest": RandomForestClassifier(50, max_depth=4, random_state=0),
}
STRATEGIES = {
    **{f"combiner {name}": name for name in sorted(COMBINERS)},
    "passthrough": se.StackedClassifier([], passthrough=True),
    "tree on top": se.StackedClassifier([], DecisionTreeClassifier(max_depth=4, random_state=0)),
    "bayes on top": se.StackedClassifier([], GaussianNB(), passthrough=True),
}


def noise(seed, n_rows=N_ROWS, n_features=30):
    """Features and labels that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_features)), rng.permutation(np.arange(n_rows) % 2)


def claimed(seed, **settings):
    X, y = noise(seed)
    report = se.compare(
        MODELS,
        X,
        y,
        strategies=STRATEGIES,
        scoring="roc_auc",
        outer=HELD_OUT,
        random_state=seed,
        **settings,
    )
    return report.frame()["score"]


@pytest.mark.parametrize(
    "settings",
    [{"cv": 2, "out_of_bag": False, "final_fit": "bag"}, {"cv": 5}],
    ids=["2 folds, bags", "5 folds, out of bag"],
)
def test_noise_scores_chance(settings):
    scores = np.stack([claimed(seed, **settings).sort_index() for seed in range(3)])
    # AUC on 800 rows has a standard error of 0.020; means over 3 seeds, 13 strategies.
    assert np.abs(scores.mean(axis=0) - 0.5).max() < 4 * 0.020 / np.sqrt(3)


def test_stacking_of_many_folds_does_not_fool_the_claim():
    """With nearly as many folds as rows, held-out predictions give the label away."""
    X, y = noise(0, n_rows=120)
    models = {"mean": DummyClassifier(), "linear": LogisticRegression()}
    leaky = se.cross_fit(models, X, y, cv=KFold(60))
    # The mean of the other rows is a little lower where this row's label is 1.
    assert roc_auc_score(y, -leaky.out_of_fold.values[:, 0, 1]) > 0.7
    report = se.compare(
        models,
        X,
        y,
        strategies={"tree": se.StackedClassifier([], DecisionTreeClassifier(random_state=0))},
        cv=KFold(60),
        outer=4,
        scoring="roc_auc",
    )
    assert abs(report.frame().loc["tree", "score"] - 0.5) < 4 / np.sqrt(12 * 60)


@pytest.mark.nightly
@pytest.mark.parametrize("cv", [2, 5, 10])
@pytest.mark.parametrize("out_of_bag", ["auto", False])
def test_noise_scores_chance_over_50_seeds(cv, out_of_bag):
    scores = [claimed(seed, cv=cv, out_of_bag=out_of_bag).sort_index() for seed in range(50)]
    assert np.abs(np.mean(scores, axis=0) - 0.5).max() < 0.01


def signal(seed, n_rows):
    """A table with signal, noise and two kinds of structure."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 8))
    score = X[:, 0] + 0.8 * X[:, 1] * X[:, 2] - 0.5 * np.abs(X[:, 3])
    return X, (rng.random(n_rows) < expit(1.5 * score)).astype(int)


def agreement(seeds):
    """Share of strategies and seeds in which claim and fresh score are within 2 errors."""
    within = []
    for seed in seeds:
        X, y = signal(seed, 6_000)
        rows = np.arange(6_000)
        known = rows < 1_500
        report = se.compare(
            MODELS,
            X[known],
            y[known],
            strategies={
                "simplex": "simplex",
                "auto": "auto",
                "passthrough": STRATEGIES["passthrough"],
            },
            outer=[(rows[:900], rows[900:1_500])],
            scoring="neg_log_loss",
            random_state=seed,
        )
        frame = report.frame()
        fitted = se.cross_fit(MODELS, X[:900], y[:900], random_state=seed)
        for name, weights in (("simplex", "simplex"), ("auto", "auto")):
            model = se.BlendedClassifier([], weighting=weights).fit_from(fitted)
            probability = np.clip(model.predict_proba(X[~known])[:, 1], 1e-15, 1 - 1e-15)
            losses = -np.log(np.where(y[~known] == 1, probability, 1 - probability))
            fresh_se = losses.std() / np.sqrt(len(losses))
            error = np.hypot(frame.loc[name, "score_se"], fresh_se)
            within.append(abs(frame.loc[name, "score"] + losses.mean()) < 2 * error)
    return np.mean(within)


def test_claims_hold_on_fresh_rows():
    assert agreement(range(5)) >= 0.8


@pytest.mark.nightly
def test_claims_hold_on_fresh_rows_in_95_percent_of_seeds():
    # 95 percent of 50 seeds, less two standard errors of such a share.
    assert agreement(range(50)) >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / 50)

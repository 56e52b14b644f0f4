"""Honesty: on pure noise claimed scores are chance, on real tables they come true on fresh rows.

A small run here, with the tolerance that its size allows, and the full one marked ``nightly``.
"""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
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
    "penalised": LogisticRegression(C=0.01),
    "memory": DecisionTreeClassifier(random_state=0),
    "selecting": make_pipeline(SelectKBest(k=3), RandomForestClassifier(50, random_state=0)),
    "forest": RandomForestClassifier(50, max_depth=4, random_state=0),
}
STRATEGIES = {
    **{name: name for name in MODELS},
    **{f"combiner {name}": name for name in sorted(COMBINERS)},
    "weight average": "weight average",
    "distilled": "distilled",
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
    options = {"outer": HELD_OUT, **settings}
    report = se.compare(
        MODELS, X, y, strategies=STRATEGIES, scoring="roc_auc", random_state=seed, **options
    )
    return report.frame()["score"]


@pytest.mark.parametrize(
    "settings",
    [{"cv": 2, "out_of_bag": False, "final_fit": "bag"}, {"cv": 5}],
    ids=["2 folds, bags", "5 folds, out of bag"],
)
def test_noise_scores_chance(settings):
    scores = np.stack([claimed(seed, **settings).sort_index() for seed in range(3)])
    # AUC on 800 rows has a standard error of 0.020; means over 3 seeds, all strategies.
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


@pytest.mark.nightly
def test_noise_scores_chance_over_50_seeds_in_outer_folds():
    scores = [claimed(seed, outer=5).sort_index() for seed in range(50)]
    assert np.abs(np.mean(scores, axis=0) - 0.5).max() < 0.01


# ---------------------------------------------------------------- students


def student_scores(seed, **settings):
    """What a distillation of pure noise claims, with all that it searches."""
    X, y = noise(seed, n_rows=400, n_features=10)
    teacher = RandomForestClassifier(30, max_depth=4, random_state=0)
    given = {"student": "tree", "scoring": "roc_auc", "guard": False, **settings}
    found = se.DistilledClassifier(teacher, random_state=seed, **given).fit(X, y)
    return found.report_.frame()["score"]


@pytest.mark.parametrize("outer", [0.5, 4], ids=["hold-out", "folds"])
def test_students_of_noise_claim_chance(outer):
    scores = np.stack([student_scores(seed, outer=outer).sort_index() for seed in range(6)])
    # AUC on 200 or 400 rows has a standard error of 0.041 or 0.029
    spread = 0.041 if outer == 0.5 else 0.029
    assert np.abs(scores.mean(axis=0) - 0.5).max() < 4 * spread / np.sqrt(6)


@pytest.mark.nightly
@pytest.mark.parametrize("outer", [0.5, 4], ids=["hold-out", "folds"])
@pytest.mark.parametrize("student", ["tree", "auto"])
def test_students_of_noise_claim_chance_over_50_seeds(outer, student):
    scores = [student_scores(seed, outer=outer, student=student).sort_index() for seed in range(50)]
    assert np.abs(np.mean(scores, axis=0) - 0.5).max() < 0.01


# ---------------------------------------------------------------- real tables


@pytest.fixture
def honesty(monkeypatch):
    """The benchmark, which says what is compared with what, and why."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("honesty")


def claims(honesty, name, seeds, models=None, **settings):
    """What reports claim and what comes true, a row for each seed and strategy."""
    found = list(honesty.tables([name], max_rows=20_000))
    if not found:
        pytest.skip(f"the table {name} is not at hand")
    X, y = honesty.arrays(found[0])
    pool = honesty.pool(found[0].is_regression)
    pool = {model: pool[model] for model in models or pool}
    return pd.concat([honesty.claims(pool, X, y, seed, **settings) for seed in range(seeds)])


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_claims_come_true_on_real_tables(honesty, name):
    frame = claims(honesty, name, 6, models=["linear", "tree"], outer=0.5)
    np.testing.assert_allclose(frame["claimed"], frame["again"])
    # The strategies of one seed err together, hence as good as 6 draws in all.
    errors = honesty.in_errors(frame, "same_models").abs()
    assert (errors <= 2).mean() >= 0.75
    # Errors that are far too large would make every claim come true.
    assert 0.4 < errors.mean() < 1.4
    assert (honesty.in_errors(frame, "refitted") <= 2).mean() >= 0.75


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in ("breast_cancer", "wine", "digits", "diabetes")),
        *((name, {}) for name in ("adult", "telco_churn", "german_credit")),
        *((name, {}) for name in ("california_housing", "concrete")),
        *((name, {"user_rows": 5_000, "outer": 0.2}) for name in ("adult", "california_housing")),
    ],
)
def test_claims_come_true_in_95_percent_of_seeds(honesty, name, settings):
    summary = honesty.agreement(claims(honesty, name, 40, **settings).assign(table=name), ["table"])
    # 95 percent of 40 seeds, less two standard errors of such a share.
    lowest = 0.95 - 2 * np.sqrt(0.95 * 0.05 / 40)
    assert summary["within 2"].item() >= lowest
    assert summary["not too high"].item() >= lowest
    # The errors themselves are neither too small nor too large.
    assert 0.7 < summary["spread"].item() < 1.3

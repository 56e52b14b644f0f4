"""One outer split."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from stackens._core._task import infer_task
from stackens.comparison import _outer_run
from stackens.comparison._inputs import Inputs
from stackens.comparison._outer_run import run_split
from stackens.comparison._strategies import resolve_strategies

X, Y = make_classification(200, 5, random_state=0)
PAIRS = [
    ("linear", LogisticRegression()),
    ("boosted", LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1, random_state=0)),
    ("forest", RandomForestClassifier(60, random_state=0)),
]
SPLIT = (np.arange(150), np.arange(150, 200))


def run(y=Y, names=("linear", "boosted", "forest", "uniform", "simplex"), **changes):
    task, y = infer_task(y)
    options = {
        "final_fit": "auto",
        "out_of_bag": "auto",
        "n_jobs": None,
        "on_error": "drop",
        "random_state": 0,
        **changes,
    }
    responses = dict.fromkeys(dict(PAIRS), "predict_proba")
    strategies = resolve_strategies(list(names), PAIRS, task, responses, None)
    inputs = Inputs(PAIRS, X, y, task, None, None, 4, options)
    return run_split(inputs, strategies, SPLIT, measure=True)


def test_everything_is_recorded_for_every_strategy():
    found = run()
    names = {"linear", "boosted", "forest", "uniform", "simplex"}
    assert set(found.held_out.answers) == set(found.in_sample.answers) == names
    assert set(found.fit_seconds) == set(found.costs) == names
    assert found.failures == {}
    assert found.held_out.answers["uniform"].values.shape == (50, 2)
    assert found.in_sample.answers["uniform"].values.shape == (150, 2)


def test_a_base_model_alone_is_what_the_cross_fit_made_of_it():
    found = run()
    assert found.final_fit == {"linear": "refit", "boosted": "bag", "forest": "out_of_bag"}
    plain = clone(PAIRS[1][1]).fit(X[:150], Y[:150]).predict_proba(X[150:])
    assert not np.allclose(found.held_out.answers["boosted"].values, plain)
    refitted = run(final_fit="refit")
    np.testing.assert_allclose(refitted.held_out.answers["boosted"].values, plain)
    assert found.costs["boosted"].n_bytes > refitted.costs["boosted"].n_bytes + 2_000
    assert found.costs["boosted"].exported


def test_combinations_cost_as_much_as_their_models_and_a_little_more():
    costs = run().costs
    total = costs["linear"] + costs["boosted"] + costs["forest"]
    assert total.n_bytes < costs["uniform"].n_bytes < total.n_bytes + 30_000
    assert total.one_row_us < costs["uniform"].one_row_us
    assert total.batch_us_per_row < costs["uniform"].batch_us_per_row


def test_a_base_model_under_another_name():
    found = run(names=[("wood", "forest")])
    assert found.held_out.answers["wood"] is found.held_out.answers["forest"]
    assert found.fit_seconds["wood"] == found.fit_seconds["forest"]
    assert found.costs["wood"] is found.costs["forest"]


def test_fit_seconds_of_a_refitted_model_are_those_of_one_fit(monkeypatch):
    original = _outer_run.cross_fit
    seen = {}

    def remembered(*arguments, **options):
        seen["fit"] = original(*arguments, **options)
        return seen["fit"]

    monkeypatch.setattr(_outer_run, "cross_fit", remembered)
    found = run()
    # Four folds of three quarters of the rows, and all of them: four fits' worth.
    total = seen["fit"].fit_seconds["linear"]
    assert found.fit_seconds["linear"] == pytest.approx(total / 4)
    assert found.fit_seconds["forest"] == seen["fit"].fit_seconds["forest"]


def test_classes_that_the_training_part_lacks_get_a_column():
    y = Y.copy()
    y[150:] = 2
    found = run(y, names=["linear", "uniform"])
    values = found.held_out.answers["uniform"].values
    assert values.shape == (50, 3)
    np.testing.assert_allclose(values.sum(axis=1), 1.0)
    np.testing.assert_allclose(values[:, 2], 1 / 153)


def test_nothing_is_measured_unless_asked():
    task, y = infer_task(Y)
    pairs = [("bayes", GaussianNB())]
    options = {
        "final_fit": "auto",
        "out_of_bag": "auto",
        "n_jobs": None,
        "on_error": "drop",
        "random_state": 0,
    }
    strategies = resolve_strategies(["simplex"], pairs, task, {"bayes": "predict_proba"}, None)
    found = run_split(
        Inputs(pairs, X, y, task, None, None, 4, options), strategies, SPLIT, measure=False
    )
    assert found.costs == {}

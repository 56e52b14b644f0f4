"""Kernels for sums of losses: scores agree with scikit-learn, lazy evaluation skips nothing."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer, make_scorer, mean_absolute_error

from stackens._core._losses import true_probabilities
from stackens.combiners._greedy_metrics import (
    _PRODUCT,
    AbsoluteErrorMetric,
    LogLossMetric,
    QuadraticMetric,
    first_best,
    selection_metric,
)
from stackens.combiners._greedy_ranks import AccuracyMetric, RocAucMetric
from stackens.combiners._greedy_scorer import ScorerMetric
from stackens.out_of_fold import as_fitted_estimator


@pytest.mark.parametrize(
    ("kind", "scoring", "expected"),
    [
        ("binary", None, LogLossMetric),
        ("multilabel", None, LogLossMetric),
        ("multiclass", "neg_log_loss", LogLossMetric),
        ("binary", get_scorer("neg_log_loss"), LogLossMetric),
        ("multiclass", "neg_brier_score", QuadraticMetric),
        ("binary", "accuracy", AccuracyMetric),
        ("multiclass", "balanced_accuracy", AccuracyMetric),
        ("multilabel", "accuracy", ScorerMetric),
        ("binary", "roc_auc", RocAucMetric),
        ("multiclass", "roc_auc_ovr", ScorerMetric),
        ("binary", "f1", ScorerMetric),
        ("regression", None, QuadraticMetric),
        ("regression", "r2", QuadraticMetric),
        ("multi-output", "neg_root_mean_squared_error", QuadraticMetric),
        ("regression", "neg_mean_absolute_error", AbsoluteErrorMetric),
        # The same function with another sign or an option is another metric.
        ("regression", make_scorer(mean_absolute_error), ScorerMetric),
        (
            "multi-output",
            make_scorer(mean_absolute_error, greater_is_better=False, multioutput=[0.9, 0.1]),
            ScorerMetric,
        ),
        ("regression", "neg_median_absolute_error", ScorerMetric),
        ("regression", lambda estimator, X, y: 0.0, ScorerMetric),
    ],
)
def test_choice_of_kernel(make_table, kind, scoring, expected):
    table = make_table(kind)
    metric = selection_metric(table.values, table.y, table.task, scoring, None)
    assert type(metric) is expected


def test_special_targets_are_left_to_scikit_learn(make_table):
    table = make_table("regression")
    constant = selection_metric(table.values, np.full(60, 0.1), table.task, "r2", None)
    assert type(constant) is ScorerMetric
    table = make_table("binary")
    one_class = np.full(60, "ant")
    for scoring in ("roc_auc", "balanced_accuracy"):
        metric = selection_metric(table.values, one_class, table.task, scoring, None)
        assert type(metric) is ScorerMetric
        weights = (table.y == "ant").astype(float)
        metric = selection_metric(table.values, table.y, table.task, scoring, weights)
        assert type(metric) is ScorerMetric


@pytest.mark.parametrize("n", [1, _PRODUCT - 1, _PRODUCT, _PRODUCT + 1, 1000, 2**14 + 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_of_any_number_of_rows(n, weighted):
    rng = np.random.default_rng(n)
    p = rng.uniform(0.001, 1, (3, n))
    p[0, : n // 2] = 1e-300  # far under the floor
    weights = rng.dirichlet(np.ones(n)) if weighted else None
    metric = LogLossMetric(p, weights)
    total = np.zeros(n)
    for step in (1, 2, 3):
        means = np.maximum((total + p) / step, np.finfo(float).eps)
        expected = np.average(np.log(means), axis=1, weights=weights)
        choice, score = metric.best(step)
        assert choice == expected.argmax()
        assert score == pytest.approx(expected.max(), rel=1e-12, abs=1e-13)
        metric.add(choice)
        total += p[choice]


def test_bounds_are_below_the_losses(make_table):
    table = make_table("multiclass", n=150, n_models=20, seed=1)
    p = true_probabilities(table.values, table.target, table.task)
    p[3] = np.where(p[3] > 0.5, p[3], 0.0)
    metric = LogLossMetric(p, None)
    for step in range(1, 9):
        bounds = metric._bounds(step)
        losses = np.array([metric._evaluate(m, step) for m in range(20)])
        assert (bounds <= losses + 1e-12).all()
        choice, score = metric.best(step)
        assert choice == losses.argmin()
        assert score == -losses.min()
        metric.add(choice)


def test_lazy_evaluation_looks_at_few_models(make_table, monkeypatch):
    table = make_table("binary", n=2000, n_models=40, seed=2)
    p = true_probabilities(table.values, table.target, table.task)
    metric, seen = LogLossMetric(p, None), []
    evaluate = metric._evaluate
    monkeypatch.setattr(metric, "_evaluate", lambda m, k: seen.append(m) or evaluate(m, k))
    for step in range(1, 21):
        metric.add(metric.best(step)[0])
    assert len(seen) < 20 * 40 / 2


@pytest.mark.parametrize("kind", ["regression", "multi-output"])
@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error"])
def test_quadratic_scores_of_near_perfect_models(make_table, kind, scoring):
    table = make_table(kind)
    y = table.y.reshape(60, 1, -1)
    values = y + 1e-7 * (table.values - y)
    metric = selection_metric(values, table.y, table.task, scoring, None)
    scorer, estimator = get_scorer(scoring), as_fitted_estimator(table.task)
    expected = max(scorer(estimator, values[:, m], table.y) for m in range(4))
    assert metric.best(1)[1] == pytest.approx(expected, rel=1e-9)


def test_first_best():
    assert first_best(np.array([1.0, 2.0, 2.0 + 1e-15]), 0.0) == 1
    assert first_best(np.array([0.0, 1e-13]), 1.0) == 0
    assert first_best(np.array([0.0, 1e-13]), 0.0) == 1
    assert first_best(np.array([-np.inf, -5.0, -5.0]), 1.0) == 1

"""Accuracy and ROC AUC kernels: exact counts, ties, and bounds that hold."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from stackens.combiners._greedy_ranks import AccuracyMetric, RocAucMetric, roc_auc


def scores_and_labels(rng, n, ties):
    y = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    scores = 1 / (1 + np.exp(-y - rng.normal(size=n)))
    return (np.round(scores * 8) / 8 if ties else scores), y


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shift", [0.0, -0.5])
def test_roc_auc(ties, weighted, shift):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores, y = scores_and_labels(rng, int(rng.integers(2, 200)), ties)
        weights = rng.uniform(0.1, 3, len(y)) if weighted else None
        order = np.argsort(y, kind="stable")
        found = roc_auc(
            scores[order] + shift, (y == 0).sum(), None if weights is None else weights[order]
        )
        expected = roc_auc_score(y, scores + shift, sample_weight=weights)
        assert found == pytest.approx(expected, rel=1e-13)


def test_roc_auc_of_scores_one_bit_apart():
    up = np.nextafter(0.5, 1)
    assert roc_auc(np.array([0.5, up]), 1, None) == 1.0
    assert roc_auc(np.array([up, 0.5]), 1, None) == 0.0
    assert roc_auc(np.array([0.5, 0.5]), 1, None) == 0.5
    assert roc_auc(np.array([-0.0, 0.0]), 1, None) == 0.5
    assert roc_auc(np.array([0.0, 1000.0, 4096.0]), 2, None) == 1.0


@pytest.mark.parametrize("weighted", [False, True])
def test_histograms_bound_the_area(weighted):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores, y = scores_and_labels(rng, 300, ties=seed % 2 == 0)
        weights = rng.uniform(0.1, 3, 300) if weighted else None
        metric = RocAucMetric(scores[:, None], y, weights)
        lower, upper = metric._bounds(metric._mean(0, 1))
        exact = roc_auc_score(y, scores, sample_weight=weights)
        assert lower - 1e-12 <= exact <= upper + 1e-12
        assert upper - lower < 0.3


def test_few_models_are_counted_exactly(monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 5000)
    skill = rng.uniform(0.2, 1, 30)
    scores = 1 / (1 + np.exp(-y[:, None] * skill - rng.normal(size=(5000, 30))))
    counted = []
    monkeypatch.setattr(
        "stackens.combiners._greedy_ranks.roc_auc",
        lambda *a: counted.append(1) or roc_auc(*a),
    )
    metric = RocAucMetric(scores, y, None)
    assert metric.best(1)[0] == np.argmax([roc_auc_score(y, s) for s in scores.T])
    assert len(counted) < 10


def test_scores_outside_zero_and_one():
    rng = np.random.default_rng(0)
    y = np.r_[0, 1, rng.integers(0, 2, 98)]
    scores = rng.normal(size=(100, 4)) * 10 + y[:, None]
    choice, score = RocAucMetric(scores, y, None).best(1)
    expected = [roc_auc_score(y, column) for column in scores.T]
    assert choice == np.argmax(expected)
    assert score == pytest.approx(max(expected))


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_accuracy_with_settled_rows_and_ties(n_classes, scale, monkeypatch):
    monkeypatch.setattr("stackens.combiners._greedy_ranks._BLOCK_ELEMENTS", 500)
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, 120)
    values = np.round(rng.dirichlet(np.full(n_classes, 0.2), (120, 6)) * 4) / 4
    values[:40] = np.eye(n_classes)[y[:40], None]  # settled after the second member
    values *= scale  # above one, nothing may be taken as settled
    metric = AccuracyMetric(values, y, np.full(120, 1 / 120))
    total = np.zeros((120, n_classes))
    for step in range(1, 7):
        means = (total[:, None] + values) / step
        expected = [accuracy_score(y, means[:, m].argmax(axis=1)) for m in range(6)]
        choice, score = metric.best(step)
        assert score == pytest.approx(max(expected), abs=1e-12)
        assert choice == np.argmax(np.array(expected) >= max(expected) - 1e-12)
        metric.add(choice)
        total += values[:, choice]
    assert metric._settled().sum() >= 40 if scale == 1.0 else not metric._settled().any()

"""Accuracy and ROC AUC kernels: exact counts, ties, and bounds that hold."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, roc_auc_score

from stackens.combiners._greedy_ranks import AccuracyMetric, RocAucMetric, pairs_won


def scores_and_labels(rng, n, ties):
    y = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    scores = 1 / (1 + np.exp(-y - rng.normal(size=n)))
    return (np.round(scores * 8) / 8 if ties else scores), y


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shift", [0.0, -0.5])
def test_pairs_won(ties, weighted, shift):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores, y = scores_and_labels(rng, int(rng.integers(2, 200)), ties)
        weights = rng.uniform(0.1, 3, len(y)) if weighted else np.ones(len(y))
        order = np.argsort(y, kind="stable")
        won = pairs_won(scores[order] + shift, (y == 0).sum(), weights[order] if weighted else None)
        expected = roc_auc_score(y, scores + shift, sample_weight=weights)
        assert won / (weights[y == 0].sum() * weights[y == 1].sum()) == pytest.approx(
            expected, rel=1e-13
        )


@pytest.mark.parametrize("weights", [None, np.ones(3)])
def test_pairs_won_by_scores_one_bit_apart(weights):
    def won(*scores):
        rows = None if weights is None else weights[: len(scores)]
        return pairs_won(np.array(scores), 1, rows)

    up = np.nextafter(0.5, 1)
    assert won(0.5, up) == 1.0
    assert won(up, 0.5) == 0.0
    assert won(0.5, 0.5) == 0.5
    assert won(-0.0, 0.0) == 0.5
    assert won(0.5, 0.5, up) == 1.5
    assert won(0.0, 1000.0, 4096.0) == 2.0
    assert won(0.5) == 0.0
    assert pairs_won(np.empty(0), 0, None if weights is None else np.empty(0)) == 0.0


def auc_tables():
    """Scores of every kind that bins find hard or easy, with labels: (n_samples, n_models)."""
    rng = np.random.default_rng(0)
    y = np.r_[0, 1, rng.integers(0, 2, 598)]
    rare = np.r_[0, 1, rng.random(598) < 0.02].astype(int)
    noise = rng.normal(size=(600, 8))
    shared = y[:, None] + rng.normal(size=(600, 1)) + 0.3 * noise
    constant = expit(shared)
    constant[:, [0, 3, 4]] = 0.0, 0.5, 1.0
    few_bits_apart = 0.5 + 2.0**-53 * rng.integers(0, 40, (600, 8)) * (1 + y[:, None])
    tenths = np.round(expit(shared), 1)
    return {
        "spread out": (expit(y[:, None] + noise), y),
        "nearly the same models": (expit(shared), y),
        "almost perfect": (expit(8 * (y[:, None] - 0.5) + 2 * noise), y),
        "perfect": (np.where(y[:, None] == 1, 0.7, 0.3) + 0.01 * noise, y),
        "always wrong": (expit(-8 * (y[:, None] - 0.5) + 2 * noise), y),
        "rare class": (expit(rare[:, None] + noise - 6), rare),
        "common class": (expit(noise + 6 - rare[:, None]), 1 - rare),
        "tenths": (tenths, y),
        "tenths and copies": (tenths[:, [0, 1, 0, 2, 1, 1]], y),
        "zero and one": ((shared > 0.5).astype(float), y),
        "certain of positives only": (np.where(y[:, None] == 1, 1.0, expit(noise)), y),
        "all constant": (np.full((600, 3), 0.25), y),
        "some constant": (constant, y),
        "in one bin": (0.3 + 1e-7 * expit(shared), y),
        "tiny": (1e-300 * expit(shared), y),
        "a few bits apart": (few_bits_apart, y),
        "many powers of ten": (10.0 ** (-20 * expit(1 - shared)), y),
        "below zero and above one": (10 * shared, y),
        "two rows": (rng.random((2, 8)), np.array([1, 0])),
        "nine rows": (rng.random((9, 8)), np.arange(9) % 2),
        "one positive": (rng.random((50, 8)), np.arange(50) // 49),
    }


AUC_TABLES = auc_tables()


def plain_auc(scores, y, weights):
    """Compare every positive row with every negative one."""
    difference = scores[y == 1][:, None] - scores[y == 0]
    won = (difference > 0) + 0.5 * (difference == 0)
    positive, negative = weights[y == 1], weights[y == 0]
    return positive @ won @ negative / (positive.sum() * negative.sum())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", AUC_TABLES)
def test_roc_auc_takes_the_members_of_a_plain_loop(name, weighted):
    scores, y = AUC_TABLES[name]
    n_samples, n_models = scores.shape
    weights = np.ones(n_samples)
    if weighted:
        weights = np.random.default_rng(1).uniform(0.1, 3, n_samples)
        weights[3:40:4] = 0.0
    metric = RocAucMetric(scores, y, weights if weighted else None)
    total = np.zeros(n_samples)
    for step in range(1, 11):
        areas = [plain_auc((total + scores[:, m]) / step, y, weights) for m in range(n_models)]
        choice, score = metric.best(step)
        assert choice == np.argmax(np.array(areas) >= max(areas) - 1e-12)
        assert score == pytest.approx(areas[choice], abs=1e-13)
        metric.add(choice)
        total += scores[:, choice]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", AUC_TABLES)
def test_bound_and_area(name, weighted):
    scores, y = AUC_TABLES[name]
    weights = np.random.default_rng(2).uniform(0.1, 3, len(y)) if weighted else np.ones(len(y))
    metric = RocAucMetric(scores, y, weights if weighted else None)
    for step in (1, 2, 3):
        for model in range(scores.shape[1]):
            mean = ((step - 1) * scores[:, 0] + scores[:, model]) / step
            area = plain_auc(mean, y, weights)
            metric._place(model, step)
            assert metric._area() == pytest.approx(area, abs=1e-13)
            assert area - 1e-13 <= metric._bound() <= 1 + 1e-13
            if name == "spread out":
                assert metric._bound() < area + 0.01
        metric.add(0)


def calls(metric, name):
    """Count the calls of a method."""
    seen, method = [], getattr(metric, name)
    setattr(metric, name, lambda: seen.append(1) or method())
    return seen


@pytest.mark.parametrize("name", ["spread out", "nearly the same models"])
def test_the_area_of_few_models_is_computed(name):
    scores, y = AUC_TABLES[name]
    metric = RocAucMetric(scores, y, None)
    areas = calls(metric, "_area")
    for step in range(1, 11):
        metric.add(metric.best(step)[0])
    assert 10 <= len(areas) < 40


def test_nothing_after_a_perfect_model_is_looked_at():
    scores, y = AUC_TABLES["perfect"]
    scores = scores.copy()
    scores[:, :2] = scores[::-1, :2]
    metric = RocAucMetric(scores, y, None)
    bounds, areas = calls(metric, "_bound"), calls(metric, "_area")
    assert metric.best(1) == (2, 1.0)
    assert len(bounds) == 3
    assert len(areas) == 1


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

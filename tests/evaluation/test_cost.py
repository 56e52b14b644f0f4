"""Time per row and bytes of what predicts."""

import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from stackens.evaluation._cost import pickled_bytes, single_row_latency


def test_latency_asks_every_row_alone_in_every_round():
    asked = []
    median, high = single_row_latency(asked.append, list(range(10)), repeats=2)
    assert 0 < median <= high
    assert asked == [0, *range(10), *range(10)]


def test_slow_models_get_one_round(monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 0.01))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    asked = []
    median, _ = single_row_latency(asked.append, list(range(10)), repeats=3)
    assert median == pytest.approx(1e4)
    assert len(asked) == 1 + 10


def test_rows_that_were_delayed_are_asked_again(monkeypatch):
    delayed = [1.0] + [1e-6] * 99
    clock = iter(np.cumsum([step for t in [*delayed, *[1e-6] * 100] for step in (0.0, t)]))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    _, high = single_row_latency(lambda row: None, list(range(100)), repeats=2)
    assert high == pytest.approx(1.0)


def test_a_slow_row_shows_in_the_high_percentile_only(monkeypatch):
    clock = iter(np.cumsum([0.0, 1e-6] * 99 + [0.0, 1e-3]).repeat(1))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    median, high = single_row_latency(lambda row: None, list(range(100)), repeats=1)
    assert median == pytest.approx(1.0)
    assert 1.0 < high < 1000.0


@pytest.mark.parametrize("n_estimators", [1, 20])
def test_bytes_are_those_of_the_pickle(n_estimators):
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = RandomForestClassifier(n_estimators, random_state=0).fit(X, X[:, 0] > 0)
    assert pickled_bytes(model) == len(pickle.dumps(model, protocol=5))


def test_what_cannot_be_pickled_has_no_size():
    assert np.isnan(pickled_bytes(lambda: None))

"""What a model costs after fitting."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from stackens.comparison import _cost
from stackens.comparison._cost import dumped_bytes, measure_latency


class Recorder:
    """Keeps the sizes of what it is asked."""

    def __init__(self):
        self.asked = []

    def predict(self, X):
        self.asked.append(X)
        return np.zeros(len(X))


class WithProbabilities(Recorder):
    def predict_proba(self, X):
        return self.predict(X)

    def decision_function(self, X):
        raise AssertionError("predict_proba comes first")


def test_latency_asks_for_distinct_rows_and_batches():
    for model in (Recorder(), WithProbabilities()):
        latency = measure_latency(model, np.arange(2_000.0)[:, None])
        singles = [X for X in model.asked if len(X) == 1]
        batches = [X for X in model.asked if len(X) > 1]
        assert len({float(X[0, 0]) for X in singles}) == len(singles) >= 3
        assert {len(X) for X in batches} == {500}
        assert latency.one_row_us > latency.batch_us_per_row > 0


def test_slow_models_are_asked_little(monkeypatch):
    model = Recorder()
    monkeypatch.setattr(_cost, "_SECONDS", 0.0)
    measure_latency(model, pd.DataFrame({"x": range(100)}))
    assert [len(X) for X in model.asked] == [1, 1, 1, 100]


def test_one_row_is_enough():
    assert measure_latency(Recorder(), np.zeros((1, 1))).batch_us_per_row > 0


@pytest.mark.parametrize("n_estimators", [1, 20])
def test_bytes_are_those_of_the_joblib_dump(n_estimators):
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = RandomForestClassifier(n_estimators, random_state=0).fit(X, X[:, 0] > 0)
    file = io.BytesIO()
    joblib.dump(model, file)
    assert dumped_bytes(model) == pytest.approx(len(file.getvalue()), rel=0.01)


def test_what_cannot_be_dumped_has_no_size():
    assert np.isnan(dumped_bytes(lambda: None))

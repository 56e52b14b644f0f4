"""What a model costs after fitting."""

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens._core._task import Task
from stackens.combiners import FixedWeights, MetaLearner
from stackens.comparison import _cost
from stackens.comparison._cost import measure_costs
from stackens.comparison._fit_on_table import FittedStrategy
from stackens.evaluation import Answers, Cost
from stackens.exceptions import ExportError
from stackens.export import exported_cost
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

NUMBERS = Task("regression", 1)


class Recorder:
    """Keeps the sizes of what it is asked."""

    def __init__(self):
        self.asked = []

    def predict(self, X):
        self.asked.append(X)
        return np.zeros(len(X))

    def __reduce__(self):
        return (Recorder, ())


class WithProbabilities(Recorder):
    def predict_proba(self, X):
        return self.predict(X)

    def decision_function(self, X):
        raise AssertionError("predict_proba comes first")


def measure(models, X, combinations=None):
    values = np.zeros((len(X), len(models), 1))
    table = PredictionTable(values, tuple(models), NUMBERS, ("predict",) * len(models), X)
    return measure_costs(models, combinations or {}, X, table)


def combination(weights, names):
    combiner = FixedWeights(weights)
    combiner.weights_, combiner.names_ = np.asarray(weights), names
    return FittedStrategy(combiner, names, 0.0, Answers(np.empty((0, 1)), "predict"))


def _not_exported(*_):
    raise ExportError("Not today.")


def test_what_can_be_exported_is_measured_exported():
    X = np.random.default_rng(0).normal(size=(60, 2))
    models = {"a": LinearRegression().fit(X, X[:, 0]), "b": LinearRegression().fit(X, X[:, 1])}
    found = measure(models, X, {"mean": combination([0.5, 0.5], ("a", "b"))})
    assert found["a"].n_bytes == exported_cost(models["a"], X).n_bytes
    assert found["mean"].exported
    assert found["mean"].n_bytes > found["a"].n_bytes + found["b"].n_bytes
    mixed = measure({**models, "b": Recorder()}, X, {"mean": combination([0.5, 0.5], ("a", "b"))})
    assert mixed["a"].exported
    assert not mixed["b"].exported
    assert not mixed["mean"].exported


def test_combiners_read_features_too():
    X = pd.DataFrame({"city": ["Bern", "Rome", None] * 20, "size": np.arange(60.0)})
    y = np.arange(60.0)
    models = {"constant": DummyRegressor().fit(X, y)}
    values = (y + 1.0)[:, None, None]
    table = OutOfFoldTable(values, ("constant",), NUMBERS, ("predict",), X, y=y)
    final = make_pipeline(se.TabularEncoder(), LinearRegression())
    combiner = MetaLearner(final, passthrough=True).fit(table)
    found = FittedStrategy(combiner, ("constant",), 0.0, Answers(np.empty((0, 1)), "predict"))
    assert measure(models, X, {"stack": found})["stack"].exported


def test_latency_asks_for_distinct_rows_and_batches():
    for model in (Recorder(), WithProbabilities()):
        cost = measure({"model": model}, np.arange(2_000.0)[:, None])["model"]
        singles = [X for X in model.asked if len(X) == 1]
        batches = [X for X in model.asked if len(X) > 1]
        assert len({float(X[0, 0]) for X in singles}) == len(singles) >= 2
        assert {len(X) for X in batches} == {500}
        assert cost.one_row_us > cost.batch_us_per_row > 0


def test_slow_models_are_asked_little(monkeypatch):
    model = Recorder()
    monkeypatch.setattr("stackens.evaluation._cost._SECONDS", 0.0)
    measure({"model": model}, pd.DataFrame({"x": range(100)}))
    assert [len(X) for X in model.asked] == [1, 1, 100]


def test_one_row_is_enough():
    assert measure({"model": Recorder()}, np.zeros((1, 1)))["model"].batch_us_per_row > 0


def test_combinations_cost_what_their_parts_do(monkeypatch):
    measured = iter([Cost(1, 10, 100), Cost(2, 20, 200), Cost(4, 40, 400), Cost(0.1, 0.2, 0.3)])
    monkeypatch.setattr(_cost, "cost_of", lambda *_: next(measured))
    monkeypatch.setattr(_cost, "program_cost", _not_exported)
    models = {"a": Recorder(), "b": Recorder(), "c": Recorder()}
    mean = combination([0.5, 0.0, 0.5], ("a", "b", "c"))
    found = measure(models, np.zeros((5, 1)), {"mean": mean})
    assert found["mean"] == Cost(5.1, 50.2, 500.3)
    assert list(found) == ["a", "b", "c", "mean"]


def test_combining_is_measured_without_asking_models_again():
    models = {"a": Recorder(), "b": Recorder()}
    measure(models, np.zeros((50, 1)))
    asked = [len(models["a"].asked), len(models["b"].asked)]
    models = {"a": Recorder(), "b": Recorder()}
    found = measure(models, np.zeros((50, 1)), {"one": combination([1.0], ("b",))})
    assert [len(models["a"].asked), len(models["b"].asked)] == asked
    assert found["one"].one_row_us > found["b"].one_row_us


def test_rows_that_are_a_list_of_texts():
    class ByLength(Recorder):
        def predict(self, X):
            return np.array([len(text) for text in X], dtype=float)

    texts = ["a", "bb", "ccc"] * 4
    found = measure({"a": ByLength()}, texts, {"one": combination([1.0], ("a",))})
    assert found["one"].one_row_us > 0

"""Tests that scikit-learn's gradient boosting is read, with every loss and first model."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens.exceptions import ExportError
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, assert_classifies, awkward_rows

RNG = np.random.default_rng(0)
N = 250
LARGEST = float(np.finfo(np.float32).max)
X = np.column_stack([RNG.normal(size=N), RNG.integers(0, 8, N), RNG.normal(size=N) ** 3])
Y = X[:, 0] + X[:, 1] % 3
TWO = np.where(Y > 1, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(Y, [0.5, 1.5])]


def rows_for(program):
    return awkward_rows(program, X, RNG, missing=False, limit=LARGEST)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("init", [None, "zero", DummyRegressor(strategy="median")])
def test_regressors_are_exact(loss, init):
    model = GradientBoostingRegressor(loss=loss, init=init, n_estimators=15).fit(X, Y)
    program = program_of(model, 3, "predict")
    rows = rows_for(program)
    np.testing.assert_array_equal(answers(program, rows)[:, 0], model.predict(rows))


@pytest.mark.parametrize("init", [None, "zero", DummyClassifier(strategy="most_frequent")])
@pytest.mark.parametrize(
    ("loss", "labels"), [("log_loss", TWO), ("exponential", TWO), ("log_loss", THREE)]
)
def test_classifiers_are_exact(loss, labels, init):
    model = GradientBoostingClassifier(loss=loss, init=init, n_estimators=10).fit(X, labels)
    assert_classifies(model, rows_for(program_of(model, 3)))


def test_a_score_of_zero_is_the_second_class():
    x = np.array([[0.0], [1.0]] * 10)
    model = GradientBoostingClassifier(init="zero", n_estimators=1).fit(x, [0, 1] * 10)
    model.estimators_[0, 0].tree_.value[:] = 0
    assert model.predict(x[:1]) == [1]
    assert answers(program_of(model, 1, "predict"), x[:1]) == [[1]]


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_a_regressor_on_top_of_another_model(loss):
    first = DecisionTreeRegressor(max_depth=3)
    model = GradientBoostingRegressor(loss=loss, init=first, n_estimators=10).fit(X, Y)
    program = program_of(model, 3, "predict")
    rows = rows_for(program)
    np.testing.assert_allclose(answers(program, rows)[:, 0], model.predict(rows), atol=1e-14)


def test_linear_first_models_compute_in_single_precision(tmp_path):
    model = GradientBoostingRegressor(init=Ridge(), n_estimators=10).fit(X, Y)
    program = program_of(model, 3, "predict")
    assert program.single_precision
    report = se.export.to_numpy(model, tmp_path / "model.py").report
    assert 1e-10 < report.max_difference < report.check.tolerance == 1e-5


@pytest.mark.parametrize(
    ("loss", "labels"), [("log_loss", TWO), ("exponential", TWO), ("log_loss", THREE)]
)
def test_a_classifier_on_top_of_another_model(loss, labels):
    first = DecisionTreeClassifier(max_depth=3)  # with leaves that are sure, so clipped
    model = GradientBoostingClassifier(loss=loss, init=first, n_estimators=5).fit(X, labels)
    program = program_of(model, 3, "decision_function")
    rows = rows_for(program)
    scores = model.decision_function(rows).reshape(len(rows), -1)
    assert np.abs(scores).max() > 15
    np.testing.assert_allclose(answers(program, rows), scores, rtol=1e-14, atol=1e-13)


def test_missing_and_infinite_rows_are_refused():
    model = GradientBoostingRegressor(n_estimators=3).fit(X, Y)
    rows = np.tile(X[0], (4, 1))
    rows[0, 2], rows[1, 1], rows[2, 0] = np.nan, np.inf, 1e39
    refused = np.isnan(answers(program_of(model, 3, "predict"), rows)[:, 0])
    assert refused.tolist() == [True, True, True, False]


def test_a_first_model_that_draws_is_refused():
    first = DummyClassifier(strategy="stratified")
    model = GradientBoostingClassifier(init=first, n_estimators=3).fit(X, TWO)
    with pytest.raises(ExportError, match="answer a row always alike"):
        program_of(model, 3)


def test_a_regressor_has_no_probabilities():
    model = GradientBoostingRegressor(n_estimators=3).fit(X, Y)
    with pytest.raises(ExportError, match="it predicts values"):
        program_of(model, 3, "predict_proba")

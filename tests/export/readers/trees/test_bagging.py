"""Tests that bags are read: of trees as one forest, and of other models."""

import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, ExtraTreeRegressor

from stackens.exceptions import ExportError
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, awkward_rows

RNG = np.random.default_rng(0)
N = 250
LARGEST = float(np.finfo(np.float32).max)
X = np.column_stack(
    [RNG.normal(size=N), RNG.integers(0, 8, N), RNG.normal(size=N) ** 3, RNG.normal(size=N)]
)
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
Y = X[:, 0] + X[:, 1] % 3
THREE = np.array(["a", "b", "c"])[np.digitize(Y, [0.5, 1.5])]
SETTINGS = [
    {},
    {"max_features": 0.5},
    {"max_features": 3, "bootstrap_features": True},
    {"max_samples": 3},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_classifiers_of_trees(settings):
    model = BaggingClassifier(n_estimators=8, random_state=0, **settings).fit(GAPS, THREE)
    program = program_of(model, 4)
    rows = awkward_rows(program, GAPS, RNG, limit=LARGEST)
    np.testing.assert_array_equal(answers(program, rows), model.predict_proba(rows))
    assert [trees.n_trees for trees in program.trees()] == [8]
    position = answers(program_of(model, 4, "predict"), rows)[:, 0].astype(int)
    np.testing.assert_array_equal(model.classes_[position], model.predict(rows))


@pytest.mark.parametrize("settings", SETTINGS)
def test_regressors_of_trees(settings):
    model = BaggingRegressor(ExtraTreeRegressor(), n_estimators=8, random_state=0, **settings)
    model.fit(X, Y)
    program = program_of(model, 4, "predict")
    rows = awkward_rows(program, X, RNG, limit=LARGEST)
    np.testing.assert_array_equal(answers(program, rows)[:, 0], model.predict(rows))


@pytest.mark.parametrize("settings", [*SETTINGS[:3], {"max_samples": 30}])
def test_other_models(settings):
    base = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5)
    model = BaggingClassifier(base, n_estimators=4, random_state=0, **settings).fit(GAPS, THREE)
    rows = GAPS[:100]
    np.testing.assert_allclose(
        answers(program_of(model, 4), rows), model.predict_proba(rows), atol=5e-16
    )
    np.testing.assert_array_equal(
        answers(program_of(model, 4, "decision_function"), rows), model.decision_function(rows)
    )
    base = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=5)
    regressor = BaggingRegressor(base, n_estimators=4, random_state=0, **settings).fit(GAPS, Y)
    np.testing.assert_array_equal(
        answers(program_of(regressor, 4, "predict"), rows)[:, 0], regressor.predict(rows)
    )


def test_models_that_saw_some_classes():
    # a pipeline takes no weights, so that its rows are drawn
    base = make_pipeline(HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1))
    model = BaggingClassifier(base, n_estimators=6, max_samples=3, random_state=1).fit(X, THREE)
    assert {len(one.classes_) for one in model.estimators_} == {1, 2}
    np.testing.assert_allclose(answers(program_of(model, 4), X), model.predict_proba(X), atol=5e-16)


def test_models_without_probabilities_vote():
    model = BaggingClassifier(RidgeClassifier(), n_estimators=5, random_state=0).fit(X, THREE)
    np.testing.assert_array_equal(answers(program_of(model, 4), X), model.predict_proba(X))


def test_only_columns_that_a_tree_was_given_refuse_rows():
    model = BaggingClassifier(
        DecisionTreeClassifier(), n_estimators=2, max_features=1, random_state=0
    ).fit(X, THREE)
    given = set(np.concatenate(model.estimators_features_).tolist())
    assert len(given) == 2
    for column in range(4):
        row = X[:1].copy()
        row[0, column] = np.inf
        assert np.isnan(answers(program_of(model, 4), row)).all() == (column in given)


def test_a_regressor_has_no_probabilities():
    model = BaggingRegressor(n_estimators=2).fit(X, Y)
    with pytest.raises(ExportError, match="it predicts values"):
        program_of(model, 4, "predict_proba")

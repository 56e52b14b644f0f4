"""Tests that scikit-learn's trees and forests are read bit for bit."""

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from stackens.exceptions import ExportError
from stackens.export.readers.trees._sklearn_trees import is_tree
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, awkward_rows

RNG = np.random.default_rng(0)
N = 300
LARGEST = float(np.finfo(np.float32).max)
X = np.column_stack(
    [
        RNG.normal(size=N),
        RNG.integers(0, 8, N),
        1.7e9 + RNG.integers(0, 10**6, N),
        RNG.normal(size=N) ** 3 * 1e5,
    ]
)
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
Y = X[:, 0] + X[:, 1] % 3 + (X[:, 2] - 1.7e9) / 1e6
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [1, 2])]

TREE_CLASSIFIERS = [DecisionTreeClassifier, ExtraTreeClassifier]
FOREST_CLASSIFIERS = [RandomForestClassifier, ExtraTreesClassifier]
TREE_REGRESSORS = [DecisionTreeRegressor, ExtraTreeRegressor]
FOREST_REGRESSORS = [RandomForestRegressor, ExtraTreesRegressor]


def built(kind, **parameters):
    forest = kind in FOREST_CLASSIFIERS + FOREST_REGRESSORS
    return kind(random_state=0, **({"n_estimators": 7} if forest else {}), **parameters)


@pytest.mark.parametrize("kind", TREE_CLASSIFIERS + FOREST_CLASSIFIERS)
@pytest.mark.parametrize("data", [X, GAPS], ids=["full", "gaps"])
def test_classifiers(kind, data):
    model = built(kind).fit(data, LABELS)
    program = program_of(model, 4)
    rows = awkward_rows(program, data, RNG, limit=LARGEST)
    assert np.isnan(rows).any()
    np.testing.assert_array_equal(answers(program, rows), model.predict_proba(rows))
    position = answers(program_of(model, 4, "predict"), rows)[:, 0].astype(int)
    np.testing.assert_array_equal(model.classes_[position], model.predict(rows))


@pytest.mark.parametrize("kind", TREE_REGRESSORS + FOREST_REGRESSORS)
@pytest.mark.parametrize("y", [Y, np.column_stack([Y, Y**2])], ids=["one", "two targets"])
def test_regressors(kind, y):
    model = built(kind, max_depth=7).fit(GAPS, y)
    program = program_of(model, 4, "predict")
    rows = awkward_rows(program, GAPS, RNG, limit=LARGEST)
    expected = model.predict(rows).reshape(len(rows), -1)
    np.testing.assert_array_equal(answers(program, rows), expected)


@pytest.mark.parametrize(
    "kind", [DecisionTreeRegressor, RandomForestRegressor, ExtraTreeRegressor, ExtraTreesRegressor]
)
@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error"])
def test_rows_are_refused_as_the_source_refuses_them(kind, criterion):
    model = built(kind, criterion=criterion, max_depth=3).fit(X, Y)
    program = program_of(model, 4, "predict")
    values = [0.0, np.nan, np.inf, -np.inf, 1e300, LARGEST, 3.4028235677973366e38, -3.5e38]
    for column in range(4):
        for value in values:
            row = X[:1].copy()
            row[0, column] = value
            got = answers(program, row)[0]
            try:
                with np.errstate(over="ignore"):
                    expected = model.predict(row)
            except ValueError:
                expected = np.array([np.nan])
            np.testing.assert_array_equal(got, expected)


def test_numbers_between_two_of_single_precision_fall_to_the_nearest():
    x = np.array([[16_777_216.0], [16_777_218.0]])
    model = DecisionTreeRegressor().fit(x, [0.0, 1.0])
    program = program_of(model, 1, "predict")
    assert program.trees()[0].threshold.tolist() == [16_777_217.0]
    rows = np.array([[16_777_217.0], [np.nextafter(16_777_217.0, 2e7)], [16_777_216.9]])
    np.testing.assert_array_equal(answers(program, rows)[:, 0], model.predict(rows))
    np.testing.assert_array_equal(answers(program, rows)[:, 0], [0, 1, 0])


def test_a_tree_without_splits():
    model = DecisionTreeClassifier().fit(X, np.ones(N))
    np.testing.assert_array_equal(answers(program_of(model, 4), X), np.ones((N, 1)))


def test_columns_that_no_split_reads_still_refuse_rows():
    model = DecisionTreeRegressor(max_depth=1).fit(X, Y)
    row = X[:1].copy()
    row[0, 3] = np.inf
    assert 3 not in program_of(model, 4, "predict").trees()[0].feature
    assert np.isnan(answers(program_of(model, 4, "predict"), row)).all()


def test_several_targets_of_classes_and_missing_methods_are_refused():
    two = np.column_stack([LABELS, LABELS[::-1]])
    for kind in (DecisionTreeClassifier, RandomForestClassifier):
        with pytest.raises(ExportError, match=f"Got a {kind.__name__} with 2"):
            program_of(built(kind).fit(X, two), 4)
    regressor = DecisionTreeRegressor().fit(X, Y)
    with pytest.raises(ExportError, match="Got a DecisionTreeRegressor, and it has none"):
        program_of(regressor, 4, "predict_proba")
    with pytest.raises(ExportError, match="Got a RandomForestClassifier, and it has none"):
        program_of(built(RandomForestClassifier).fit(X, LABELS), 4, "decision_function")


def test_isolation_forests_are_refused():
    with pytest.raises(ExportError, match="IsolationForest of sklearn cannot be exported"):
        program_of(IsolationForest(n_estimators=3).fit(X), 4, "decision_function")


def test_which_models_are_trees():
    assert is_tree(DecisionTreeClassifier().fit(X, LABELS))
    assert is_tree(ExtraTreeRegressor().fit(X, Y))
    assert not is_tree(DecisionTreeClassifier().fit(X, np.column_stack([LABELS, LABELS])))
    assert not is_tree(RandomForestRegressor(n_estimators=1).fit(X, Y))

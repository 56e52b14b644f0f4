"""Tests that AdaBoost's votes are read, of trees and of other models."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor, HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from stackens.exceptions import ExportError
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, assert_classifies, awkward_rows

RNG = np.random.default_rng(0)
N = 250
LARGEST = float(np.finfo(np.float32).max)
X = np.column_stack([RNG.normal(size=N), RNG.integers(0, 8, N), RNG.normal(size=N) ** 3])
Y = X[:, 0] + X[:, 1] % 3 + RNG.normal(size=N)
TWO = np.where(Y > 1, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(Y, [0.5, 1.5])]
BASES = [
    DecisionTreeClassifier(max_depth=2),
    HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4),
]


@pytest.mark.parametrize("base", BASES, ids=["trees", "other models"])
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
def test_classifiers(labels, base):
    model = AdaBoostClassifier(base, n_estimators=6, random_state=0).fit(X, labels)
    assert len(model.estimators_) > 1
    rows = awkward_rows(program_of(model, 3), X, RNG, missing=False, limit=LARGEST)
    assert_classifies(model, rows)


def test_trees_vote_in_one_step():
    model = AdaBoostClassifier(n_estimators=10, random_state=0).fit(X, THREE)
    [trees] = program_of(model, 3).trees()
    assert trees.n_trees == len(model.estimators_) > 1


def test_a_fit_that_stops_early_counts_the_models_it_has():
    x = np.array([[0.0], [1.0]] * 10)
    model = AdaBoostClassifier(n_estimators=10).fit(x, [0, 1] * 10)
    assert len(model.estimators_) == 1
    np.testing.assert_array_equal(answers(program_of(model, 1), x), model.predict_proba(x))


@pytest.mark.parametrize("base", BASES, ids=["trees", "other models"])
def test_missing_and_infinite_rows_are_refused(base):
    model = AdaBoostClassifier(base, n_estimators=3).fit(X, TWO)
    rows = np.tile(X[0], (4, 1))
    rows[0, 2], rows[1, 1], rows[2, 0] = np.nan, np.inf, 1e39
    got = np.isnan(answers(program_of(model, 3), rows)[:, 0]).tolist()
    too_large_for_trees = base is BASES[0]
    assert got == [True, True, too_large_for_trees, False]


def test_one_class_and_regressors_are_refused():
    one = AdaBoostClassifier(n_estimators=2).fit(X, np.ones(N))
    with pytest.raises(ExportError, match="two classes or more"):
        program_of(one, 3)
    regressor = AdaBoostRegressor(n_estimators=2).fit(X, Y)
    with pytest.raises(ExportError, match="weighted median"):
        program_of(regressor, 3, "predict")

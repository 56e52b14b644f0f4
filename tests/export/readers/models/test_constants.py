"""Tests of the readers of models that answer the same for every row."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "constant"])
def test_classifiers(strategy, method, n_classes):
    X, y = class_rows(n_classes)
    model = DummyClassifier(strategy=strategy, constant="c").fit(X, y)
    program = assert_same(model, X, method, tolerance=0)
    assert program.refused is None  # it does not look at the rows


@pytest.mark.parametrize("strategy", ["mean", "median", "quantile", "constant"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_regressors(strategy, n_targets):
    X, y = number_rows(n_targets=n_targets)
    constant = np.arange(n_targets) if n_targets > 1 else 7
    model = DummyRegressor(strategy=strategy, quantile=0.3, constant=constant).fit(X, y)
    assert_same(model, X, "predict", tolerance=0)


@pytest.mark.parametrize("strategy", ["uniform", "stratified"])
def test_draws_are_refused(strategy):
    X, y = class_rows(2)
    with pytest.raises(ExportError, match="draws at random"):
        program_of(DummyClassifier(strategy=strategy).fit(X, y), 5, "predict_proba")

"""Tests of the readers of models that hold another."""

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RANSACRegressor
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)

GRID = {"C": [0.1, 1.0]}
HALVING = {"cv": 2, "random_state": 0, "min_resources": 40}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(LogisticRegression(), GRID, cv=2),
        RandomizedSearchCV(LogisticRegression(), GRID, n_iter=2, cv=2),
        HalvingGridSearchCV(LogisticRegression(), GRID, **HALVING),
        HalvingRandomSearchCV(LogisticRegression(), GRID, n_candidates=2, **HALVING),
    ],
    ids=lambda search: type(search).__name__,
)
def test_searches(search):
    X, y = class_rows(3)
    for method in ("predict_proba", "predict"):
        assert_same(search.fit(X, y), X, method)


def test_a_search_without_refit():
    X, y = class_rows(2)
    search = GridSearchCV(LogisticRegression(), GRID, refit=False, cv=2).fit(X, y)
    with pytest.raises(ExportError, match="refit=True"):
        program_of(search, 5, "predict_proba")


def test_frozen_and_self_trained():
    X, y = class_rows(3)
    inner = LogisticRegression().fit(X, y)
    assert_same(FrozenEstimator(inner), X, "decision_function")
    codes = np.searchsorted(["a", "b", "c"], y)
    codes[::3] = -1
    model = SelfTrainingClassifier(LogisticRegression()).fit(X, codes)
    assert_same(model, X, "predict_proba")


def test_ransac():
    X, y = number_rows()
    model = RANSACRegressor(LinearRegression(), random_state=0).fit(X, y)
    assert_same(model, X, "predict", scale=100.0)

"""Tests that exported selectors keep the same columns and refuse the same rows."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import (
    largest_difference,
    number_rows,
    program_of,
)

TRAIN = number_rows(80, 5, missing=0.0, extremes=False, infinite=False, seed=1)
Y = (TRAIN["c2"] + TRAIN["c4"] / TRAIN["c4"].std() > 0).to_numpy().astype(int)
ROWS = number_rows(40, 5)
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


@pytest.mark.parametrize(
    "selector",
    [
        VarianceThreshold(),
        SelectKBest(k=2),
        SelectPercentile(percentile=50),
        SelectFpr(alpha=0.9),
        SelectFdr(alpha=0.9),
        SelectFwe(alpha=0.9),
        GenericUnivariateSelect(mode="k_best", param=3),
        SelectFromModel(TREE, max_features=2),
        RFE(TREE, n_features_to_select=2),
        RFECV(TREE, cv=2),
        SequentialFeatureSelector(TREE, n_features_to_select=2, cv=2),
    ],
    ids=lambda selector: type(selector).__name__,
)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_selectors(selector, output):
    selector.set_output(transform=output).fit(TRAIN, Y)
    assert 0 < selector.get_support().sum() <= 5
    assert largest_difference(selector, ROWS) == 0.0


@pytest.mark.parametrize("estimator", [LogisticRegression(), HistGradientBoostingClassifier()])
def test_what_the_estimator_takes_the_selector_takes(estimator):
    if isinstance(estimator, LogisticRegression):
        selector = SelectFromModel(estimator)
    else:
        selector = SequentialFeatureSelector(estimator, n_features_to_select=2, cv=2)
    pipeline = make_pipeline(StandardScaler(), selector).fit(TRAIN, Y)
    assert largest_difference(pipeline, ROWS) == 0.0


def test_a_selector_that_keeps_nothing_is_refused():
    selector = SelectFromModel(TREE, threshold=np.inf).fit(TRAIN, Y)
    with pytest.raises(ExportError, match="keeps none"):
        program_of(selector, list(TRAIN.columns))

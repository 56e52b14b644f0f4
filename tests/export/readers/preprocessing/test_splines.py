"""Tests that exported splines follow scikit-learn's inside their knots, at them and beyond."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import SplineTransformer

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import (
    largest_difference,
    number_rows,
    program_of,
)

TRAIN = number_rows(100, 3, missing=0.0, extremes=False, infinite=False, seed=1)
BEYOND = TRAIN[:30] * 3


def rows_around(transformer):
    knots = np.array([spline.t for spline in transformer.bsplines_]).T
    at = pd.DataFrame(knots, columns=TRAIN.columns[: knots.shape[1]])
    rows = pd.concat([number_rows(40, 3), BEYOND])[at.columns]
    return pd.concat([rows, at, np.nextafter(at, -np.inf)])


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "error"])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("knots", ["uniform", "quantile"])
def test_splines(extrapolation, degree, knots):
    train = TRAIN[["c0"]] if (extrapolation, degree) == ("linear", 1) else TRAIN
    transformer = SplineTransformer(5, degree, knots=knots, extrapolation=extrapolation).fit(train)
    rows = rows_around(transformer)
    tolerance = 1e-14
    if extrapolation in ("linear", "continue"):
        tolerance = 1e-11
        # further out they overflow, or splines that cancel are what is left of large numbers
        rows = rows[~((rows.abs() > 1e6) & np.isfinite(rows)).any(axis=1)]
    assert largest_difference(transformer, rows, relative=True) < tolerance


@pytest.mark.parametrize("sparse_output", [True, False])
@pytest.mark.parametrize("extrapolation", ["constant", "linear"])
def test_options(sparse_output, extrapolation):
    transformer = SplineTransformer(
        3, include_bias=False, sparse_output=sparse_output, extrapolation=extrapolation
    ).fit(TRAIN)
    assert largest_difference(transformer, pd.concat([TRAIN, BEYOND]), relative=True) < 1e-12


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "error"])
def test_missing_values_as_zeros(extrapolation):
    train = number_rows(80, 3, extremes=False, infinite=False)
    transformer = SplineTransformer(handle_missing="zeros", extrapolation=extrapolation).fit(train)
    rows = pd.concat([train, BEYOND])
    assert largest_difference(transformer, rows, relative=True) < 1e-11


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue"])
def test_equal_knots(extrapolation):
    train = pd.DataFrame({"a": [0.0] * 40 + [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10]})
    transformer = SplineTransformer(6, knots="quantile", extrapolation=extrapolation).fit(train)
    rows = pd.DataFrame({"a": np.r_[train["a"], 0.5, 1e-9, -1.0, 11]})
    assert len(np.unique(transformer.bsplines_[0].t)) < len(transformer.bsplines_[0].t)
    assert largest_difference(transformer, rows) < 1e-14


@pytest.mark.parametrize(
    "options",
    [{"extrapolation": "periodic"}, {"degree": 0}, {"degree": 1, "extrapolation": "linear"}],
)
def test_other_splines_are_refused(options):
    transformer = SplineTransformer(**options).fit(TRAIN)
    with pytest.raises(ExportError, match="SplineTransformer"):
        program_of(transformer, list(TRAIN.columns))

"""Tests of the reader of regressors of a transformed target."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import assert_same, number_rows, program_of

MODERATE = (0.0, -0.0, 5e-324, 40.0, -800.0)


@pytest.mark.parametrize(
    "transformer",
    [
        None,
        FunctionTransformer(np.sqrt, np.square),
        MaxAbsScaler(),
        MinMaxScaler((-2, 5)),
        PowerTransformer(),
        PowerTransformer("box-cox"),
        PowerTransformer(standardize=False),
        RobustScaler(),
        RobustScaler(with_centering=False),
        StandardScaler(),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False),
        make_pipeline(FunctionTransformer(np.log1p, np.expm1), "passthrough", StandardScaler()),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_transformers(transformer, n_targets):
    X, y = number_rows(n_targets=n_targets)
    model = TransformedTargetRegressor(LinearRegression(), transformer=transformer)
    model.fit(X, np.exp(y / 150))
    assert_same(model, X, "predict", tolerance=1e-10, extremes=MODERATE)


@pytest.mark.parametrize(
    ("func", "inverse"),
    [(np.log, np.exp), (np.log1p, np.expm1), (np.sqrt, np.square), (np.negative, np.negative)],
)
def test_functions(func, inverse):
    X, y = number_rows()
    model = TransformedTargetRegressor(LinearRegression(), func=func, inverse_func=inverse)
    assert_same(model.fit(X, np.exp(y / 150)), X, "predict", tolerance=1e-10, extremes=MODERATE)


@pytest.mark.parametrize("power", [0.0, 2.0, -1.0, 3.5])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers(power, method):
    X, y = number_rows()
    model = TransformedTargetRegressor(LinearRegression(), transformer=PowerTransformer(method))
    model.fit(X, np.exp(y / 150))
    model.transformer_.lambdas_[:] = power
    assert_same(model, X, "predict", tolerance=1e-9, extremes=(0.0, 40.0))


def test_small_numbers_keep_their_digits():
    X, y = number_rows()
    model = TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1)
    model.fit(X, np.exp(y / 150))
    model.regressor_.coef_ *= 1e-9
    model.regressor_.intercept_ = np.zeros(1)
    assert_same(model, X, "predict", scale=1e-8, extremes=MODERATE)


def test_the_way_back_must_be_known():
    X, y = number_rows()
    function = FunctionTransformer(np.log, abs, check_inverse=False)
    for transformer in (QuantileTransformer(n_quantiles=10), function):
        model = TransformedTargetRegressor(
            LinearRegression(), transformer=transformer, check_inverse=False
        ).fit(X, np.exp(y / 150))
        with pytest.raises(ExportError, match="QuantileTransformer|function abs"):
            program_of(model, 5, "predict")

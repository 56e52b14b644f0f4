"""Tests of regressing ensembles: values in the shape of the target."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import make_regression
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

import stackens as se

X, Y = make_regression(100, 5, n_targets=2, noise=10, random_state=0)
MODELS = [("ridge", Ridge()), ("knn", KNeighborsRegressor())]
MAKERS = [se.BlendedRegressor, se.StackedRegressor]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("wrap", [np.asarray, list, pd.Series, pl.Series])
def test_one_target(make, wrap):
    model = make(MODELS).fit(X, wrap(Y[:, 0]))
    assert model.predict(X).shape == (100,)
    assert model.score(X, Y[:, 0]) > 0.9


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("wrap", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_several_targets(make, wrap):
    model = make(MODELS).fit(X, wrap(Y))
    assert model.predict(X).shape == (100, 2)
    assert model.score(X, Y) > 0.9


@pytest.mark.parametrize("make", MAKERS)
def test_a_column_is_one_target(make):
    with pytest.warns(DataConversionWarning):
        model = make(MODELS).fit(X, Y[:, :1])
    assert model.predict(X).shape == (100,)


@pytest.mark.parametrize("make", MAKERS)
def test_whole_numbers_are_a_target_like_any_other(make):
    model = make(MODELS).fit(X, Y[:, 0].astype(int))
    assert np.unique(model.predict(X)).size > 90


def test_labels_are_not_numbers():
    with pytest.raises(ValueError, match="must hold numbers for regression.*Use the classifier"):
        se.BlendedRegressor(MODELS).fit(X, np.where(Y[:, 0] > 0, "yes", "no"))

"""Tests that exported scalers answer as scikit-learn's do, to the last bit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from tests.export.readers.preprocessing.comparison import largest_difference, number_rows

TRAIN = number_rows(80, 4, missing=0.1, extremes=False, infinite=False, seed=1)
CONSTANT = TRAIN.assign(c1=3.0)
ROWS = number_rows(60, 4)


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False, with_std=False),
        RobustScaler(),
        RobustScaler(with_centering=False, unit_variance=True),
        RobustScaler(with_scaling=False),
        MaxAbsScaler(),
        MaxAbsScaler(clip=True),
        MinMaxScaler(),
        MinMaxScaler(feature_range=(-3, 7), clip=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("train", [TRAIN, CONSTANT], ids=["varied", "constant"])
def test_scalers_keep_nan_refuse_infinities_and_lose_no_bit(scaler, train):
    assert largest_difference(scaler.fit(train), ROWS) == 0.0


@pytest.mark.parametrize("transformer", [Binarizer(), Binarizer(threshold=-0.5)], ids=str)
def test_binarizer_refuses_missing_values(transformer):
    assert largest_difference(transformer.fit(TRAIN.fillna(0)), ROWS) == 0.0


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_normalizer_leaves_rows_of_zeros(norm):
    zeros = pd.DataFrame([[0.0, -0.0, 0, 0], [1e-16, 0, 0, 0], [1e-14, 0, 0, 0]])
    rows = pd.concat([ROWS, zeros.set_axis(ROWS.columns, axis=1)])
    # numpy adds the squares of a row in another order
    assert largest_difference(Normalizer(norm).fit(TRAIN.fillna(0)), rows) <= 1e-15


@pytest.mark.parametrize(
    "scaler", [StandardScaler(with_mean=False), MaxAbsScaler(), RobustScaler(with_centering=False)]
)
def test_scalers_of_sparse_matrices_multiply_by_the_reciprocal(scaler):
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"a": rng.integers(0, 5, 60), "b": rng.integers(0, 9, 60)})
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), scaler).fit(train)
    rows = pd.DataFrame({"a": np.arange(-1, 9), "b": np.arange(10)})
    assert largest_difference(pipeline, rows) == 0.0


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_normalizer_of_sparse_rows(norm):
    train = pd.DataFrame({"a": [0, 1, 2], "b": [0, 1, 2]})
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Normalizer(norm)).fit(train)
    rows = pd.DataFrame({"a": [0, 7, 7], "b": [1, 2, 9]})
    assert largest_difference(pipeline, rows) <= 1e-15

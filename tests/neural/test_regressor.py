"""Tests of the tabular regressor: scales of the target, several targets, constants."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from stackens import TorchMLPRegressor
from stackens.neural._table import TargetRows

torch = pytest.importorskip("torch")

X, Y = load_diabetes(return_X_y=True)


def small(**settings):
    return TorchMLPRegressor(
        **{"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0} | settings
    )


def test_real_rows_are_predicted_well():
    train, test, y, y_test = train_test_split(X, Y, test_size=0.3, random_state=0)
    assert TorchMLPRegressor(random_state=0).fit(train, y).score(test, y_test) > 0.35


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of scikit-learn
def test_the_unit_of_the_target_means_nothing():
    expected = small().fit(X, Y).predict(X)
    scaled = small().fit(X, 1024 * Y).predict(X)
    np.testing.assert_allclose(scaled, 1024 * expected, rtol=1e-9)
    for unit in (2.0**480, 2.0**-650):  # of the second the squares are 0
        scaled = small().fit(X, unit * Y).predict(X)
        np.testing.assert_allclose(scaled, unit * expected, rtol=1e-9)
    moved = small(max_iter=40).fit(X, 1e6 + Y / 100)
    assert moved.score(X, 1e6 + Y / 100) > 0.4


def test_the_scale_is_weighted():
    weights = np.where(Y > 150, 3.0, 1.0)
    model = small().fit(X, Y, sample_weight=weights)
    mean = np.average(Y, weights=weights)
    np.testing.assert_allclose(model.target_mean_, [mean])
    expected = np.sqrt(np.average((Y - mean) ** 2, weights=weights))
    np.testing.assert_allclose(model.target_scale_, [expected])


def test_several_targets():
    both = np.column_stack([Y, -5 * X[:, 2]])
    model = TorchMLPRegressor(random_state=0).fit(X, pd.DataFrame(both, columns=["a", "b"]))
    predicted = model.predict(X)
    assert predicted.shape == (442, 2)
    assert model.target_scale_.shape == (2,)
    assert model.score(X, both) > 0.6


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.tolist(), Y.astype(np.float32)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_one_target_gives_one_column(y):
    assert small().fit(X, y).predict(X).shape == (442,)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-250, -7e10])
def test_a_constant_is_predicted(value):
    model = small().fit(X, np.full(442, value))
    assert model.target_scale_.tolist() == [1.0]
    np.testing.assert_allclose(model.predict(X), value, atol=1e-6)


def test_one_row_that_outweighs_all_others_has_no_spread():
    weights = np.r_[1e10, np.full(441, 1e-320)]
    model = small()
    rows = TargetRows(np.zeros((442, 1)), Y[:, None], weights)
    assert np.isfinite(model._targets(rows, going_on=False).target).all()
    assert model.target_scale_.tolist() == [1.0]


def test_numbers_too_small_to_square():
    model = small().fit(X, 1e-250 * Y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(Y > 200, np.nan, Y), "targets must not be missing"),
        (np.where(Y > 200, np.inf, Y), "infinity"),
        (np.where(Y > 200, "high", "low"), "must hold numbers for regression"),
    ],
)
def test_targets_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X, y)


def test_a_warm_start_keeps_the_scale_and_needs_the_same_targets():
    model = small(warm_start=True).fit(X, Y)
    mean = model.target_mean_
    assert model.fit(X, Y + 1000).target_mean_ is mean
    with pytest.raises(ValueError, match=r"must have 1 column\(s\).*Got 2. Set warm_start=False"):
        model.fit(X, np.column_stack([Y, Y]))


def test_a_warm_start_where_gradients_are_off():
    model = small(warm_start=True).fit(X, Y)
    twin = small(warm_start=True).fit(X, Y).fit(X, Y)
    with torch.inference_mode():
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))

"""Tests of the readers of scikit-learn's multilayer perceptrons."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
SETTINGS = {"max_iter": 30, "random_state": 0, "learning_rate_init": 0.05}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_classifiers(activation, method, n_classes):
    X, y = class_rows(n_classes)
    model = MLPClassifier((7, 4), activation, **SETTINGS).fit(X, y)
    assert_same(model, X, method)


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_regressors(activation, n_targets):
    X, y = number_rows(n_targets=n_targets)
    model = MLPRegressor(hidden_layer_sizes=(7,), activation=activation, **SETTINGS).fit(X, y / 100)
    assert_same(model, X, "predict", scale=10.0)


def test_poisson_loss():
    X, y = number_rows()
    model = MLPRegressor(hidden_layer_sizes=(7,), loss="poisson", **SETTINGS).fit(
        X, np.exp(y / 100)
    )
    assert model.out_activation_ == "exp"
    assert_same(model, X, "predict", tolerance=1e-11, extremes=(0.0, 40.0, 1e300))


def test_single_precision_weights_are_used_in_double():
    X, y = class_rows(2)
    model = MLPClassifier((7,), **SETTINGS).fit(X.astype(np.float32), y)
    assert model.coefs_[0].dtype == np.float32
    assert not assert_same(model, X, "predict_proba").single_precision


def test_several_labels_are_refused():
    X, _ = class_rows(2)
    model = MLPClassifier((3,), **SETTINGS).fit(X, (X[:, :2] > 0).astype(int))
    with pytest.raises(ExportError, match="one label"):
        program_of(model, 5, "predict_proba")

"""Multi-layer perceptrons of scikit-learn: what their activation allows, and no more."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from stackens.weight_averaging.adapters import adapter_of
from stackens.weight_averaging.alignment._outputs import mlp_outputs
from stackens.weight_averaging.alignment._scikit_learn import mlp_symmetry
from stackens.weight_averaging.alignment._symmetry import Units

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 3, size=40)


def fitted(model, y=Y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.set_params(max_iter=3, random_state=0).fit(X, y)


def tensors(model):
    return dict(adapter_of(model).tensors(model, model))


@pytest.mark.parametrize(
    ("activation", "kinds"),
    [("relu", "c"), ("tanh", "s"), ("logistic", ""), ("identity", "sc")],
)
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_hidden_units_trade_places(activation, kinds, make, preserved):
    model = fitted(make(hidden_layer_sizes=(6, 5), activation=activation))
    symmetry = preserved(mlp_symmetry(model), tensors(model), mlp_outputs(model, X))
    assert symmetry.units == {"layer 0": Units(6), "layer 1": Units(5)}
    assert set(symmetry.signs.values()) == (set(symmetry.units) if "s" in kinds else set())
    assert set(symmetry.scales.values()) == (set(symmetry.units) if "c" in kinds else set())


def test_predictions_stay_when_the_tensors_are_written_back():
    model = fitted(MLPClassifier(6))
    symmetry, adapter = mlp_symmetry(model), adapter_of(model)
    moved = symmetry.apply(symmetry.random(RNG), tensors(model))
    new = adapter.write(adapter.copy(model), moved.items())
    assert not np.allclose(new.coefs_[0], model.coefs_[0])
    np.testing.assert_allclose(new.predict_proba(X), model.predict_proba(X), atol=1e-12)

"""Tests of the reader of Keras models."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers.models import read_keras_model
from stackens.export.readers.models._activations import ACTIVATIONS
from tests.export.readers.programs import answers_of

keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras runs on another backend", allow_module_level=True)
kl = keras.layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32).astype(np.float64)
NAMES = sorted(set(ACTIVATIONS) - {"threshold"})


def with_random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1.1, w.shape) for w in model.weights])
    return model


def sequential(*layers):
    return with_random_weights(keras.Sequential([keras.Input((4,)), kl.Dense(5), *layers]))


def ours(model, X=X):
    return answers_of(lambda graph, x: read_keras_model(model, graph, x), X)


def assert_same(model):
    expected = model(X, training=False).detach().cpu().numpy()
    np.testing.assert_allclose(ours(model), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_activations(name):
    assert_same(sequential(kl.Dense(3, activation=name)))
    assert_same(sequential(kl.Activation(name)))


@pytest.mark.parametrize(
    "layer",
    [
        kl.ActivityRegularization(0.1),
        kl.AlphaDropout(0.2),
        kl.BatchNormalization(),
        kl.BatchNormalization(center=False, scale=False),
        kl.Dense(2, use_bias=False),
        kl.Dropout(0.5),
        kl.ELU(0.4),
        kl.Flatten(),
        kl.GaussianDropout(0.2),
        kl.GaussianNoise(0.2),
        kl.Identity(),
        kl.LayerNormalization(),
        kl.LayerNormalization(center=False, scale=False),
        kl.LeakyReLU(0.2),
        kl.Normalization(mean=[1.0, 2.0, 0.0, 3.0, 4.0], variance=[1.0, 4.0, 0.0, 2.0, 3.0]),
        kl.Normalization(mean=1.0, variance=2.0),
        kl.Normalization(mean=1.0, variance=2.0, invert=True),
        kl.PReLU(),
        kl.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5),
        kl.ReLU(),
        kl.Rescaling(0.5, offset=-1.0),
        kl.Softmax(),
    ],
    ids=lambda layer: layer.name,
)
def test_layers(layer):
    assert_same(sequential(layer, kl.Dense(2)))


def test_a_model_inside_a_model():
    assert_same(sequential(keras.Sequential([kl.Dense(3, "relu"), kl.Dense(2)])))


def test_a_model_of_several_branches():
    rows = keras.Input((4,))
    left, right = kl.Dense(3, "relu")(rows), kl.Dense(3, "tanh")(rows)
    merges = [
        kl.Add()([left, right]),
        kl.Average()([left, right]),
        kl.Maximum()([left, right]),
        kl.Minimum()([left, right]),
        kl.Multiply()([left, right]),
        kl.Subtract()([left, right]),
        rows,
    ]
    model = keras.Model(rows, kl.Dense(2)(kl.Concatenate()(merges)))
    assert_same(with_random_weights(model))


def test_a_layer_that_is_used_twice():
    rows, layer = keras.Input((4,)), kl.Dense(4, "tanh")
    assert_same(with_random_weights(keras.Model(rows, layer(layer(rows)))))


def test_weights_stay_in_single_precision():
    graph = Graph([f"x{i}" for i in range(4)])
    model = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    node = read_keras_model(model, graph, graph.numbers(range(4)))
    assert graph[node].weights.dtype == np.float32


@keras.saving.register_keras_serializable()
class Doubled(kl.Dense):
    def call(self, rows):
        return 2 * super().call(rows)


def relu(x):
    """Called as the one of Keras, and is another."""
    return x


def two_inputs():
    rows = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(rows, kl.Add()(rows))


def with_dropout_in_use():
    rows = keras.Input((4,))
    return keras.Model(rows, kl.Dropout(0.5)(rows, training=True))


def with_a_function():
    rows = keras.Input((4,))
    return keras.Model(rows, keras.ops.relu(rows))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sequential(Doubled(2)), "Doubled"),
        (lambda: sequential(kl.UnitNormalization()), "UnitNormalization"),
        (lambda: sequential(kl.Dense(2, activation=relu)), "activation 'relu'"),
        (lambda: sequential(kl.Dense(2, activation=lambda x: x)), "lambda"),
        (lambda: sequential(kl.Dense(2, dtype="mixed_float16")), "float16"),
        (two_inputs, "one input"),
        (with_dropout_in_use, "Dropout"),
        (with_a_function, "Relu"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(make, message):
    with pytest.raises(ExportError, match=message):
        ours(make())

"""Whole models of Keras are read: residual, nested, shared, and with layers that have no rule."""

import numpy as np
import pytest

from stackens.weight_averaging.adapters import adapter_of, to_array
from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
ROWS, IMAGES = RNG.normal(size=(4, 5)), RNG.normal(size=(2, 6, 6, 3))


def convolution_and_norm(x, units):
    return layers.BatchNormalization()(layers.Conv2D(units, 3, padding="same")(x))


def residual():
    x = keras.Input((6, 6, 3))
    h = layers.ReLU()(convolution_and_norm(x, 5))
    h = layers.ReLU()(layers.Add()([h, convolution_and_norm(h, 5)]))
    inner = layers.ReLU()(convolution_and_norm(h, 4))
    h = keras.ops.relu(convolution_and_norm(inner, 6) + layers.Conv2D(6, 1)(h))
    h = layers.MaxPooling2D(2)(h)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(h)))


def test_a_residual_stream_has_one_set_of_units(keras_preserved):
    symmetry = keras_preserved(residual(), IMAGES)
    assert sorted(units.size for units in symmetry.units.values()) == [4, 5, 6]
    assert len(symmetry.signs) == 4  # before each batch normalisation
    assert symmetry.notes == ()


def test_predictions_stay_when_the_tensors_are_written_back():
    from stackens.weight_averaging.alignment._keras import keras_symmetry

    model, x = residual(), IMAGES.astype(np.float32)
    symmetry, adapter = keras_symmetry(model), adapter_of(model)
    arrays = {n: np.array(to_array(t)) for n, t in adapter.tensors(model, model).items()}
    other = residual()  # another model of the architecture has the same names
    moved = symmetry.apply(symmetry.random(RNG), arrays)
    adapter.write(other, moved.items())
    assert not np.allclose(moved["conv2d/kernel"], arrays["conv2d/kernel"])
    expected = model(x, training=False).detach().numpy()
    np.testing.assert_allclose(other(x, training=False).detach().numpy(), expected, atol=1e-4)


def test_models_inside_of_models(keras_preserved):
    x = keras.Input((5,))
    h = layers.Dense(4)(x)
    inner = keras.Model(x, layers.Multiply()([layers.Dense(6)(h), layers.Dense(6)(x)]))
    outer = keras.Sequential(
        [keras.Input((5,)), keras.Sequential([layers.Dense(5), inner]), layers.Dense(2)]
    )
    symmetry = keras_preserved(outer, ROWS)
    assert sorted(units.size for units in symmetry.units.values()) == [4, 5, 6]
    assert all("/" in name for name in symmetry.units)


def test_a_layer_that_is_used_twice_ties_what_it_reads(keras_preserved):
    x = keras.Input((5,))
    twice = layers.Dense(6, activation="tanh", name="twice")
    h = twice(twice(layers.Dense(6, activation="tanh")(x)))
    symmetry = keras_preserved(keras.Model(x, layers.Dense(2)(h)), ROWS)
    assert list(symmetry.units.values()) == [Units(6)]
    assert set(symmetry.signs.values()) == set(symmetry.units)


def test_one_encoder_for_two_inputs(keras_preserved):
    a, b = keras.Input((5,)), keras.Input((5,))
    encoder = keras.Sequential(
        [keras.Input((5,)), layers.Dense(6, activation="relu"), layers.Dense(4)]
    )
    left, right = encoder(a), encoder(b)
    h = layers.Concatenate()([layers.Subtract()([left, right]), left * right])
    symmetry = keras_preserved(keras.Model([a, b], layers.Dense(2)(h)), [ROWS, -ROWS])
    assert sorted(units.size for units in symmetry.units.values()) == [4, 6]


def test_every_output_stays(keras_preserved):
    x = keras.Input((5,))
    h = layers.Dense(6, activation="relu")(x)
    code = layers.Dense(4, name="code")(h)
    model = keras.Model(x, [layers.Dense(2)(code), code])
    assert list(keras_preserved(model, ROWS).units) == ["dense"]


def test_layers_without_a_rule_hold_their_units_and_are_named(keras_preserved):
    @keras.saving.register_keras_serializable()
    class Dense(layers.Dense):  # a class of the user's may do something else
        def call(self, inputs):
            return super().call(inputs)[:, :: 1 if self.units else 2]

    for name, layer in (
        ("Lambda 'own'", layers.Lambda(lambda x: keras.ops.flip(x, 1), name="own")),
        ("Dense 'own'", Dense(6, name="own")),
        ("Dense 'own'", layers.Dense(6, activation=lambda x: x**2, name="own")),
    ):
        x = keras.Input((5,))
        h = layer(layers.Dense(6, activation="relu", name="before")(x))
        h = layers.Dense(4, activation="relu", name="after")(h)
        symmetry = keras_preserved(keras.Model(x, layers.Dense(2)(h)), ROWS)
        assert "after" in symmetry.units
        assert "own" not in symmetry.units
        assert ("before" in symmetry.units) == isinstance(layer, layers.Dense) * (
            type(layer) is layers.Dense
        )
        assert len(symmetry.notes) == 1
        assert symmetry.notes[0].startswith(name)


def test_operations_without_a_rule_hold_their_units(keras_preserved):
    x = keras.Input((5,))
    h = keras.ops.cumsum(layers.Dense(6)(x), axis=-1)
    model = keras.Model(
        x, layers.Dense(2)(keras.ops.tanh(layers.Dense(4, name="next")(h)) + h[:, :4])
    )
    symmetry = keras_preserved(model, ROWS)
    assert symmetry.variables == []
    assert any(note.startswith("Cumsum") for note in symmetry.notes)


def test_steps_of_a_series(keras_preserved):
    step = keras.Sequential([keras.Input((5, 4)), layers.Conv1D(6, 2), layers.Flatten()])
    model = keras.Sequential(
        [
            keras.Input((3, 5, 4)),
            layers.TimeDistributed(layers.BatchNormalization()),
            layers.TimeDistributed(step),
            layers.TimeDistributed(layers.Dense(4, activation="tanh")),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    symmetry = keras_preserved(model, RNG.normal(size=(2, 3, 5, 4)))
    assert sorted(units.size for units in symmetry.units.values()) == [4, 6]


def test_models_that_are_no_graph_are_refused():
    from stackens.weight_averaging.alignment._keras import keras_symmetry

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    for model in (Own(), keras.Sequential([layers.Dense(2)])):
        with pytest.raises(TypeError, match=f"Got a {type(model).__name__} whose graph"):
            keras_symmetry(model)

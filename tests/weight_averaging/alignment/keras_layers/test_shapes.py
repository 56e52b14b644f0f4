"""Layers of Keras that pool, cut, pad and reshape, and activations that are layers."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
IMAGES, SERIES = RNG.normal(size=(2, 6, 6, 3)), RNG.normal(size=(2, 6, 5))


def convolutional(*between):
    return keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(5, 1), *between, layers.Dense(2)]
    )


@pytest.mark.parametrize(
    ("layer", "signs"),
    [
        (lambda: layers.AveragePooling2D(2), True),
        (lambda: layers.AdaptiveAveragePooling2D(2), True),
        (lambda: layers.GlobalAveragePooling2D(keepdims=True), True),
        (lambda: layers.Cropping2D(1), True),
        (lambda: layers.ZeroPadding2D(1), True),
        (lambda: layers.UpSampling2D(2, interpolation="bilinear"), True),
        (lambda: layers.SpatialDropout2D(0.5), True),
        (lambda: layers.MaxPooling2D(2), False),
        (lambda: layers.AdaptiveMaxPooling2D(2), False),
        (lambda: layers.GlobalMaxPooling2D(), False),
    ],
)
def test_pooling_and_padding(layer, signs, keras_preserved):
    symmetry = keras_preserved(convolutional(layer()), IMAGES)
    assert symmetry.units == {"conv2d": Units(5)}
    assert set(symmetry.signs.values()) == ({"conv2d"} if signs else set())
    assert set(symmetry.scales.values()) == {"conv2d"}


@pytest.mark.parametrize(
    ("layer", "signs", "scales"),
    [
        (lambda: layers.ReLU(), False, True),
        (lambda: layers.ReLU(negative_slope=0.1), False, True),
        (lambda: layers.ReLU(max_value=1.0), False, False),
        (lambda: layers.ReLU(threshold=0.1), False, False),
        (lambda: layers.LeakyReLU(), False, True),
        (lambda: layers.ELU(), False, False),
        (lambda: layers.Softmax(), False, False),
        (lambda: layers.PReLU(shared_axes=[1, 2]), False, True),
        (lambda: layers.PReLU(shared_axes=[3]), False, True),
        (lambda: layers.PReLU(), False, True),
        (lambda: layers.Activation("hard_tanh"), True, False),
        (lambda: layers.Activation(layers.ReLU(0.1)), False, False),
    ],
)
def test_activations_that_are_layers(layer, signs, scales, keras_preserved):
    symmetry = keras_preserved(convolutional(layer(), layers.Flatten()), IMAGES)
    assert symmetry.units == {"conv2d": Units(5)}
    assert bool(symmetry.signs) == signs
    assert bool(symmetry.scales) == scales


def test_sequences_are_turned_repeated_and_flattened(keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((6, 5)),
            layers.Conv1D(4, 1, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Permute((2, 1)),
            layers.Flatten(),
            layers.Dense(5, activation="tanh"),
            layers.RepeatVector(3),
            layers.Conv1D(3, 2),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )
    assert keras_preserved(model, SERIES).units == {
        "conv1d": Units(4),
        "dense": Units(5),
        "conv1d_1": Units(3),
    }


def test_flattening_several_layers_side_by_side(keras_preserved):
    x = keras.Input((6, 6, 3))
    h = layers.Concatenate()([layers.Conv2D(4, 1)(x), layers.Conv2D(3, 1)(x)])
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(h)))
    assert keras_preserved(model, IMAGES).units == {"conv2d": Units(4), "conv2d_1": Units(3)}


@pytest.mark.parametrize(
    ("shape", "free"), [((1, 1, 6), True), ((36, 6), True), ((-1,), True), ((6, 36), False)]
)
def test_reshaping(shape, free, keras_preserved):
    between = [layers.Conv2D(6, 1, activation="relu"), layers.Reshape(shape)]
    if shape == (1, 1, 6):
        between.insert(1, layers.GlobalAveragePooling2D())
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), *between, layers.Dense(3, activation="relu"), layers.Dense(1)]
    )
    symmetry = keras_preserved(model, IMAGES)
    assert ("conv2d" in symmetry.units) == free
    assert "dense" in symmetry.units
    assert len(symmetry.notes) == (not free)


def test_masks_of_inputs_have_no_units(keras_preserved):
    model = keras.Sequential(
        [keras.Input((6, 5)), layers.Masking(), layers.LSTM(5), layers.Dense(2)]
    )
    series = np.where(np.arange(6)[:, None] < 4, SERIES, 0.0)
    assert keras_preserved(model, series).units == {"lstm": Units(5)}


WHOLE = {
    "last step": lambda y: y[:, -1],
    "last step, all units": lambda y: y[:, -1, :],
    "some steps": lambda y: y[:, 1:4],
    "a new axis": lambda y: y[:, None, ..., ::1],
    "one row": lambda y: y[..., 0, :],
}


@pytest.mark.parametrize("name", WHOLE)
def test_units_pass_an_index_of_other_axes(name, keras_preserved):
    inputs = keras.Input((6, 5))
    outputs = layers.Dense(2)(WHOLE[name](layers.Dense(4)(inputs)))
    symmetry = keras_preserved(keras.Model(inputs, outputs), SERIES)
    assert symmetry.units == {"dense": Units(4)}


def test_an_index_of_units_holds_them(keras_preserved):
    inputs = keras.Input((6, 5))
    outputs = layers.Dense(2)(layers.Dense(4)(inputs)[..., :3])
    symmetry = keras_preserved(keras.Model(inputs, outputs), SERIES)
    assert not symmetry.variables
    assert "a choice of units" in symmetry.notes[0]

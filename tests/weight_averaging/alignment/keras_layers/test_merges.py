"""Layers and operations of Keras that bring several values together."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(4, 5))


def merged(merge, activation=None, sizes=(6, 6)):
    """Two layers side by side, brought together, and a head."""
    x = keras.Input((5,))
    sides = [layers.Dense(size, activation=activation)(x) for size in sizes]
    return keras.Model(x, layers.Dense(2)(merge(sides)))


@pytest.mark.parametrize(
    "merge",
    [
        lambda sides: layers.Add()(sides),
        lambda sides: layers.Average()(sides),
        lambda sides: layers.Subtract()(sides),
        lambda sides: sides[0] + sides[1],
        lambda sides: sides[0] - sides[1],
    ],
)
def test_what_is_added_has_one_set_of_units(merge, keras_preserved):
    symmetry = keras_preserved(merged(merge, "tanh"), ROWS)
    assert symmetry.units == {"dense": Units(6)}
    assert symmetry.signs == {"signs of dense": "dense"}


@pytest.mark.parametrize("name", ["Maximum", "Minimum"])
def test_the_greatest_value_keeps_its_sign(name, keras_preserved):
    symmetry = keras_preserved(merged(getattr(layers, name)()), ROWS)
    assert symmetry.variables == ["dense", "scales of dense"]


def test_signs_and_scales_of_factors_are_free(keras_preserved):
    for merge in (layers.Multiply(), lambda sides: sides[0] * sides[1]):
        symmetry = keras_preserved(merged(merge), ROWS)
        assert symmetry.units == {"dense": Units(6)}
        assert set(symmetry.signs.values()) == {"dense"}
        assert len(symmetry.signs) == len(symmetry.scales) == 2


def test_what_stands_side_by_side_has_its_own_units(keras_preserved):
    symmetry = keras_preserved(merged(layers.Concatenate(), "tanh", (6, 5)), ROWS)
    assert symmetry.units == {"dense": Units(6), "dense_1": Units(5)}
    x = keras.Input((5,))
    h = layers.Concatenate()([x, layers.Dense(6)(x)])
    assert keras_preserved(keras.Model(x, layers.Dense(2)(h)), ROWS).units == {"dense": Units(6)}


def test_images_side_by_side_have_common_units(keras_preserved):
    x = keras.Input((5, 5, 3))
    h = layers.Concatenate(axis=1)([layers.Conv2D(4, 1)(x), layers.Conv2D(4, 1)(x)])
    model = keras.Model(x, layers.Conv2D(2, 1)(h))
    assert keras_preserved(model, RNG.normal(size=(2, 5, 5, 3))).units == {"conv2d": Units(4)}


def test_a_number_for_each_row_meets_all_units_alike(keras_preserved):
    x = keras.Input((5,))
    one, wide = layers.Dense(1)(x), layers.Dense(6, name="wide")(x)
    model = keras.Model(x, layers.Dense(2)(layers.Multiply()([wide, one])))
    assert keras_preserved(model, ROWS).variables == ["wide", "signs of wide", "scales of wide"]
    model = keras.Model(x, layers.Dense(2)(layers.Add()([wide, one])))
    assert keras_preserved(model, ROWS).variables == ["wide"]


def test_what_meets_an_input_stays(keras_preserved):
    x = keras.Input((5,))
    for merge in (layers.Add(), layers.Multiply(), layers.Maximum()):
        model = keras.Model(x, layers.Dense(2)(merge([layers.Dense(5)(x), x])))
        assert keras_preserved(model, ROWS).variables == []


def test_gates_of_channels(keras_preserved):
    x = keras.Input((5, 5, 3))
    h = layers.Conv2D(6, 1, activation="relu")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(h)
    gate = layers.Dense(6, activation="sigmoid")(layers.Dense(4, activation="relu")(gate))
    model = keras.Model(x, layers.Conv2D(2, 1)(layers.Multiply()([h, gate])))
    symmetry = keras_preserved(model, RNG.normal(size=(2, 5, 5, 3)))
    assert list(symmetry.units.values()) == [Units(6), Units(4)]

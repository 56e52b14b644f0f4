"""Normalisation layers of Keras, and the freedom in front of them and behind."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 5, 5, 3))


def network(norm, behind="relu", units=6):
    return keras.Sequential(
        [
            keras.Input((5, 5, 3)),
            layers.Conv2D(units, 2, use_bias=False),
            norm,
            layers.Activation(behind),
            layers.Conv2D(4, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


def free(symmetry):
    """Signs and scales of the first convolution and of the norm behind it."""
    kinds = [name for name in (*symmetry.signs, *symmetry.scales) if "conv2d_1" not in name]
    return sorted(name.replace(" of ", " ") for name in kinds)


@pytest.mark.parametrize(
    ("options", "behind", "expected"),
    [
        ({}, "relu", ["scales batch_normalization", "signs conv2d"]),
        ({}, "gelu", ["signs conv2d"]),
        ({}, "tanh", ["signs batch_normalization", "signs conv2d"]),
        ({"center": False}, "relu", ["scales batch_normalization", "signs conv2d"]),
        ({"scale": False}, "relu", []),
        ({"scale": False}, "tanh", ["signs conv2d"]),
    ],
)
def test_batch_normalization_frees_the_signs_in_front(options, behind, expected, keras_preserved):
    symmetry = keras_preserved(network(layers.BatchNormalization(**options), behind), IMAGES)
    assert symmetry.units["conv2d"] == Units(6)
    assert free(symmetry) == expected


def test_layer_normalization_leaves_no_signs_in_front(keras_preserved):
    symmetry = keras_preserved(network(layers.LayerNormalization(), "linear"), IMAGES)
    assert symmetry.units["conv2d"] == Units(6)
    assert free(symmetry) == ["scales layer_normalization", "signs layer_normalization"]


def test_layer_normalization_over_several_axes(keras_preserved):
    symmetry = keras_preserved(network(layers.LayerNormalization(axis=[1, 2, 3])), IMAGES)
    assert symmetry.units["conv2d"] == Units(6)
    assert free(symmetry) == ["scales layer_normalization"]


def test_norms_along_another_axis_hold_the_units(keras_preserved):
    symmetry = keras_preserved(network(layers.BatchNormalization(axis=1)), IMAGES)
    assert "conv2d" not in symmetry.units


def test_rms_normalization_lets_signs_pass(keras_preserved):
    symmetry = keras_preserved(network(layers.RMSNormalization()), IMAGES)
    assert free(symmetry) == ["scales rms_normalization", "signs conv2d"]


def test_unit_normalization(keras_preserved):
    symmetry = keras_preserved(network(layers.UnitNormalization(), "tanh"), IMAGES)
    assert symmetry.units["conv2d"] == Units(6)
    assert free(symmetry) == ["signs conv2d"]


@pytest.mark.parametrize(
    ("groups", "blocks", "expected"),
    [
        (1, 1, ["scales group_normalization"]),
        (3, 3, ["scales group_normalization"]),
        (-1, 1, ["scales group_normalization", "signs conv2d"]),
    ],
)
def test_group_normalization_keeps_groups_together(groups, blocks, expected, keras_preserved):
    symmetry = keras_preserved(network(layers.GroupNormalization(groups)), IMAGES)
    assert symmetry.units["conv2d"] == Units(6, blocks)
    assert free(symmetry) == expected


def test_a_norm_before_the_outputs_frees_signs_of_units_that_stay(keras_preserved):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.BatchNormalization()])
    symmetry = keras_preserved(model, RNG.normal(size=(3, 4)))
    assert symmetry.units == {}
    assert symmetry.signs == {"signs of dense": "dense"}

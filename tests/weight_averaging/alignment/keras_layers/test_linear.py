"""Dense layers, convolutions and embeddings of Keras."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
ROWS, IMAGES = RNG.normal(size=(4, 5)), RNG.normal(size=(2, 6, 6, 3))


@pytest.mark.parametrize(
    ("activation", "kinds"), [("relu", "c"), ("tanh", "s"), ("gelu", ""), (None, "sc")]
)
def test_dense_layers(activation, kinds, keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, activation=activation),
            layers.Dense(7, activation=activation, use_bias=False),
            layers.Dense(2, activation="softmax"),
        ]
    )
    symmetry = keras_preserved(model, ROWS)
    assert symmetry.units == {"dense": Units(6), "dense_1": Units(7)}
    assert set(symmetry.signs.values()) == (set(symmetry.units) if "s" in kinds else set())
    assert set(symmetry.scales.values()) == (set(symmetry.units) if "c" in kinds else set())


@pytest.mark.parametrize("flattened", ["channels_last", "channels_first"])
@pytest.mark.parametrize("images", ["channels_last", "channels_first"])
def test_convolutions_and_what_reads_their_images(images, flattened, keras_preserved):
    x = IMAGES if images == "channels_last" else IMAGES.transpose(0, 3, 1, 2)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(4, 3, activation="tanh", data_format=images),
            layers.Conv2D(5, 2, activation="relu", data_format=images),
            layers.Flatten(data_format=flattened),
            layers.Dense(2),
        ]
    )
    symmetry = keras_preserved(model, x)
    assert symmetry.units == {"conv2d": Units(4), "conv2d_1": Units(5)}
    assert set(symmetry.signs.values()) == {"conv2d"}
    assert set(symmetry.scales.values()) == {"conv2d_1"}


def test_sequences_and_volumes(keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((6, 5)),
            layers.Conv1D(4, 2),
            layers.Conv1DTranspose(5, 3),
            layers.Conv1D(1, 1),
        ]
    )
    assert set(keras_preserved(model, RNG.normal(size=(2, 6, 5))).units) == {
        "conv1d",
        "conv1d_transpose",
    }
    model = keras.Sequential(
        [keras.Input((3, 3, 3, 2)), layers.Conv3D(4, 2), layers.Conv3DTranspose(1, 2)]
    )
    assert set(keras_preserved(model, RNG.normal(size=(2, 3, 3, 3, 2))).units) == {"conv3d"}


def test_groups_have_units_of_their_own(keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 1),
            layers.Conv2D(6, 2, groups=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    symmetry = keras_preserved(model, IMAGES)
    assert symmetry.units == {"conv2d_1 group 0": Units(3), "conv2d_1 group 1": Units(3)}


@pytest.mark.parametrize("times", [1, 2])
def test_maps_of_each_channel_keep_its_units(times, keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 1, activation="tanh"),
            layers.DepthwiseConv2D(2, depth_multiplier=times, activation="relu"),
            layers.Conv2D(4 * times * 2, 2, groups=4 * times),
            layers.SeparableConv2D(3, 2, depth_multiplier=times),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    symmetry = keras_preserved(model, IMAGES)
    assert symmetry.units == {"conv2d": Units(4), "separable_conv2d": Units(3)}
    assert "signs of separable_conv2d depthwise" in symmetry.signs


def test_embeddings(keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(9, 4),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    symmetry = keras_preserved(model, np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 0]]))
    assert symmetry.units == {"embedding": Units(4)}
    assert set(symmetry.signs.values()) == set(symmetry.scales.values()) == {"embedding"}


def test_kernels_with_lora_are_held_and_named(keras_preserved):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6), layers.Dense(4), layers.Dense(2)])
    model.layers[1].enable_lora(2)
    symmetry = keras_preserved(model, ROWS)
    assert symmetry.variables == []
    assert "with LoRA" in symmetry.notes[0]

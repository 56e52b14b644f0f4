"""Keras models on the torch backend: names, copies, seeds, types."""

import os

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras was loaded with another backend", allow_module_level=True)

from stackens import weight_averaging as wa  # noqa: E402
from stackens.weight_averaging.adapters._keras import KerasAdapter  # noqa: E402
from stackens.weight_averaging.adapters._values import to_array  # noqa: E402

# Keras with torch tensors and numpy 2, when it copies a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KERAS, layers = KerasAdapter(), keras.layers


def sequential(**dense):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, **dense), layers.BatchNormalization(), layers.Dense(2)]
    )


def functional():
    x = keras.Input((5, 4))
    h = layers.Dropout(0.5)(layers.Bidirectional(layers.LSTM(3))(x))
    h = keras.Sequential([layers.Dense(3), layers.Dense(3)])(h)
    return keras.Model(x, layers.Dense(2, name="head")(h))


def doubled(model):
    tensors = KERAS.tensors(model, model)
    arrays = ((name, 2.0 * to_array(tensor)) for name, tensor in tensors.items())
    return KERAS.write(KERAS.copy(model), arrays)


def test_models_made_one_after_the_other_have_the_same_names():
    for make in (sequential, functional):
        first, second = make(), make()
        assert first.weights[0].path != second.weights[0].path
        names = list(KERAS.tensors(first, first))
        assert names == list(KERAS.tensors(second, first))
        assert names == list(KERAS.tensors(KERAS.copy(second), first))
        assert len(names) == len(first.weights)
        assert KERAS.facts(first, first) == KERAS.facts(second, first)
    assert "sequential/dense_1/kernel" in names
    assert "head/bias" in names
    assert {"bidirectional/kernel", "bidirectional/kernel_1"} < set(names)


def test_names_that_the_user_chose_are_kept():
    def make():
        return keras.Sequential(
            [keras.Input((4,)), layers.Dense(3, name="block_7"), layers.Dense(2, name="block_9")]
        )

    assert list(KERAS.tensors(make(), make()))[::2] == ["block_7/kernel", "block_9/kernel"]


def test_weights_are_written_and_the_model_is_left_alone():
    model = sequential()
    before = model.get_weights()
    new = doubled(model)
    assert isinstance(new, keras.Sequential)
    for old, kept, written in zip(before, model.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, old)
        np.testing.assert_array_equal(written, 2 * old)


def test_the_optimizer_is_not_among_the_tensors_and_stays():
    model = sequential()
    model.compile("adam", "mse")
    x = np.ones((8, 4), np.float32)
    model.fit(x, np.ones((8, 2)), verbose=0)
    assert not any("adam" in name or "momentum" in name for name in KERAS.tensors(model, model))
    new = doubled(model)
    assert new.optimizer is not model.optimizer
    assert int(new.optimizer.iterations.value) == 1
    assert new.predict(x, verbose=0).shape == (8, 2)


def test_random_seeds_stay():
    model = functional()
    model(np.ones((1, 5, 4), np.float32), training=True)
    seeds = [v.numpy() for v in model.variables if "seed" in v.path]
    copied = [v.numpy() for v in KERAS.copy(model).variables if "seed" in v.path]
    assert len(seeds) > 0
    np.testing.assert_array_equal(copied, seeds)


def test_frozen_layers_and_short_types_stay():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="bfloat16")])
    model.layers[0].trainable = False
    new = doubled(model)
    assert not new.layers[0].trainable
    assert new.layers[0].variable_dtype == "bfloat16"
    np.testing.assert_array_equal(
        to_array(new.weights[0].value), 2 * to_array(model.weights[0].value)
    )


def test_facts_tell_activations_apart():
    relu, tanh = sequential(activation="relu"), sequential(activation="tanh")
    assert KERAS.facts(relu, relu) != KERAS.facts(tanh, relu)
    assert KERAS.facts(tanh, relu)["layer 'dense'"] == ("Dense", "tanh")


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="Build it"):
        KERAS.tensors(keras.Sequential([layers.Dense(2)]), None)


def test_a_class_that_keras_cannot_copy_is_explained():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = layers.Dense(2)

        def call(self, x):
            return self.layer(x)

    model = Own()
    model(np.ones((1, 4), np.float32))
    assert list(KERAS.tensors(model, model)) == ["dense/kernel", "dense/bias"]
    with pytest.raises(TypeError, match="register_keras_serializable"):
        KERAS.copy(model)


# ---------------------------------------------------------------- through the public functions


def test_models_are_averaged():
    models = [sequential() for _ in range(3)]
    merged = wa.average(models, "linear")
    assert isinstance(merged, keras.Sequential)
    assert merged not in models
    for values in zip(*(model.get_weights() for model in [merged, *models]), strict=True):
        expected = np.einsum("m,m...->...", [1 / 6, 2 / 6, 3 / 6], values[1:])
        np.testing.assert_allclose(values[0], expected, rtol=1e-6)
    by_list = wa.average([model.get_weights() for model in models], "linear")
    for one, other in zip(by_list, merged.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_networks_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"layer 'dense': \('Dense', 'relu'\) in model 0"):
        wa.average([sequential(activation="relu"), sequential(activation="tanh")])
    with pytest.raises(TypeError, match="model 0 are no Keras models"):
        wa.average([sequential().get_weights(), sequential()])


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_files_of_keras_are_read_into_a_network(ending, tmp_path):
    pytest.importorskip("h5py")
    models, paths = [sequential() for _ in range(3)], []
    for i, model in enumerate(models):
        model.compile("adam", "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
        paths.append(tmp_path / f"{i}.{ending}")
        model.save(paths[-1]) if ending == "keras" else model.save_weights(paths[-1])
    x = np.ones((1, 4), np.float32)

    def evaluate(model):
        return model(x).detach().sum().item()

    found = wa.interpolate(paths[0], paths[1], evaluate, n_points=3, network=sequential()).frame()
    expected = wa.interpolate(models[0], models[1], evaluate, n_points=3).frame()
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)

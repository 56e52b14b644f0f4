"""Tests of checkpoints kept in training: which ones stay, in memory and in files."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported

import numpy as np
import pytest

from stackens.neural import CheckpointRecorder

torch = pytest.importorskip("torch")

SCORES = [0.5, 0.9, 0.7, np.nan, 0.9, 0.2]


def network(value=0.0):
    net = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(net.weight, value)
    return net


def record(recorder, scores=SCORES):
    net = network()
    for step, score in enumerate(scores):
        torch.nn.init.constant_(net.weight, step)
        recorder(net, step, score)
    return recorder


def steps(recorder):
    return [checkpoint.step for checkpoint in recorder.checkpoints]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"last": 2}, [4, 5]),
        ({"last": 20}, [0, 1, 2, 3, 4, 5]),
        ({"every": 2}, [0, 2, 4]),
        ({"every": 2, "last": 1}, [4]),
        ({"best": 1}, [1]),  # of equal scores the earlier
        ({"best": 3}, [1, 2, 4]),
        ({"best": 2, "greater_is_better": False}, [0, 5]),
        ({"best": 2, "last": 2}, [1, 4, 5]),
        ({"best": 6}, [0, 1, 2, 3, 4, 5]),
        ({"best": 5}, [0, 1, 2, 4, 5]),  # NaN goes first
    ],
)
def test_which_checkpoints_stay(settings, expected, tmp_path):
    recorder = record(CheckpointRecorder(**settings))
    assert steps(recorder) == expected
    assert [int(state["weight"][0, 0]) for state in recorder.states] == expected
    assert recorder.paths == []
    on_disk = record(CheckpointRecorder(folder=tmp_path / "run", **settings))
    assert steps(on_disk) == expected
    assert on_disk.states == []
    assert sorted(on_disk.paths) == on_disk.paths == sorted((tmp_path / "run").iterdir())


def test_states_are_copies_with_plain_names():
    recorder = CheckpointRecorder()
    net = torch.compile(network(1.0), backend="eager")
    recorder(net, 0)
    torch.nn.init.constant_(net._orig_mod.weight, 5.0)
    assert list(recorder.states[0]) == ["weight", "bias"]
    assert recorder.states[0]["weight"].tolist() == [[1.0, 1.0]]
    assert not recorder.states[0]["weight"].requires_grad


@pytest.mark.parametrize("format", ["safetensors", "pt"])
def test_files_load_into_the_network(format, tmp_path):
    recorder = record(CheckpointRecorder(last=1, folder=str(tmp_path), format=format))
    (path,) = recorder.paths
    assert path.name == f"checkpoint_00000005.{format}"
    if format == "pt":
        state = torch.load(path, weights_only=True)
    else:
        safetensors = pytest.importorskip("safetensors")
        from safetensors.torch import load_file

        state = load_file(path)
        with safetensors.safe_open(path, "pt") as file:
            assert file.metadata() == {"format": "pt", "step": "5", "score": "0.2"}
    net = network()
    net.load_state_dict(state)
    assert net.weight.tolist() == [[5.0, 5.0]]


def test_tied_and_half_precision_weights_in_files(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).bfloat16()
    net[1].weight = net[0].weight
    recorder = CheckpointRecorder(folder=tmp_path)
    recorder(net, 0)
    pytest.importorskip("safetensors")
    from safetensors.torch import load_file

    state = load_file(recorder.paths[0])
    assert state["0.weight"].dtype == torch.bfloat16
    assert torch.equal(state["0.weight"], state["1.weight"])
    net.load_state_dict(state)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    recorder = record(CheckpointRecorder(last=2, folder=tmp_path, format="pt"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def half_written(state, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="No space left"):
        recorder(network(9.0), 6)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert steps(recorder) == [4, 5]


def test_a_step_that_comes_again_replaces_the_earlier_one(tmp_path):
    recorder = record(CheckpointRecorder(last=3, folder=tmp_path, format="pt"))
    recorder(network(7.0), 4)
    assert steps(recorder) == [3, 5, 4]
    assert len(list(tmp_path.iterdir())) == 3
    assert torch.load(recorder.paths[-1])["weight"].tolist() == [[7.0, 7.0]]


def test_state_dicts_and_arrays_can_be_recorded(tmp_path):
    recorder = CheckpointRecorder()
    array = np.ones(3)
    recorder({"a": array}, 0)
    array[:] = 2
    assert recorder.states[0]["a"].tolist() == [1, 1, 1]
    on_disk = CheckpointRecorder(folder=tmp_path, format="pt")
    on_disk({"a": array}, 0)
    assert torch.load(on_disk.paths[0])["a"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"last": 0}, "'last'"),
        ({"best": 2.5}, "'best'"),
        ({"every": 0}, "'every'"),
        ({"format": "zip"}, "'format'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        CheckpointRecorder(**settings)


def test_bad_calls():
    with pytest.raises(ValueError, match="needs a score"):
        CheckpointRecorder(best=1)(network(), 0)
    with pytest.raises(TypeError, match="Got int"):
        CheckpointRecorder()(3, 0)
    with pytest.raises(TypeError, match="Got dict under 'optimizer'"):
        CheckpointRecorder()({"optimizer": {}}, 0)


@pytest.fixture
def keras_model():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


# Keras reads torch tensors through numpy, which warns.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_training(keras_model, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(32, 2)), np.arange(32.0)
    memory = CheckpointRecorder(last=2)
    files = CheckpointRecorder(best=1, folder=tmp_path, greater_is_better=False)
    history = keras_model.fit(
        X,
        y,
        epochs=3,
        verbose=0,
        callbacks=[memory.keras_callback(), files.keras_callback(monitor="loss")],
    )
    assert steps(memory) == [1, 2]
    names = [weight.path for weight in keras_model.weights]
    assert list(memory.states[-1]) == names
    for saved, now in zip(memory.states[-1].values(), keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, now)
    assert steps(files) == [int(np.argmin(history.history["loss"]))] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_00000002.weights.h5"]
    expected = keras_model.predict(X, verbose=0)
    for weight in keras_model.trainable_weights:
        weight.assign(weight * 0)
    keras_model.load_weights(files.paths[0])
    np.testing.assert_array_equal(keras_model.predict(X, verbose=0), expected)


def test_keras_without_the_monitored_value(keras_model):
    callback = CheckpointRecorder(best=1).keras_callback(monitor="val_loss")
    with pytest.raises(ValueError, match="'monitor' parameter must be one of the logs"):
        keras_model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0, callbacks=[callback])


def test_counts_may_come_from_numpy():
    recorder = record(CheckpointRecorder(last=np.int64(2)))
    assert [checkpoint.step for checkpoint in recorder.checkpoints] == [4, 5]


def test_steps_are_numbers():
    with pytest.raises(TypeError, match=r"'step' of a recorded checkpoint must be an int. Got '1'"):
        CheckpointRecorder()(network(), "1")


def test_scores_with_a_gradient():
    torch = pytest.importorskip("torch")
    recorder = CheckpointRecorder(best=1)
    recorder({"w": np.zeros(1)}, 0, torch.tensor(0.5, requires_grad=True))
    assert recorder.checkpoints[0].score == 0.5

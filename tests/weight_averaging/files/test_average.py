"""average_checkpoints and merge_checkpoints give the averages they promise, in every format."""

import json

import numpy as np
import pytest

from stackens import schedules
from stackens import weight_averaging as wa
from stackens.weight_averaging.files import read_checkpoint


def assert_is_mean(arrays, states, mean, weights):
    assert list(arrays) == list(states[0])
    for name, array in arrays.items():
        rtol = 1e-15 if array.dtype == np.float64 else 0
        expected = mean(states, name, weights)
        np.testing.assert_allclose(array, expected, rtol=rtol, atol=rtol, err_msg=name)
        assert array.dtype == states[0][name].dtype


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_weighted_mean_in_every_format(npz_files, states, mean, tmp_path, suffix, n_jobs):
    output = tmp_path / f"average{suffix}"
    wa.average_checkpoints(npz_files, output, weights=[0.25, 0.5, 0.25], n_jobs=n_jobs)
    arrays = read_checkpoint(output)
    in_order = {name: arrays[name] for name in states[0]}
    assert_is_mean(in_order, states, mean, [0.25, 0.5, 0.25])


def test_compressed_inputs(npz_files, states, tmp_path):
    expected = wa.average_checkpoints(npz_files, tmp_path / "average.npz").crc32
    for path, state in zip(npz_files, states, strict=True):
        np.savez_compressed(path, **state)
    assert wa.average_checkpoints(npz_files, tmp_path / "average.npz").crc32 == expected


def test_schedules_and_the_newest(npz_files, states, mean, tmp_path):
    output = tmp_path / "average.npz"
    wa.average_checkpoints(npz_files, output, weights="linear")
    assert read_checkpoint(output)["steps"] == 20
    np.testing.assert_allclose(
        read_checkpoint(output)["weight"], mean(states, "weight", schedules.linear(3))
    )
    wa.average_checkpoints(npz_files, output, weights="linear", newest="first")
    assert read_checkpoint(output)["steps"] == 0
    np.testing.assert_allclose(
        read_checkpoint(output)["weight"], mean(states, "weight", schedules.linear(3)[::-1])
    )


def test_groups_of_weights(npz_files, states, mean, tmp_path):
    output = tmp_path / "average.npz"
    wa.average_checkpoints(npz_files, output, weights={"^embed": [1, 0, 0]})
    arrays = read_checkpoint(output)
    np.testing.assert_array_equal(arrays["embedding"], states[0]["embedding"])
    np.testing.assert_allclose(arrays["weight"], mean(states, "weight", [1 / 3] * 3), rtol=1e-14)


def test_weight_zero_and_one_checkpoint(npz_files, states, tmp_path):
    states[0]["weight"][0, 0] = np.nan
    np.savez(npz_files[0], **states[0])
    output = tmp_path / "average.npz"
    wa.average_checkpoints(npz_files, output, weights=[0.0, 1, 0])
    arrays = read_checkpoint(output)
    np.testing.assert_array_equal(arrays["weight"], states[1]["weight"])
    assert arrays["steps"] == 20  # integers are the newest's, whatever its weight
    wa.average_checkpoints(npz_files[1:2], output)
    np.testing.assert_array_equal(read_checkpoint(output)["half"], states[1]["half"])


def test_majority_of_integers(npz_files, tmp_path):
    output = tmp_path / "average.npz"
    wa.average_checkpoints(npz_files, output, buffer="majority")
    assert read_checkpoint(output)["mask"].tolist() == [True, False, True]


def test_another_dtype(npz_files, states, tmp_path):
    output = tmp_path / "average.safetensors"
    wa.average_checkpoints(npz_files, output, dtype="bfloat16")
    found = wa.files.open_checkpoint(output)
    codes = {name: tensor.dtype.code for name, tensor in found.tensors.items()}
    assert {codes[name] for name in ("embedding", "weight", "half")} == {"BF16"}
    assert (codes["steps"], codes["wave"]) == ("I64", "C64")


def test_rules_on_files_are_rules_on_arrays(npz_files, states, tmp_path):
    floats = [
        {name: array for name, array in state.items() if name not in ("steps", "mask", "none")}
        for state in states
    ]
    for path, state in zip(npz_files, floats, strict=True):
        np.savez(path, **state)
    output = tmp_path / "merged.npz"
    for rule in ("slerp", "ties", "task_arithmetic", wa.rules.Dare(random_state=3), "model_stock"):
        models, base = (floats[:2], None) if rule == "slerp" else (floats[1:], floats[0])
        paths = npz_files[:2] if rule == "slerp" else npz_files[1:]
        wa.merge_checkpoints(paths, output, rule=rule, base=None if base is None else npz_files[0])
        expected = wa.average(models, rule=rule, base=base)
        for name, array in read_checkpoint(output).items():
            np.testing.assert_array_equal(array, expected[name], err_msg=f"{rule} {name}")


def test_regmean_reads_weights_for_their_bias(npz_files, tmp_path):
    random = np.random.default_rng(0)
    shapes = {"l.weight": (2, 3), "l.bias": (2,)}
    models = [{k: random.normal(size=shape) for k, shape in shapes.items()} for _ in "ab"]
    inputs = [np.c_[random.normal(size=(9, 3)), np.ones(9)] for _ in models]
    rule = wa.rules.RegMean([{"l.weight": X.T @ X} for X in inputs])
    for path, model in zip(npz_files, models, strict=False):
        np.savez(path, **model)
    wa.merge_checkpoints(npz_files[:2], tmp_path / "merged.npz", rule=rule)
    expected = wa.average(models, rule=rule)
    for name, array in read_checkpoint(tmp_path / "merged.npz").items():
        np.testing.assert_array_equal(array, expected[name])


def test_training_checkpoints_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    paths = []
    for step in range(3):
        network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
        network[1].num_batches_tracked.fill_(step)
        content = {"model": network.state_dict(), "optimizer": {"state": {}}, "epoch": step}
        if step == 2:  # saved from DataParallel and torch.compile
            wrapped = {f"module._orig_mod.{k}": v for k, v in content["model"].items()}
            content["model"] = wrapped
        paths.append(tmp_path / f"step-{step}.ckpt")
        torch.save(content, paths[-1])
    wa.average_checkpoints(paths, tmp_path / "average.pt")
    states = [torch.load(path)["model"] for path in paths]
    average = torch.load(tmp_path / "average.pt", weights_only=True)
    assert list(average) == list(states[2])
    name = "0.weight"
    mean = sum(state[name] for state in states[:2]) + states[2][f"module._orig_mod.{name}"]
    torch.testing.assert_close(average[f"module._orig_mod.{name}"], mean / 3)
    assert average["module._orig_mod.1.num_batches_tracked"] == 2  # not 1, their mean
    wa.average_checkpoints(paths[:2], tmp_path / "average.pt")
    network.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_tied_weights_stay_tied(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    network = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3), "b": torch.nn.Linear(3, 3)})
    network["b"].weight = network["a"].weight
    paths = []
    for step in range(2):
        torch.nn.init.normal_(network["a"].weight)
        paths.append(tmp_path / f"step-{step}.pt")
        torch.save(network.state_dict(), paths[-1])
    report = wa.average_checkpoints(paths, tmp_path / f"average{suffix}")
    assert report.tensors == 3
    arrays = read_checkpoint(tmp_path / f"average{suffix}")
    assert arrays["a.weight"] is arrays["b.weight"]
    assert wa.average_checkpoints(paths, tmp_path / "average.npz").tensors == 4


def test_folders_of_hugging_face(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    random = np.random.default_rng(0)
    paths, states = [], []
    for model in range(2):
        folder = tmp_path / f"model-{model}.5"
        (folder / "tokenizer").mkdir(parents=True)
        state = {f"layer.{i}": random.normal(size=50).astype(np.float32) for i in range(6)}
        names, weight_map = list(state), {}
        for shard, part in enumerate((names[:4], names[4:])):
            file = f"model-0000{shard + 1}-of-00002.safetensors"
            library.save_file({name: state[name] for name in part}, folder / file, {"format": "pt"})
            weight_map.update(dict.fromkeys(part, file))
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        (folder / "config.json").write_text(f'{{"model": {model}}}')
        (folder / "tokenizer" / "vocab.txt").write_text("words")
        paths.append(folder)
        states.append(state)
    output = tmp_path / "average-0.5"
    report = wa.average_checkpoints(paths, output, max_shard_bytes=500)
    assert [path.name for path in report.paths] == [
        *(f"model-0000{shard}-of-00003.safetensors" for shard in (1, 2, 3)),
        "model.safetensors.index.json",
    ]
    assert (output / "config.json").read_text() == '{"model": 1}'
    assert (output / "tokenizer" / "vocab.txt").read_text() == "words"
    for name, array in read_checkpoint(output).items():
        expected = (states[0][name].astype(float) + states[1][name]) / 2
        np.testing.assert_array_equal(array, expected.astype(np.float32))
    with pytest.raises(FileExistsError, match=r"must be new or empty"):
        wa.average_checkpoints(paths, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "average-0.5",
        "model-0.5",
        "model-1.5",
    ]


def test_different_architectures_are_refused(npz_files, states, tmp_path):
    np.savez(npz_files[2], **{**states[2], "weight": np.zeros((4, 6)), "extra": np.zeros(1)})
    with pytest.raises(ValueError, match=r"2 differences:\n.*'weight'.*\n.*'extra'"):
        wa.average_checkpoints(npz_files, tmp_path / "average.npz")

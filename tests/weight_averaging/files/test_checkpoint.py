"""Checkpoints of all formats are recognised by content, alone, in shards and in folders."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from stackens import weight_averaging as wa
from stackens.exceptions import StackensWarning
from stackens.weight_averaging.files._checkpoint import (
    open_all,
    open_checkpoint,
    read_checkpoint,
    with_names_of,
)
from stackens.weight_averaging.files._sources import Tensor


def write_safetensors(path, arrays):
    pytest.importorskip("safetensors.numpy").save_file(arrays, path)
    return path


@pytest.fixture
def shards(tmp_path):
    """A folder as Hugging Face writes it, with two shards."""
    write_safetensors(tmp_path / "model-1.safetensors", {"a": np.float32([1, 2])})
    write_safetensors(tmp_path / "model-2.safetensors", {"b": np.float32([3])})
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_the_content_says_the_format(tmp_path):
    torch, h5py = pytest.importorskip("torch"), pytest.importorskip("h5py")
    arrays = {"w": np.float32([[1, 2]])}
    np.savez(tmp_path / "npz", **arrays)
    (tmp_path / "npz.npz").rename(tmp_path / "npz")
    write_safetensors(tmp_path / "safetensors", arrays)
    torch.save({"model": {"w": torch.tensor([[1.0, 2.0]])}}, tmp_path / "torch")
    with h5py.File(tmp_path / "hdf5", "w") as file:
        file["w"] = arrays["w"]
    for kind in ("npz", "safetensors", "torch", "hdf5"):
        found = open_checkpoint(tmp_path / kind)
        assert found.format == kind
        assert found.files == (tmp_path / kind,)
        np.testing.assert_array_equal(read_checkpoint(tmp_path / kind)["w"], arrays["w"])


@pytest.mark.parametrize("length", [0x280, 0x4B50])  # as a pickle and a zip archive begin
def test_the_length_of_a_header_is_no_mark_of_another_format(length, tmp_path):
    path = tmp_path / "model.safetensors"
    header = b'{"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}'.ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + np.array([1.0, 2.0]).tobytes())
    assert read_checkpoint(path)["w"].tolist() == [1.0, 2.0]


def test_files_of_old_torch_are_read_with_a_warning(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "old.pt"
    torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    with pytest.warns(StackensWarning, match=r"old.pt.*held in memory"):
        assert read_checkpoint(path)["w"].tolist() == [1, 1]


def test_names_are_compared_without_wrappers(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, **{"module._orig_mod.w": np.ones(2), "module.b": np.zeros(1)})
    found = open_checkpoint(path)
    assert list(found.tensors) == ["w", "b"]
    assert found.own_names == {"w": "module._orig_mod.w", "b": "module.b"}
    np.savez(path, **{"_orig_mod.w": np.ones(2), "w": np.zeros(1)})
    with pytest.raises(ValueError, match=r"Names must differ without 'module.'"):
        open_checkpoint(path)


def test_shards_and_folders(shards):
    for path in (shards, shards / "model.safetensors.index.json"):
        found = open_checkpoint(path)
        assert found.path == path
        assert list(found.tensors) == ["a", "b"]
        assert [file.name for file in found.files] == ["model-1.safetensors", "model-2.safetensors"]
        np.testing.assert_array_equal(np.asarray(found.tensors["b"]), [3])


def test_damaged_folders_are_refused(shards):
    index = shards / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"c": "model-1.safetensors"}}')
    with pytest.raises(ValueError, match=r"must agree with its shards. Got no 'c' in model-1"):
        open_checkpoint(shards)
    index.write_text('{"weight_map": {"a": "../model-1.safetensors", "b": "gone.safetensors"}}')
    with pytest.raises(ValueError, match=r"'../model-1.safetensors', 'gone.safetensors'.*missing"):
        open_checkpoint(shards)
    for content in ("[]", '{"weight_map": ["a"]}', "no json"):
        index.write_text(content)
        with pytest.raises(ValueError, match=r"without a valid 'weight_map'"):
            open_checkpoint(shards)
    index.unlink()
    with pytest.raises(ValueError, match=r"A folder must hold weights as Hugging Face"):
        open_checkpoint(shards)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    with pytest.raises(FileNotFoundError, match=r"notes.txt, which is not a file"):
        open_checkpoint(path)
    path.write_text("These are notes.")
    with pytest.raises(ValueError, match=r"must be a safetensors, torch, npz.*b'These are notes"):
        open_checkpoint(path)
    np.savez(path.with_suffix(".npz"), w=np.ones(1))
    with pytest.raises(ValueError, match=r"'key' parameter is for torch's files. Got 'model'"):
        open_checkpoint(path.with_suffix(".npz"), key="model")
    write_safetensors(path, {})
    with pytest.raises(ValueError, match=r"must hold tensors. Got .*notes.txt without any"):
        open_checkpoint(path)


def test_all_bad_files_are_listed(tmp_path):
    good = tmp_path / "good.npz"
    np.savez(good, w=np.ones(1))
    bad = tmp_path / "bad.npz"
    bad.write_bytes(good.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"^[^\n]*bad.npz must be a whole zip file[^\n]*$"):
        open_all([good, bad])
    with pytest.raises(ValueError, match=r"2 of 3 checkpoints:\n.*bad.npz.*\n.*gone.npz"):
        open_all([good, bad, tmp_path / "gone.npz", bad])
    assert [found.path for found in open_all([good, good])] == [good, good]


def test_layers_are_matched_by_order_where_names_are_no_matter(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, dense_1=np.ones(1), dense_2=np.ones(2))
    newest = replace(open_checkpoint(path), layers=("dense_1", "dense_2"))
    np.savez(path, dense_3=np.ones(1), dense_4=np.ones(2), other=np.ones(3))
    other = replace(open_checkpoint(path), layers=("dense_3", "dense_4"))
    assert list(with_names_of(newest, other).tensors) == ["dense_1", "dense_2", "other"]
    assert with_names_of(newest, replace(other, layers=())).tensors == other.tensors
    assert with_names_of(newest, newest) is newest


def test_tied_weights_are_one_array(tmp_path):
    torch = pytest.importorskip("torch")
    shared = torch.ones(3)
    torch.save({"a": shared, "b": shared, "c": torch.ones(3)}, tmp_path / "tied.pt")
    arrays = read_checkpoint(tmp_path / "tied.pt")
    assert arrays["a"] is arrays["b"]
    assert arrays["a"] is not arrays["c"]


@pytest.mark.parametrize("kind", ["safetensors", "pt", "npz", "compressed.npz", "h5", "gzip.h5"])
def test_no_flipped_bit_raises_anything_but_what_is_documented(kind, tmp_path):
    torch, h5py = pytest.importorskip("torch"), pytest.importorskip("h5py")
    path, arrays = tmp_path / f"model.{kind}", {"w": np.ones((3, 2), np.float32), "b": np.arange(3)}
    if kind == "safetensors":
        write_safetensors(path, arrays)
    elif kind == "pt":
        torch.save({"model": {n: torch.from_numpy(a) for n, a in arrays.items()}}, path)
    elif kind.endswith("npz"):
        (np.savez_compressed if "compressed" in kind else np.savez)(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                options = {"chunks": array.shape, "compression": "gzip"} if "gzip" in kind else {}
                file.create_dataset(name, data=array, **options)
    content, messages = path.read_bytes(), []
    for place in range(0, len(content), 1 + len(content) // 700):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(str(path) in message for message in messages)


def test_tied_weights_have_all_their_names_where_some_files_keep_one(tmp_path):
    torch = pytest.importorskip("torch")
    arrays = {"embedding": np.float32([[1, 2]]), "norm": np.float32([3])}
    one = write_safetensors(tmp_path / "one.safetensors", arrays)
    shared = torch.tensor([[3.0, 4.0]])
    state = {"embedding": shared, "norm": torch.ones(1), "head": shared}
    torch.save(state, tmp_path / "two.bin")
    for paths in ([one, tmp_path / "two.bin"], [tmp_path / "two.bin", one]):
        for found in open_all(paths):
            assert found.tensors["head"] == found.tensors["embedding"]
        output = tmp_path / "out.safetensors"
        wa.average_checkpoints(paths, output)
        mean = read_checkpoint(output)
        np.testing.assert_array_equal(mean["head"], [[2, 3]])
        assert mean["head"] is mean["embedding"]


def test_names_that_are_missing_and_not_tied_stay_missing(tmp_path):
    torch = pytest.importorskip("torch")
    one = write_safetensors(tmp_path / "one.safetensors", {"embedding": np.float32([[1, 2]])})
    torch.save({"embedding": torch.ones(1, 2), "head": torch.ones(1, 2)}, tmp_path / "two.bin")
    with pytest.raises(ValueError, match=r"'head': missing in .*one"):
        wa.average_checkpoints([one, tmp_path / "two.bin"], tmp_path / "out.pt")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_of_something_else_are_not_taken_for_old_files_of_torch(tmp_path, protocol):
    torch = pytest.importorskip("torch")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"w": np.ones(2)}, protocol=protocol))
    with pytest.raises(ValueError, match=r"must be one of torch.save. Got .*model.pkl"):
        open_checkpoint(path)
    state = {"w": torch.ones(2)}
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    with pytest.warns(StackensWarning, match="before 1.6"):
        assert list(open_checkpoint(path, trusted=True).tensors) == ["w"]


def test_a_pointer_of_git_lfs_is_recognised(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n")
    with pytest.raises(ValueError, match=r"something else. Fetch it with git lfs pull\."):
        open_checkpoint(path)


def test_many_names_that_some_files_lack_are_not_compared_with_all(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    shared = {f"t{i}": torch.full((1,), float(i)) for i in range(300)}
    torch.save({**shared, **{f"{name}.too": t for name, t in shared.items()}}, tmp_path / "a.pt")
    torch.save(shared, tmp_path / "b.pt")
    compared, equal = [], Tensor.__eq__
    monkeypatch.setattr(Tensor, "__eq__", lambda a, b: compared.append(1) or equal(a, b))
    opened = open_all([tmp_path / "a.pt", tmp_path / "b.pt"])
    assert len(compared) < 3 * len(shared)
    for found in opened:
        assert all(found.tensors[f"{name}.too"] == found.tensors[name] for name in shared)

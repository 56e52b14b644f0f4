"""The suffix of an output says what is written, and shards are cut by size."""

import json
from pathlib import Path

import pytest

from stackens.weight_averaging.files._checkpoint import Checkpoint
from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._outputs import companions, output_kind, plan_files


def newest(kind="torch", path="newest.pt"):
    return Checkpoint(Path(path), {}, {}, (Path(path),), kind)


@pytest.mark.parametrize(
    ("output", "kind", "folder"),
    [
        ("a.safetensors", "safetensors", False),
        ("a.pt", "torch", False),
        ("a.PTH", "torch", False),
        ("a.bin", "torch", False),
        ("a.ckpt", "torch", False),
        ("a.npz", "npz", False),
        ("folder", "safetensors", True),
    ],
)
def test_suffixes(output, kind, folder):
    found = output_kind(Path(output), newest(), None)
    assert (found.format, found.folder) == (kind, folder)


def test_names_of_folders_may_have_dots(tmp_path):
    assert output_kind(Path("model-1.5"), newest(), 1000).folder
    assert output_kind(Path("model-1.5"), newest(path=tmp_path), None).folder
    with pytest.raises(ValueError, match=r"must end in one of .safetensors.*Got model-1.5"):
        output_kind(Path("model-1.5"), newest(), None)


def test_copies_need_inputs_of_their_kind():
    for suffix, kinds in ((".h5", ("hdf5", "keras")), (".keras", ("keras",))):
        for kind in kinds:
            assert not output_kind(Path(f"a{suffix}"), newest(kind), None).folder
        with pytest.raises(ValueError, match=r"is a copy of the newest checkpoint"):
            output_kind(Path(f"a{suffix}"), newest("torch"), None)


def test_shards_need_a_folder():
    with pytest.raises(ValueError, match=r"'max_shard_bytes' parameter needs a folder"):
        output_kind(Path("a.safetensors"), newest(), 1000)


def test_shards_are_cut_by_size(tmp_path):
    sizes = {"a": 60, "b": 40, "c": 1, "d": 500, "e": 9}
    slots = [Slot(name, DTYPES["U8"], (size,)) for name, size in sizes.items()]
    kind = output_kind(Path("folder"), newest(), 100)
    *shards, index = plan_files(kind, newest(), slots, 100)
    assert [list(shard.places) for shard in shards] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert shards[0].name == "model-00001-of-00004.safetensors"
    path = tmp_path / index.name
    index.create(path)
    index.finish(path, {})
    content = json.loads(path.read_text())
    assert content["metadata"] == {"total_size": 610}
    assert content["weight_map"]["d"] == "model-00003-of-00004.safetensors"
    assert path.stat().st_size == index.size
    (only,) = plan_files(kind, newest(), slots, None)
    assert only.name == "model.safetensors"


def test_only_what_is_no_weight_goes_along(tmp_path):
    kept = ["config.json", "tokenizer/vocab.txt", "README.md"]
    left = ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", ".git/HEAD"]
    left += ["optimizer.pt", ".hidden", "random_states_0.pkl", "checkpoint-500/config.json"]
    for name in kept + left:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = companions(newest(path=tmp_path))
    assert sorted(path.as_posix() for path in found) == sorted(kept)
    assert companions(newest(path=tmp_path / "model.safetensors")) == []


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("adapter_model.safetensors", "adapter_model"),
        ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model"),
        ("pytorch_model-00001-of-00002.bin", "model"),
        ("model-00001-of-00002.safetensors", "model"),
        ("last.pt", "model"),
    ],
)
def test_files_in_a_folder_have_the_names_that_libraries_look_for(file, stem):
    like, kind = newest(path=f"folder/{file}"), output_kind(Path("out"), newest(), None)
    slots = [Slot(name, DTYPES["F32"], (4,)) for name in "ab"]
    (one,) = plan_files(kind, like, slots, None)
    assert one.name == f"{stem}.safetensors"
    assert [plan.name for plan in plan_files(kind, like, slots, 16)] == [
        f"{stem}-00001-of-00002.safetensors",
        f"{stem}-00002-of-00002.safetensors",
        f"{stem}.safetensors.index.json",
    ]

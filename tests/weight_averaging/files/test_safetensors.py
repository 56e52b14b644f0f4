"""safetensors files: read by us as by the library, written for it, refused when damaged."""

import json
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._safetensors import (
    is_safetensors,
    plan_safetensors,
    read_safetensors,
)


def build(header, data=b"", length=None):
    content = json.dumps(header).encode() if isinstance(header, dict) else header
    size = len(content) if length is None else length
    return size.to_bytes(8, "little") + content + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def write(path, slots, contents, metadata=()):
    plan = plan_safetensors(slots, metadata=dict(metadata))
    plan.create(path)
    with open(path, "r+b") as file:
        for name, place in plan.places.items():
            file.seek(place)
            file.write(contents[name])
    return plan.finish(path, {name: zlib.crc32(contents[name]) for name in plan.places})


def test_files_of_the_library_are_read(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    random = np.random.default_rng(0)
    arrays = {
        "w": random.normal(size=(3, 4)).astype(np.float32),
        "number": np.array(3.5),
        "none": np.zeros((0, 2), np.float16),
        "bool": np.array([True, False]),
        "count": np.arange(5, dtype=np.int64),
    }
    path = tmp_path / "model.safetensors"
    library.save_file(arrays, path, metadata={"format": "pt"})
    tensors, metadata = read_safetensors(path)
    assert metadata == {"format": "pt"}
    assert set(tensors) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(tensors[name]), array, strict=True)
    assert is_safetensors(path.read_bytes()[:16])


def test_the_library_reads_what_is_written(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = tmp_path / "new.safetensors"
    contents = {"byte": b"\x07", "ü": np.float64([1, 2]).tobytes(), "none": b""}
    slots = [
        Slot("byte", DTYPES["U8"], (1,)),
        Slot("ü", DTYPES["F64"], (2, 1)),
        Slot("none", DTYPES["F32"], (0,)),
    ]
    crc = write(path, slots, contents, {"made": "here"})
    assert crc == zlib.crc32(path.read_bytes())
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"made": "here"}
        np.testing.assert_array_equal(file.get_tensor("ü"), [[1], [2]])
        np.testing.assert_array_equal(file.get_tensor("byte"), [7])
    tensors, _ = read_safetensors(path)
    assert tensors["ü"].source.offset % 8 == 0  # the widest numbers stand first


def test_tied_weights_are_written_once(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    path = tmp_path / "tied.safetensors"
    numbers = np.arange(6, dtype=np.float32)
    slots = [Slot("a.weight", DTYPES["F32"], (2, 3), ("b.weight",))]
    write(path, slots, {"a.weight": numbers.tobytes()})
    tensors, metadata = read_safetensors(path)
    assert tensors["a.weight"] == tensors["b.weight"]
    assert metadata == {}
    model = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2, bias=False)})
    model["b"] = model["a"]
    assert library.load_model(model, path) == (set(), [])
    np.testing.assert_array_equal(model["b"].weight.detach(), numbers.reshape(2, 3))
    saved = tmp_path / "theirs.safetensors"
    library.save_model(model, saved)
    tensors, _ = read_safetensors(saved)
    assert tensors["a.weight"] == tensors["b.weight"]


def test_complex128_has_no_place():
    with pytest.raises(ValueError, match=r"no complex128"):
        plan_safetensors([Slot("w", DTYPES["C128"], (2,))], metadata={})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\x05\x00", "header of"),
        (build({}, length=1 << 40), "header of"),
        (build(b"{not json"), "not valid"),
        (build(b"[1]"), "not valid"),
        (build({"w": entry("F31")}, bytes(8)), "dtype 'F31' is not known"),
        (build({"w": entry(shape=(3,))}, bytes(8)), "8 bytes for shape"),
        (build({"w": entry(shape=(-2,), offsets=(8, 0))}, bytes(8)), "whole numbers"),
        (build({"w": {"dtype": "F32"}}, bytes(8)), "not valid"),
        (build({"w": entry()}, bytes(7)), "bytes where its header"),
        (build({"w": entry()}, bytes(9)), "bytes where its header"),
        (build({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "'b' that overlaps"),
        (build({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)), "'b' that leaves a gap"),
        (build(b'{"w":1,"w":2}'), "stands there twice"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, found):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad.safetensors must be a whole.*({found})"):
        read_safetensors(path)


def test_formats_of_quantised_weights_are_not_called_damage(tmp_path):
    path = tmp_path / "mx.safetensors"
    path.write_bytes(build({"w": entry("F8_E8M0")}, bytes(8)))
    with pytest.raises(ValueError, match=r"numbers that have a mean. Got F8_E8M0.*dequantise"):
        read_safetensors(path)

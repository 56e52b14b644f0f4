"""HDF5 files: weights are found in place or by the library, and copies have room for others."""

import errno
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files import _hdf5
from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._hdf5 import (
    Hdf5File,
    _slabs,
    is_hdf5,
    layer_order,
    plan_hdf5,
    read_hdf5,
)
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._sources import Extent, OpenFiles

h5py = pytest.importorskip("h5py")


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "layers/dense/vars/0": random.normal(size=(30, 7)).astype(np.float32),
        "layers/dense/vars/1": random.normal(size=7).astype(np.float16),
        "chunked": random.normal(size=(11, 13, 5)),
        "big": random.normal(size=4).astype(">f4"),
        "number": np.float64(2.5),
        "steps": np.array([3], np.int64),
        "mask": np.array([True, False]),
        "complex": np.array([1 + 2j, 3], np.complex64),
        "none": np.zeros((0, 3), np.float32),
    }


@pytest.fixture
def path(arrays, tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            options = {}
            if name == "chunked":
                options = {"chunks": (4, 5, 2), "compression": "gzip"}
            file.create_dataset(name, data=array, **options)
        file["layers/dense/vars"].attrs["name"] = "dense"
        file["chunked"].attrs["note"] = np.arange(3)
        file["text"] = "a text"
        file["optimizer/vars/0"] = np.array([5], np.int32)
        file["link"] = h5py.SoftLink("/steps")
        file.attrs["layer_names"] = np.array([b"one", b"two"])
        half = file.create_dataset("half", data=np.array([0x3F80, 0xC000], "<u2").view("V2"))
        half.attrs["dtype"] = "bfloat16"
    return path


def test_weights_are_read(arrays, path):
    tensors = read_hdf5(Hdf5File(path))
    assert set(tensors) == {*arrays, "half"}
    for name, array in arrays.items():
        expected = np.asarray(array, array.dtype.newbyteorder("="))
        np.testing.assert_array_equal(np.asarray(tensors[name]), expected, strict=True)
    np.testing.assert_array_equal(np.asarray(tensors["half"]), [1, -2])
    in_place = {name for name in tensors if isinstance(tensors[name].source, Extent)}
    assert in_place == {*tensors} - {"chunked", "big", "none"}
    assert is_hdf5(path.read_bytes()[:16])


def test_any_piece_of_a_chunked_data_set(arrays, path):
    source = read_hdf5(Hdf5File(path))["chunked"].source
    flat = arrays["chunked"].reshape(-1)
    with OpenFiles() as files:
        for start, n in [(0, 715), (3, 1), (4, 70), (66, 131), (640, 75)]:
            out = np.empty(n)
            source.read_into(start, out, files)
            np.testing.assert_array_equal(out, flat[start : start + n])


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 3, 4)])
def test_slabs_cover_a_range(shape):
    numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    for start in range(numbers.size):
        for stop in range(start + 1, numbers.size + 1):
            pieces = [(np.ravel(numbers[s]), n) for s, n in _slabs(shape, start, stop)]
            assert all(len(piece) == n for piece, n in pieces)
            joined = np.concatenate([piece for piece, _ in pieces])
            np.testing.assert_array_equal(joined, np.arange(start, stop))


def test_a_copy_has_room_for_other_numbers(arrays, path, tmp_path):
    slots = [
        Slot("layers/dense/vars/0", DTYPES["F32"], (30, 7)),
        Slot("chunked", DTYPES["F64"], (11, 13, 5)),
        Slot("number", DTYPES["F32"], ()),
        Slot("half", DTYPES["F32"], (2,)),
        Slot("none", DTYPES["F32"], (0, 3)),
        Slot("mask", DTYPES["BOOL"], (2,)),
        Slot("complex", DTYPES["C64"], (2,)),
        Slot("layers/dense/vars/1", DTYPES["BF16"], (7,)),
    ]
    new = {slot.name: np.arange(slot.nbytes, dtype=np.uint8) % 2 for slot in slots}
    copy = tmp_path / "copy.h5"
    plan = plan_hdf5(Hdf5File(path), slots)
    plan.create(copy)
    assert copy.stat().st_size == plan.size
    with open(copy, "r+b") as file:
        for name, place in plan.places.items():
            file.seek(place)
            file.write(new[name].tobytes())
    assert plan.finish(copy, {}) == zlib.crc32(copy.read_bytes())
    with h5py.File(copy) as file:
        for slot in slots:
            dataset = file[slot.name]
            assert dataset.shape == slot.shape
            assert dataset[()].tobytes() == new[slot.name].tobytes()
        assert file["mask"].dtype == bool
        assert file["half"].dtype == np.float32
        assert "dtype" not in file["half"].attrs
        assert file["layers/dense/vars/1"].attrs["dtype"] == "bfloat16"
        assert file["layers/dense/vars"].attrs["name"] == "dense"
        np.testing.assert_array_equal(file["chunked"].attrs["note"], [0, 1, 2])
        np.testing.assert_array_equal(file.attrs["layer_names"], [b"one", b"two"])
        np.testing.assert_array_equal(file["steps"], arrays["steps"])
        np.testing.assert_array_equal(file["optimizer/vars/0"], [5])
        assert file["text"][()] == b"a text"
        assert file.get("link", getlink=True).path == "/steps"
    again = plan_hdf5(Hdf5File(path), slots)
    assert (again.size, again.places) == (plan.size, plan.places)


def test_8_bit_floats_have_no_place(path):
    with pytest.raises(ValueError, match=r"no float8_e5m2. Got it in 'number'"):
        plan_hdf5(Hdf5File(path), [Slot("number", DTYPES["F8_E5M2"], ())])


def test_layer_order_of_whole_models(tmp_path, path):
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = ["dense_3", "relu", "dense_1"]
        for layer, names in [("dense_3", ["s/k", "s/b"]), ("relu", []), ("dense_1", [b"k:0"])]:
            weights.create_group(layer).attrs["weight_names"] = names
    assert layer_order(Hdf5File(whole)) == [
        "model_weights/dense_3/s/k",
        "model_weights/dense_3/s/b",
        "model_weights/dense_1/k:0",
    ]


def test_numbers_in_other_files_are_refused(tmp_path):
    path = tmp_path / "elsewhere.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (2,), "f4", external=[(str(tmp_path / "raw"), 0, 8)])
    with pytest.raises(ValueError, match=r"elsewhere.h5 must hold its own numbers. Got 'w'"):
        read_hdf5(Hdf5File(path))


def test_damaged_files_are_refused(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"must hold a whole HDF5 file"):
        read_hdf5(Hdf5File(path))


def test_a_type_that_there_is_not_is_damage(tmp_path):
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["note"] = "text"
    utf8, unknown = b"\x19\x01\x01\x00", b"\x19\x01\xfe\x00"  # the type of text, and its encoding
    path.write_bytes(path.read_bytes().replace(utf8, unknown))
    with pytest.raises(ValueError, match=r"must hold a whole HDF5 file.*encoding"):
        read_hdf5(Hdf5File(path))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_damage_that_shows_while_the_newest_file_is_copied_is_told(tmp_path, monkeypatch, number):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["w"] = np.ones(3, np.float32)

    def broken(*_):
        raise RuntimeError("ran off the end of the image buffer")

    monkeypatch.setattr(_hdf5, "_copy_attributes", broken)
    with pytest.raises(ValueError, match=r"model.h5 must hold a whole HDF5 file.*image buffer"):
        plan_hdf5(Hdf5File(path), [Slot("w", DTYPES["F32"], (3,))])

    def full(*_):
        raise OSError(number, "no room")

    monkeypatch.setattr(_hdf5, "_copy_attributes", full)
    with pytest.raises(OSError, match="no room"):
        plan_hdf5(Hdf5File(path), [Slot("w", DTYPES["F32"], (3,))])

"""numpy's files: read in place or compressed, written for numpy."""

import zipfile
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._npz import is_npz, plan_npz, read_npz
from stackens.weight_averaging.files._sources import OpenFiles


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_numpy_are_read(states, tmp_path, save):
    path = tmp_path / "model.npz"
    save(path, **states[0])
    tensors = read_npz(path)
    assert list(tensors) == list(states[0])
    for name, array in states[0].items():
        np.testing.assert_array_equal(np.asarray(tensors[name]), array, strict=True)
        assert tensors[name].source.in_order == (save is np.savez_compressed)


def test_fortran_order(tmp_path):
    array = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    np.savez(tmp_path / "model.npz", w=array)
    np.testing.assert_array_equal(np.asarray(read_npz(tmp_path / "model.npz")["w"]), array)
    np.savez_compressed(tmp_path / "model.npz", w=array)
    tensor = read_npz(tmp_path / "model.npz")["w"]
    np.testing.assert_array_equal(np.asarray(tensor), array)
    assert tensor.source.in_order
    piece = np.empty(7)
    with OpenFiles() as files:
        for start in (3, 0, 10):
            tensor.source.read_into(start, piece, files)
            np.testing.assert_array_equal(piece, array.ravel()[start : start + 7])
        assert tensor.source in files._open
        tensor.source.read_into(array.size - 7, piece, files)
        assert tensor.source not in files._open  # nothing is held of what was read to its end


def test_numpy_reads_what_is_written(tmp_path):
    path = tmp_path / "new.npz"
    contents = {"w": np.arange(6, dtype="<f4"), "a/b": np.array(True), "z": np.zeros((0, 2), "<c8")}
    slots = [
        Slot("w", DTYPES["F32"], (2, 3)),
        Slot("a/b", DTYPES["BOOL"], ()),
        Slot("z", DTYPES["C64"], (0, 2)),
    ]
    plan = plan_npz(slots)
    plan.create(path)
    with open(path, "r+b") as file:
        for name, place in plan.places.items():
            file.seek(place)
            file.write(contents[name].tobytes())
    crcs = {name: zlib.crc32(array.tobytes()) for name, array in contents.items()}
    assert plan.finish(path, crcs) == zlib.crc32(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert is_npz(archive.namelist())
    with np.load(path) as read:
        np.testing.assert_array_equal(read["w"], contents["w"].reshape(2, 3), strict=True)
        np.testing.assert_array_equal(read["a/b"], True)
        assert read["z"].shape == (0, 2)


def test_formats_that_numpy_does_not_know_have_no_place():
    with pytest.raises(ValueError, match=r"Got bfloat16 in 'w'"):
        plan_npz([Slot("w", DTYPES["BF16"], (2,))])


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([{}]), np.zeros(2, ">f4")])
def test_what_is_no_number_is_refused(tmp_path, array):
    path = tmp_path / "model.npz"
    np.savez(path, w=np.zeros(2), bad=array)
    with pytest.raises(ValueError, match=r"model.npz must hold arrays of numbers. Got 'bad.npy'"):
        read_npz(path)


def test_damage_is_found(tmp_path):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00v\x00{'descr': nonsense")
    with pytest.raises(ValueError, match=r"Got 'w.npy', which can't be read"):
        read_npz(path)
    np.savez(path, w=np.zeros(100))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"whole zip file"):
        read_npz(path)

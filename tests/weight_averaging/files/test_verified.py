"""Flipped bits in files that state checksums are found, whatever is read and how."""

import struct
import zipfile
import zlib

import numpy as np
import pytest

from stackens import weight_averaging as wa
from stackens.weight_averaging.files import _engine, _verified
from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._sources import Extent
from stackens.weight_averaging.rules import WeightedMean

torch = pytest.importorskip("torch")

RANDOM = np.random.default_rng(0)
MODELS = [
    {"w": RANDOM.normal(size=(300, 200)), "steps": np.arange(7) + i, "one": np.float32(i)}
    for i in range(3)
]


def write(folder, suffix, dtype="float32"):
    paths = []
    for i, model in enumerate(MODELS):
        path = folder / f"{i}{suffix}"
        state = model | {"w": model["w"].astype(dtype)}
        if suffix == ".pt":
            torch.save({name: torch.as_tensor(array) for name, array in state.items()}, path)
        else:
            np.savez(path, **state)
        paths.append(path)
    return paths


def flip(path, content):
    """Flip a bit in the middle of the first entry that holds these bytes."""
    data = bytearray(path.read_bytes())
    place = data.index(content) + len(content) // 2
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"weights": [0.5, 0.0, 0.5]}, {"buffer": "majority"}, {"n_jobs": 1}]
)
def test_a_flipped_bit_is_found(tmp_path, monkeypatch, suffix, dtype, options):
    monkeypatch.setattr(_engine, "_BLOCK", 1 << 17)  # several blocks
    paths = write(tmp_path, suffix, dtype)
    output = tmp_path / "average.npz"
    wa.average_checkpoints(paths, output, **options)
    output.unlink()
    flip(paths[2], MODELS[2]["w"].astype(dtype).tobytes())
    with pytest.raises(ValueError, match=rf"2{suffix} must hold what was written.*'w' with anoth"):
        wa.average_checkpoints(paths, output, **options)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}
    with pytest.raises(ValueError, match="another checksum"):
        wa.read_checkpoint(paths[2])


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_in_what_a_rule_reads_whole_and_in_its_base(tmp_path, suffix):
    paths = write(tmp_path, suffix)
    flip(paths[0], MODELS[0]["w"].astype("float32").tobytes())
    for rule, models, base in (("ties", paths[1:], paths[0]), ("slerp", paths[:2], None)):
        with pytest.raises(ValueError, match=rf"0{suffix} must hold what was written"):
            wa.merge_checkpoints(models, tmp_path / "merged.npz", rule=rule, base=base)


def test_in_tensors_that_are_copied(tmp_path):
    paths = write(tmp_path, ".npz")
    flip(paths[2], MODELS[2]["steps"].tobytes())
    with pytest.raises(ValueError, match="'steps' with another checksum"):
        wa.average_checkpoints(paths, tmp_path / "average.npz")
    wa.average_checkpoints(paths, tmp_path / "average.npz", newest="first")  # is not read


def test_files_without_checksums_are_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        paths = write(tmp_path, ".pt")
    finally:
        torch.serialization.set_crc32_options(True)
    wa.average_checkpoints(paths, tmp_path / "average.pt")
    average = torch.load(tmp_path / "average.pt")["w"]
    mean = np.mean([np.float32(model["w"]) for model in MODELS], axis=0, dtype=float)
    np.testing.assert_array_equal(average, np.float32(mean))


def test_infinities_are_read_twice_and_count_once(tmp_path):
    paths = []
    for i in range(2):
        mask = np.full((300, 300), -np.inf, np.float32)
        mask[0, 0] = i
        paths.append(tmp_path / f"{i}.npz")
        np.savez(paths[-1], mask=mask)
    wa.average_checkpoints(paths, tmp_path / "average.npz")
    assert np.load(tmp_path / "average.npz")["mask"][0, :2].tolist() == [0.5, -np.inf]


def test_views_and_tied_tensors_pass(tmp_path):
    paths = []
    for i in range(2):
        storage = torch.arange(100.0) + i
        state = {"a": storage[:40], "b": storage[40:].view(6, 10).T, "c": storage, "d": storage}
        paths.append(tmp_path / f"{i}.pt")
        torch.save(state, paths[-1])
    wa.average_checkpoints(paths, tmp_path / "average.pt")
    average = torch.load(tmp_path / "average.pt")
    torch.testing.assert_close(average["c"], torch.arange(100.0) + 0.5)
    torch.testing.assert_close(average["b"], (torch.arange(40.0, 100.0) + 0.5).view(6, 10).T)


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_in_tensors_of_another_order(tmp_path, suffix):
    paths = []
    for i in range(2):
        paths.append(tmp_path / f"{i}{suffix}")
        tensor = torch.arange(600.0).view(2, 30, 10).transpose(0, 2) + i
        if suffix == ".pt":
            torch.save({"w": tensor}, paths[-1])
        else:
            np.savez(paths[-1], w=tensor.numpy())
    output = tmp_path / "average.npz"
    wa.average_checkpoints(paths, output)
    averaged = np.load(output)["w"]
    flip(paths[1], (np.arange(600, dtype=np.float32) + 1).tobytes())
    with pytest.raises(ValueError, match=rf"1{suffix} must hold what was written"):
        wa.average_checkpoints(paths, output)
    with pytest.raises(ValueError, match=rf"1{suffix} must hold what was written"):
        wa.read_checkpoint(paths[1])
    expected = np.arange(600.0).reshape(2, 30, 10).T + 0.5
    np.testing.assert_array_equal(averaged, expected)


def test_blocks_are_held_back_until_their_tensor_is_whole(tmp_path):
    content = np.arange(5, dtype=np.float32).tobytes()
    path = tmp_path / "x"
    path.write_bytes(content)
    job = Job(
        "w",
        (5,),
        DTYPES["F32"],
        DTYPES["F32"],
        (Extent(path, 0, zlib.crc32(content)), Extent(path, 0)),
        ("a", "b"),
        np.ones(2),
        WeightedMean(),
    )
    turned = 0xFFFFFFFF
    parts = [zlib.crc32(part, turned) ^ turned for part in (content[:12], content[12:])]
    verified = _verified.Verified([job, job])
    assert verified.add(1, 2, parts[1]) == []
    assert verified.add(0, 3, parts[0]) == [0, 1]
    verified = _verified.Verified([job, job])
    verified.add(0, 3, parts[1])
    with pytest.raises(ValueError, match="stay as they are.*'w' with another checksum at first"):
        verified.add(1, 2, parts[0])
    path.write_bytes(content[::-1])
    verified = _verified.Verified([job, job])
    verified.add(0, 3, parts[1])
    with pytest.raises(ValueError, match="x must hold what was written to it.*'w'"):
        verified.add(1, 2, parts[0])


@pytest.mark.parametrize("n_files", [2, 3])
@pytest.mark.parametrize("equal", [True, False])
def test_files_with_the_same_damage_are_found(tmp_path, n_files, equal):
    paths = []
    for i in range(n_files):
        paths.append(tmp_path / f"{i}.npz")
        array = np.arange(1000.0) + (0 if equal else i)
        np.savez(paths[-1], w=array)
        flip(paths[-1], array.tobytes())
    with pytest.raises(ValueError, match=r"0.npz must hold what was written"):
        wa.average_checkpoints(paths, tmp_path / "average.npz")
    with pytest.raises(ValueError, match=r"0.npz must hold what was written"):
        wa.average_checkpoints(paths[:1] * 2, tmp_path / "average.npz")


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_no_flipped_byte_changes_an_average(tmp_path, suffix):
    state = {"w": torch.arange(6.0), "n": torch.tensor(3)}
    for i in range(2):
        path = tmp_path / f"{i}{suffix}"
        if suffix == ".pt":
            torch.save(state, path)
        else:
            np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    whole = path.read_bytes()
    ends = _descriptions(path)
    output = tmp_path / "average.npz"
    wa.average_checkpoints([tmp_path / f"0{suffix}", path], output)
    expected = output.read_bytes()
    for place in [*range(0, len(whole), 7), *ends]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        try:
            wa.average_checkpoints([tmp_path / f"0{suffix}", path], output)
        except ValueError:
            continue
        assert output.read_bytes() == expected, place


def _descriptions(path):
    """Return the bytes of a zip file that say where its entries are."""
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    size = struct.unpack("<L", path.read_bytes()[-10:-6])[0]
    return range(start, start + min(size, 200))

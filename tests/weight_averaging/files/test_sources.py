"""Any piece of a tensor is read, however its numbers lie."""

import io
import zipfile

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._sources import (
    Deflated,
    Extent,
    InMemory,
    OpenFiles,
    Strided,
    Tensor,
    Window,
)

NUMBERS = np.arange(60, dtype=np.float32)


@pytest.fixture
def files():
    with OpenFiles() as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(b"head" + NUMBERS.tobytes())
    return path


def read(source, start, n, files):
    out = np.empty(n, np.float32)
    source.read_into(start, out, files)
    return out


@pytest.mark.parametrize(("start", "n"), [(0, 60), (7, 13), (59, 1), (30, 0)])
def test_extent(path, files, start, n):
    np.testing.assert_array_equal(
        read(Extent(path, 4), start, n, files), NUMBERS[start : start + n]
    )


@pytest.mark.parametrize(("start", "n"), [(0, 60), (7, 13), (59, 1)])
@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_strided(path, files, start, n, axes):
    view = NUMBERS.reshape(3, 4, 5).transpose(axes)
    source = Strided(path, 4, view.shape, tuple(step // 4 for step in view.strides))
    expected = view.reshape(-1)[start : start + n]
    np.testing.assert_array_equal(read(source, start, n, files), expected)


def test_expanded(path, files):
    source = Strided(path, 4, (3, 4), (0, 1))
    np.testing.assert_array_equal(read(source, 2, 5, files), [2, 3, 0, 1, 2])


def test_deflated_pieces_in_any_order(tmp_path, files):
    path = tmp_path / "zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("numbers", b"head" + NUMBERS.tobytes())
    source = Deflated(path, "numbers", 4)
    for start, n in [(0, 10), (10, 20), (50, 10), (3, 4)]:
        np.testing.assert_array_equal(read(source, start, n, files), NUMBERS[start : start + n])


def test_damage_in_a_compressed_entry_is_found(tmp_path, files):
    path = tmp_path / "zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("numbers", np.random.default_rng(0).bytes(4000))
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"'numbers' that does not decompress"):
        read(Deflated(path, "numbers", 0), 0, 1000, files)


def test_in_memory(files):
    source = InMemory(NUMBERS.reshape(6, 10).T, "numbers")
    np.testing.assert_array_equal(read(source, 3, 5, files), [30, 40, 50, 1, 11])


def test_a_file_that_ends_too_early_is_named(path, files):
    with pytest.raises(ValueError, match=r"numbers ends too early: 8 more bytes"):
        read(Extent(path, 4), 50, 12, files)


def test_the_least_used_file_is_closed():
    closed = []

    class File:
        def __init__(self, name):
            self.name = name

        def close(self):
            closed.append(self.name)

    with OpenFiles(limit=2) as files:
        a = files.get("a", lambda: File("a"))
        files.get("b", lambda: File("b"))
        assert files.get("a", lambda: File("another")) is a
        files.get("c", lambda: File("c"))
        assert closed == ["b"]
    assert sorted(closed) == ["a", "b", "c"]


def test_a_tensor_is_read_as_an_array(path):
    tensor = Tensor(DTYPES["F32"], (6, 10), Extent(path, 4))
    np.testing.assert_array_equal(np.asarray(tensor), NUMBERS.reshape(6, 10), strict=True)
    assert np.asarray(tensor, np.float64).dtype == np.float64
    assert (tensor.size, tensor.nbytes) == (60, 240)
    half = Tensor(DTYPES["BF16"], (2, 60), Extent(path, 4))
    assert np.asarray(half).dtype == np.float32  # numpy has no bfloat16


def test_equal_places_are_tied(path):
    one, other = (Tensor(DTYPES["F32"], (60,), Extent(path, 4)) for _ in range(2))
    assert one == other
    assert one != Tensor(DTYPES["F32"], (6, 10), Extent(path, 4))
    assert len({one, other}) == 1


def test_a_window_is_a_file(tmp_path):
    path = tmp_path / "outer"
    path.write_bytes(b"..........")
    with open(path, "r+b", buffering=0) as file:
        new = Window(file, 4)
        new.write(b"abcdef")
        new.seek(-2, io.SEEK_END)
        assert (new.tell(), new.read(10)) == (4, b"ef")
        new.truncate(3)
        new.seek(1)
        new.seek(1, io.SEEK_CUR)
        assert new.read(5) == b"c"
    assert path.read_bytes() == b"....abc"
    with Window(open(path, "rb", buffering=0), 1, 4) as part:
        assert not part.writable()
        assert part.read() == b"...a"
        assert part.seek(0, io.SEEK_END) == 4
        assert part.read(1) == b""

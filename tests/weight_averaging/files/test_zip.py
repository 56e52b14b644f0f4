"""Zip files are written so that others read them, and read in place."""

import struct
import zipfile
import zlib

import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._zip import NewEntry, _end_records, entries, plan_zip


def write(path, new, contents):
    """Write a planned file, with the bytes of its tensors."""
    plan = plan_zip(new)
    plan.create(path)
    with open(path, "r+b") as file:
        for name, place in plan.places.items():
            file.seek(place)
            file.write(contents[name])
    return plan, plan.finish(path, {name: zlib.crc32(c) for name, c in contents.items()})


def test_others_read_what_is_written(tmp_path):
    path = tmp_path / "new.zip"
    slot = Slot("w", DTYPES["U8"], (1000,))
    new = [NewEntry("a/ü.txt", b"hello"), NewEntry("data/w", b"header", slot), NewEntry("empty")]
    numbers = bytes(range(250)) * 4
    plan, crc = write(path, new, {"w": numbers})
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("a/ü.txt") == b"hello"
        assert archive.read("data/w") == b"header" + numbers
        assert archive.namelist() == ["a/ü.txt", "data/w", "empty"]
    assert crc == zlib.crc32(path.read_bytes())
    assert path.stat().st_size == plan.size


def test_content_begins_at_multiples_of_64(tmp_path):
    path = tmp_path / "new.zip"
    write(path, [NewEntry("abc", b"1"), NewEntry("some/longer/name", b"22")], {})
    found = entries(path)
    assert [entry.offset % 64 for entry in found.values()] == [0, 0]
    assert found["some/longer/name"].read(path) == b"22"
    with open(path, "rb") as file:
        file.seek(found["some/longer/name"].offset)
        assert file.read(2) == b"22"


def test_a_damaged_description_is_found(tmp_path):
    path = tmp_path / "new.zip"
    write(path, [NewEntry("abc", b"content")], {})
    found = entries(path)
    path.write_bytes(path.read_bytes().replace(b"content", b"conteXt"))
    with pytest.raises(ValueError, match=r"'abc' with another checksum"):
        found["abc"].read(path)


def test_large_files_have_zip64_fields(tmp_path):
    # A sparse file, whose second entry begins beyond 4 GiB.
    path = tmp_path / "large.zip"
    size = (1 << 32) + 5
    new = [NewEntry("large", slot=Slot("large", DTYPES["U8"], (size,))), NewEntry("small", b"end")]
    plan = plan_zip(new)
    with open(path, "wb") as file:
        file.truncate(plan.size)
    plan.finish(path, {"large": 0})
    found = entries(path)
    assert found["large"].size == size
    assert found["small"].offset > 1 << 32
    assert found["small"].read(path) == b"end"


def test_many_entries_have_zip64_fields():
    end = _end_records(70_000, 1000, 2000)
    signature, *fields = struct.unpack_from("<4sQ2H2L4Q", end)
    assert signature == b"PK\x06\x06"
    assert fields[-4:] == [70_000, 70_000, 2000, 1000]
    assert struct.unpack_from("<4sLQL", end, 56) == (b"PK\x06\x07", 0, 3000, 1)
    assert end[76:] == _end_records(0xFFFF, 1000, 2000)[76:]
    assert len(_end_records(70, 1000, 2000)) == 22


def test_compressed_entries_are_known(tmp_path):
    path = tmp_path / "compressed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1000))
    entry = entries(path)["zeros"]
    assert entry.compressed
    assert entry.size == 1000
    assert entry.read(path) == bytes(1000)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "good.zip"
    write(path, [NewEntry("a", b"a" * 500), NewEntry("b", b"b" * 500)], {})
    content = path.read_bytes()
    for damaged in (content[:-30], content[: len(content) // 2], b"PK\x03\x04" + bytes(50)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"whole zip file"):
            entries(path)


def test_entries_that_reach_too_far_are_refused(tmp_path):
    path = tmp_path / "lies.zip"
    write(path, [NewEntry("a", b"a" * 500)], {})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<LL", content, central + 20, 5000, 5000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not where it should be"):
        entries(path)


def test_encrypted_entries_are_refused(tmp_path):
    path = tmp_path / "secret.zip"
    write(path, [NewEntry("a", b"a")], {})
    content = bytearray(path.read_bytes())
    for start, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(start) + at] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"encrypted"):
        entries(path)

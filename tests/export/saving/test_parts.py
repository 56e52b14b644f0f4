"""Tests of the parts beside the graph."""

import io

import numpy as np
import pytest

from stackens.export.saving._parts import PartReader, PartWriter


class Held:
    """An archive of parts in memory."""

    def __init__(self, **parts):
        self.parts = parts

    def read(self, name):
        return bytearray(self.parts[name])


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_parts_are_named_apart_and_written_when_asked_for():
    parts, written = PartWriter(), []
    names = [parts.add("arrays", "npy", written.append) for _ in range(2)]
    assert names == ["arrays/0.npy", "arrays/1.npy"]
    assert written == []
    for _, write in parts.files:
        write("file")
    assert written == ["file", "file"]


def test_an_array_is_read_and_its_part_counts_as_used():
    reader = PartReader(Held(a=npy(np.asfortranarray([[1, 2], [3, 4]]))), ())
    array = reader.array("a")
    assert array.tolist() == [[1, 2], [3, 4]]
    assert array.flags.f_contiguous
    assert reader.used == {"a"}


@pytest.mark.parametrize(
    "content",
    [
        npy(np.arange(5))[:-1],
        npy(np.arange(5)) + b"0",
        npy(np.array([1, "a"], dtype=object), allow_pickle=True),
        npy(np.arange(5)).replace(b"(5,)", b"(9,)"),
        npy(np.arange(5)).replace(b"(5,)", b"(-5)"),
        b"PK\x03\x04" + bytes(100),
        b"",
    ],
    ids=["short", "long", "objects", "other shape", "negative", "a zip", "empty"],
)
def test_what_is_no_array_of_numbers_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        PartReader(Held(a=content), ()).array("a")

"""A planned file is as long as it says, and its CRC-32 is that of its bytes."""

import zlib

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import FixedLayout, Slot, allocate


def test_pieces_and_tensors_make_the_file(tmp_path):
    path = tmp_path / "file"
    layout = FixedLayout(
        "file",
        12,
        {"b": 8, "a": 3, "empty": 8},
        {"a": 3, "b": 4, "empty": 0},
        lambda crcs: [(0, b"012"), (6, f"{len(crcs)}!".encode())],
    )
    layout.create(path)
    assert path.stat().st_size == 12
    with open(path, "r+b") as file:
        file.seek(3)
        file.write(b"aaa")
        file.seek(8)
        file.write(b"bbbb")
    crcs = {"a": zlib.crc32(b"aaa"), "b": zlib.crc32(b"bbbb"), "empty": 0}
    assert layout.finish(path, crcs) == zlib.crc32(b"012aaa3!bbbb")
    assert path.read_bytes() == b"012aaa3!bbbb"


def test_room_is_made_behind_what_is_there(tmp_path):
    path = tmp_path / "file"
    allocate(path, 0)
    assert path.read_bytes() == b""
    path.write_bytes(b"start")
    allocate(path, 8)
    assert path.read_bytes() == b"start\0\0\0"


def test_length_of_a_tensor():
    assert Slot("w", DTYPES["BF16"], (3, 4)).nbytes == 24
    assert Slot("w", DTYPES["F64"], ()).nbytes == 8

"""zip files without compression: where entries lie, and how to plan one (.pt, .npz, .keras)."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._layout import FixedLayout, Piece, Slot
from stackens.weight_averaging.files._sources import BROKEN_ZIP

__all__ = ["NewEntry", "ZipEntry", "entries", "plan_zip"]

_ALIGNMENT = 64  # bytes, as torch and numpy align arrays
_BIG = 0xFFFFFFFF  # sizes and offsets from here on stand in a ZIP64 field
_DATE = 0x21  # 1 January 1980: equal inputs give equal bytes


@dataclass(frozen=True)
class ZipEntry:
    """An entry of a zip file: where its bytes begin, and whether they are compressed.

    The checksum is None where the file has none: torch can be told to leave them out.
    """

    name: str
    offset: int
    size: int
    compressed: bool
    crc: int | None

    def read(self, path: Path) -> bytes:
        """Return all its bytes: for descriptions, not for tensors.

        Raises
        ------
        ValueError
            If they are not those that were written.
        """
        if self.compressed:
            try:
                with zipfile.ZipFile(path) as archive:
                    return archive.read(self.name)
            except BROKEN_ZIP as error:
                raise _broken(
                    path, f"an entry {self.name!r} that can't be read ({error})"
                ) from error
        with open(path, "rb") as file:  # zipfile would read the list of all entries again
            file.seek(self.offset)
            content = file.read(self.size)
        if self.crc is not None and zlib.crc32(content) != self.crc:
            raise _broken(path, f"an entry {self.name!r} with another checksum than it had")
        return content


def entries(path: Path) -> dict[str, ZipEntry]:
    """Return the entries of a zip file by name.

    Raises
    ------
    ValueError
        If the file is not a whole zip file, or an entry reaches over its end.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            end = archive.start_dir
            for info in archive.infolist():
                file.seek(info.header_offset)
                # The local header repeats the name, and has an extra field of another length.
                header = struct.unpack("<4s22xHH", file.read(30))
                offset = info.header_offset + 30 + header[1] + header[2]
                if header[0] != b"PK\x03\x04" or offset + info.compress_size > end:
                    raise ValueError(f"the entry {info.filename!r} is not where it should be")
                if info.flag_bits & 1:
                    raise ValueError(f"the entry {info.filename!r} is encrypted")
                compressed = info.compress_type != zipfile.ZIP_STORED
                if not compressed and info.compress_size != info.file_size:
                    raise ValueError(f"the entry {info.filename!r} has two sizes")
                found[info.filename] = ZipEntry(
                    info.filename, offset, info.file_size, compressed, info.CRC or None
                )
    except (*BROKEN_ZIP, ValueError, OSError) as error:  # OSError: an offset that can't be
        raise _broken(path, f"one that can't be read ({error})") from error
    return found


def _broken(path: Path, found: str) -> ValueError:
    return ValueError(
        f"{path} must be a whole zip file. Got {found}: it was cut short or is damaged. Write or "
        "fetch it again."
    )


@dataclass(frozen=True)
class NewEntry:
    """An entry to be written: some bytes, then the numbers of a tensor, or only one of the two."""

    name: str
    content: bytes = b""
    slot: Slot | None = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.content) + (self.slot.nbytes if self.slot else 0)

    def crc(self, crcs: Mapping[str, int]) -> int:
        """Return the CRC-32, given those of the tensors."""
        parts = [(zlib.crc32(self.content), len(self.content))]
        if self.slot:
            parts.append((crcs[self.slot.name], self.slot.nbytes))
        return crc32_of_parts(parts)


def plan_zip(new_entries: Sequence[NewEntry], *, name: str = "") -> FixedLayout:
    """Plan a zip file whose entries are stored as they are, each beginning at a multiple of 64."""
    starts, places, n_bytes, end = [], {}, {}, 0
    for entry in new_entries:
        starts.append(end)
        end += len(_local_header(entry, end, 0))
        if entry.slot:
            places[entry.slot.name] = end + len(entry.content)
            n_bytes[entry.slot.name] = entry.slot.nbytes
        end += entry.size
    directory = end

    def pieces(crcs: Mapping[str, int]) -> list[Piece]:
        found, listed = [], []
        for entry, start in zip(new_entries, starts, strict=True):
            crc = entry.crc(crcs)
            found.append((start, _local_header(entry, start, crc) + entry.content))
            listed.append(_central_header(entry, start, crc))
        listing = b"".join(listed)
        end = _end_records(len(new_entries), directory, len(listing))
        return [*found, (directory, listing + end)]

    no_crcs = dict.fromkeys(places, 0)
    size = directory + len(pieces(no_crcs)[-1][1])
    return FixedLayout(name, size, places, n_bytes, pieces)


def _fields(entry: NewEntry, crc: int, big: bool) -> tuple[int, ...]:
    """Return version needed, flags (names in UTF-8), method, time, date, CRC, and sizes."""
    size = _BIG if entry.size >= _BIG else entry.size
    return 45 if big else 20, 0x800, 0, 0, _DATE, crc, size, size, len(entry.name.encode())


def _local_header(entry: NewEntry, start: int, crc: int) -> bytes:
    big = entry.size >= _BIG
    sizes = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if big else b""
    name = entry.name.encode()
    # An extra field of zeros, under the label that torch uses, moves the content to where it should
    # begin.
    padding = -(start + 30 + len(name) + len(sizes) + 4) % _ALIGNMENT
    extra = sizes + struct.pack("<2sH", b"FB", padding) + bytes(padding)
    fields = _fields(entry, crc, big)
    return struct.pack("<4s5H3I2H", b"PK\x03\x04", *fields, len(extra)) + name + extra


def _central_header(entry: NewEntry, start: int, crc: int) -> bytes:
    wide = [entry.size, entry.size] if entry.size >= _BIG else []
    wide += [start] if start >= _BIG else []
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    fields = _fields(entry, crc, bool(wide))
    rest = (len(extra), 0, 0, 0, 0, min(start, _BIG))  # no comment, one disk, no attributes
    header = struct.pack("<4sH5H3I2H3HLL", b"PK\x01\x02", fields[0], *fields, *rest)
    return header + entry.name.encode() + extra


def _end_records(n_entries: int, directory: int, size: int) -> bytes:
    """Return the end of the file; the ZIP64 form stands before it where a number needs it."""
    wide = b""
    if n_entries >= 0xFFFF or directory >= _BIG or size >= _BIG:
        counts = (n_entries, n_entries, size, directory)
        wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *counts)
        wide += struct.pack("<4sLQL", b"PK\x06\x07", 0, directory + size, 1)
    count = min(n_entries, 0xFFFF)
    end = (count, count, min(size, _BIG), min(directory, _BIG))
    return wide + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *end, 0)

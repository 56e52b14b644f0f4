"""An output file before its numbers: its length, the place of each tensor, what stands between."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._dtypes import DType

__all__ = ["FixedLayout", "OutputFile", "Piece", "Slot", "allocate", "sync"]

Piece = tuple[int, bytes]  # an offset, and the bytes that stand there


@dataclass(frozen=True)
class Slot:
    """A tensor to be written.

    Parameters
    ----------
    name : str
        Its name in the output.
    dtype : DType
    shape : tuple of int
    aliases : tuple of str
        Other names of the same tensor: tied weights.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    aliases: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that its numbers take."""
        return math.prod(self.shape) * self.dtype.itemsize


class OutputFile(Protocol):
    """What a format knows about a file that is about to be written."""

    @property
    def name(self) -> str:
        """File name in the output folder, or "" where the output is this one file."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def places(self) -> Mapping[str, int]:
        """Where the numbers of each tensor begin."""
        ...

    def create(self, path: Path) -> None:
        """Make the file with all its room. Nothing is at this path yet."""
        ...

    def finish(self, path: Path, crcs: Mapping[str, int]) -> int:
        """Write what is not numbers, given the CRC-32 of each tensor; return that of the file."""
        ...


@dataclass(frozen=True)
class FixedLayout:
    """A file of tensors with headers between: safetensors, and zip files without compression.

    Parameters
    ----------
    name : str
    size : int
    places : dict of str to int
    n_bytes : dict of str to int
        Length of each tensor.
    pieces : callable
        From the CRC-32 of each tensor to the headers and all else that stands between the tensors.
        Pieces and tensors cover the file without a gap.
    """

    name: str
    size: int
    places: Mapping[str, int]
    n_bytes: Mapping[str, int]
    pieces: Callable[[Mapping[str, int]], list[Piece]]

    def create(self, path: Path) -> None:
        allocate(path, self.size)

    def finish(self, path: Path, crcs: Mapping[str, int]) -> int:
        pieces = self.pieces(crcs)
        with open(path, "r+b") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
        parts = [(offset, zlib.crc32(content), len(content)) for offset, content in pieces]
        parts += [(place, crcs[name], self.n_bytes[name]) for name, place in self.places.items()]
        return crc32_of_parts((crc, size) for _, crc, size in sorted(parts))


def allocate(path: Path, size: int) -> None:
    """Make a file at least this long, with its room on the disk reserved where that can be done."""
    with open(path, "ab") as file:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def sync(path: Path) -> None:
    """Wait until a file is on the disk, or the names in a folder, where the system knows that."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

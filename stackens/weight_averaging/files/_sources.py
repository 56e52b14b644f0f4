"""Where the numbers of a tensor lie, and how any piece of them is read into a buffer."""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.files._dtypes import DType, widen

__all__ = [
    "BROKEN_ZIP",
    "Deflated",
    "DeflatedFortran",
    "Extent",
    "InMemory",
    "OpenFiles",
    "Source",
    "Strided",
    "Tensor",
    "Unread",
    "Window",
    "check_crc",
    "crc_of",
]

# What the standard library raises over a damaged zip file; an unknown method is damage too.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)

_CHUNK = 1 << 18  # numbers of a tensor that are read only for their checksum, at a time


class OpenFiles:
    """Open files of one thread, each with a position of its own; the least used is closed first.

    Reading is ``preadv``, or ``seek`` and ``readinto`` where the system has no such call.
    """

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._open: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, opener: Callable[[], Any]) -> Any:
        """Return what was opened under this key, or open it."""
        if key in self._open:
            self._open.move_to_end(key)
        else:
            if len(self._open) >= self._limit:
                self._open.popitem(last=False)[1].close()
            self._open[key] = opener()
        return self._open[key]

    def close(self, key: Hashable) -> None:
        """Let go of what was opened under this key."""
        self._open.pop(key).close()

    def read_into(self, path: Path, offset: int, out: NDArray) -> None:
        """Fill a contiguous array with the bytes at an offset of a file."""
        file = self.get(path, lambda: path.open("rb", buffering=0))
        view = out.view(np.uint8).data
        if hasattr(os, "preadv"):  # one call, in which other threads can run
            count = os.preadv(file.fileno(), [view], offset)
            view, offset = view[count:], offset + count
        if view:
            file.seek(offset)
            _fill(file, view, path)

    def __enter__(self) -> OpenFiles:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.popitem()[1].close()


def _fill(file: Any, view: memoryview, path: Path) -> None:
    """Read until the memory is full."""
    while view:
        count = file.readinto(view)
        if not count:
            raise ValueError(
                f"{path} ends too early: {len(view)} more bytes were expected. It was cut short or "
                "changed while it was read. Write or fetch it again."
            )
        view = view[count:]


class Source(Protocol):
    """Numbers of a tensor, in C order. Two names with equal sources are tied weights."""

    @property
    def in_order(self) -> bool:
        """Whether pieces should be read one after another, because skipping is slow."""
        ...

    @property
    def crc(self) -> int | None:
        """The CRC-32 of all its bytes, where the file states it."""
        ...

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        """Fill a flat array with the numbers from ``start`` on."""
        ...


@dataclass(frozen=True)
class Extent:
    """Numbers that lie as they are, in one piece, at an offset of a file.

    Parameters
    ----------
    path : Path
    offset : int
    crc : int or None, default=None
        The CRC-32 that all of them should have, where the file says it.
    """

    path: Path
    offset: int
    crc: int | None = None
    in_order = False

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        files.read_into(self.path, self.offset + start * out.itemsize, out)


def crc_of(source: Source, size: int, dtype: np.dtype, files: OpenFiles) -> int:
    """Read a whole tensor piece by piece, and return the CRC-32 of its bytes."""
    buffer, crc = np.empty(min(size, _CHUNK), dtype), 0
    for start in range(0, size, _CHUNK):
        piece = buffer[: size - start]
        source.read_into(start, piece, files)
        crc = zlib.crc32(piece.view(np.uint8).data, crc)
    return crc


def check_crc(source: Source, crc: int, name: str = "") -> None:
    """Raise a ValueError if what was read of a tensor is not what was written to its file."""
    if crc != source.crc:
        tensor = f"a tensor {name!r}" if name else "a tensor"
        raise ValueError(
            f"{getattr(source, 'path', 'A file')} must hold what was written to it. Got {tensor} "
            "with another checksum than the file states: it is damaged. Write or fetch it again."
        )


@dataclass(frozen=True)
class Strided:
    """A view that is not in C order: transposed, channels last, Fortran order, or expanded.

    Parameters
    ----------
    path : Path
    offset : int
        Bytes before the first number of the view.
    shape, strides : tuple of int
        As in numpy, but strides count numbers. None is negative.
    stored : Extent or None, default=None
        Its numbers in the order of the file, if that states a CRC-32 of just them. It is compared
        when the first number is read, since the order of reading is another one.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    stored: Extent | None = None
    in_order = False
    crc = None

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        if start == 0 and self.stored is not None:
            check_crc(self.stored, crc_of(self.stored, math.prod(self.shape), out.dtype, files))
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        stored = np.memmap(self.path, out.dtype, mode="r", offset=self.offset, shape=(last + 1,))
        view = np.ndarray(
            self.shape, out.dtype, stored, strides=[step * out.itemsize for step in self.strides]
        )
        out[:] = view.flat[start : start + len(out)]


@dataclass(frozen=True)
class Deflated:
    """Numbers in a compressed entry of a zip file, after some bytes of a header."""

    path: Path
    entry: str
    skip: int
    in_order = True
    crc = None

    def _open(self) -> Any:
        with zipfile.ZipFile(self.path) as archive:  # stays open as long as its entry
            return archive.open(self.entry)

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        try:
            stream = files.get((self.path, self.entry), self._open)
            stream.seek(self.skip + start * out.itemsize)
            _fill(stream, out.view(np.uint8).data, self.path)
        except BROKEN_ZIP as error:
            raise ValueError(
                f"{self.path} must be a whole file. Got an entry {self.entry!r} that does not "
                f"decompress ({error}). Write or fetch it again."
            ) from error


@dataclass(frozen=True)
class DeflatedFortran:
    """Numbers in a compressed entry in Fortran order, which is in memory while it is read."""

    stored: Deflated
    shape: tuple[int, ...]
    in_order = True
    crc = None

    @property
    def path(self) -> Path:
        return self.stored.path

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        def load() -> _Held:
            array = np.empty(math.prod(self.shape), out.dtype)
            self.stored.read_into(0, array, files)
            return _Held(array.reshape(self.shape[::-1]).T)

        out[:] = files.get(self, load).array.flat[start : start + len(out)]
        if start + len(out) == math.prod(self.shape):  # read to its end
            files.close(self)


@dataclass
class _Held:
    """An array among open files, let go of like them."""

    array: NDArray

    def close(self) -> None:
        del self.array


@dataclass(frozen=True)
class InMemory:
    """Numbers that are in memory already, because their file can't be read in place."""

    array: NDArray = field(compare=False)
    identity: Hashable
    in_order = False
    crc = None

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        out[:] = self.array.flat[start : start + len(out)]


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: its format, its shape and where its numbers are.

    ``numpy.asarray`` reads it whole, in a type that numpy knows.
    """

    dtype: DType
    shape: tuple[int, ...]
    source: Source

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that its numbers take."""
        return self.size * self.dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        raw = np.empty(self.size, self.dtype.storage)
        with OpenFiles() as files:
            self.source.read_into(0, raw, files)
        if self.source.crc is not None:
            check_crc(self.source, zlib.crc32(raw.view(np.uint8).data))
        array = widen(raw, self.dtype).reshape(self.shape)
        return array if dtype is None else array.astype(dtype)


class Unread:
    """In the place of numbers in a file that are not read, such as numpy arrays in a pickle."""

    def __init__(self, *args: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


class Window(io.RawIOBase):
    """A part of an open file, as a file: an HDF5 file inside a zip file.

    Parameters
    ----------
    file : unbuffered binary file
    offset : int
        Where the part begins.
    size : int or None
        Its length in bytes, or None for one that is still being written and grows.
    """

    def __init__(self, file: Any, offset: int, size: int | None = None) -> None:
        self._file, self._offset, self._size = file, offset, size
        self._position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self._size is None

    def _length(self) -> int:
        if self._size is not None:
            return self._size
        return max(0, self._file.seek(0, io.SEEK_END) - self._offset)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: None}[whence]
        self._position = offset + (self._length() if start is None else start)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._size is not None:
            view = view[: max(0, self._size - self._position)]
        self._file.seek(self._offset + self._position)
        count = self._file.readinto(view)
        self._position += count
        return count

    def write(self, buffer: Any) -> int:
        self._file.seek(self._offset + self._position)
        count = self._file.write(buffer)
        self._position += count
        return count

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        self._file.truncate(self._offset + size)
        return size

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

"""The parts of a file beside the graph: arrays, tensors and boosters, each in its own format."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from typing import Any, BinaryIO

import numpy as np

from stackens._core._optional import require
from stackens.export.saving._archive import Archive

__all__ = ["PartReader", "PartWriter"]


class PartWriter:
    """Collects what is to be written beside the graph; nothing is copied until it is written.

    Attributes
    ----------
    files : list of (str, callable)
        Name of each part, and what writes it to an open file.
    """

    def __init__(self) -> None:
        self.files: list[tuple[str, Callable[[BinaryIO], object]]] = []

    def add(self, folder: str, ending: str, write: Callable[[BinaryIO], object]) -> str:
        """Add a part and return its name."""
        name = f"{folder}/{len(self.files)}.{ending}"
        self.files.append((name, write))
        return name


class PartReader:
    """Reads parts from an open archive.

    Parameters
    ----------
    archive : Archive
    trusted : collection of str
        Names of classes and functions outside the allowed ones that may be used.

    Attributes
    ----------
    used : set of str
        Parts that were read.
    shared : dict of int to object
        What stands in several places of the graph.
    """

    def __init__(self, archive: Archive, trusted: Collection[str]) -> None:
        self.trusted = frozenset(trusted)
        self.used: set[str] = set()
        self.shared: dict[int, Any] = {}
        self._archive = archive
        self._tensors: dict[str, Any] = {}

    def content(self, name: str) -> bytearray:
        """Return the bytes of a part, which are those that were written."""
        self.used.add(name)
        return self._archive.read(name)

    def array(self, name: str) -> np.ndarray:
        """Return an array of numbers; its memory is that of the part."""
        content = self.content(name)
        head = io.BytesIO(memoryview(content)[:65536])
        version = np.lib.format.read_magic(head)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, is_fortran, dtype = read[version](head)
        start = head.tell()
        count = int(np.prod(shape, dtype=object))
        if dtype.hasobject or len(content) - start != count * dtype.itemsize:
            raise ValueError(f"{name} does not hold the numbers that it announces")
        flat = np.frombuffer(content, dtype=dtype, count=count, offset=start)
        return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)

    def tensors(self, name: str) -> dict[str, Any]:
        """Return the tensors of a part by name, on the CPU."""
        if name not in self._tensors:
            purpose = "Loading a model with torch tensors"
            require("torch", extra="torch", purpose=purpose)
            safetensors = require("safetensors.torch", extra="torch", purpose=purpose)
            self._tensors[name] = safetensors.load(bytes(self.content(name)))
        return self._tensors[name]

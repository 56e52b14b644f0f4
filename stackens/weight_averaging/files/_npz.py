"""numpy's .npz files: zip files of arrays, stored as they are or compressed; plan one."""

from __future__ import annotations

import io
import math
import tokenize
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stackens.weight_averaging.files._checksum import crc32_of_rest
from stackens.weight_averaging.files._dtypes import by_name
from stackens.weight_averaging.files._layout import FixedLayout, Slot
from stackens.weight_averaging.files._sources import (
    Deflated,
    DeflatedFortran,
    Extent,
    OpenFiles,
    Source,
    Strided,
    Tensor,
)
from stackens.weight_averaging.files._zip import NewEntry, ZipEntry, entries, plan_zip

__all__ = ["is_npz", "plan_npz", "read_npz"]

_LONGEST_HEADER = 1 << 16  # bytes


def is_npz(names: Iterable[str]) -> bool:
    """Whether a zip file with these entries was written by numpy.savez."""
    names = list(names)
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_npz(path: Path) -> dict[str, Tensor]:
    """Return the arrays of a file by name, from their headers.

    Raises
    ------
    ValueError
        If the file is damaged, or an array holds objects, text or other things than numbers.
    """
    tensors = {}
    with OpenFiles() as files:
        for entry in entries(path).values():
            try:
                tensors[entry.name.removesuffix(".npy")] = _tensor(path, entry, files)
            except (ValueError, SyntaxError, tokenize.TokenError, KeyError) as error:
                raise ValueError(
                    f"{path} must hold arrays of numbers. Got {entry.name!r}, which can't be read "
                    f"({error}). Write or fetch it again, without such arrays."
                ) from error
    return tensors


def _tensor(path: Path, entry: ZipEntry, files: OpenFiles) -> Tensor:
    start = np.empty(min(entry.size, _LONGEST_HEADER), np.uint8)
    whole = _place(path, entry, 0)
    whole.read_into(0, start, files)
    file = io.BytesIO(start.tobytes())
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, stored = read_header(file)
    if stored.hasobject or (stored.byteorder == ">" and stored.itemsize > 1):
        raise ValueError(f"numbers of the type {stored}")
    dtype = by_name(stored.name)
    header = file.tell()
    if entry.size != header + math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{entry.size} bytes for shape {shape} of {dtype}")
    source: Source = _place(path, entry, header)
    if isinstance(source, Extent) and entry.crc is not None:
        begin = zlib.crc32(start[:header].data)
        crc = crc32_of_rest(entry.crc, begin, entry.size - header)
        source = Extent(source.path, source.offset, crc)
    if fortran and len(shape) > 1 and isinstance(source, Deflated):
        source = DeflatedFortran(source, shape)
    elif fortran and len(shape) > 1:
        strides = tuple(math.prod(shape[:axis]) for axis in range(len(shape)))
        extent = source if isinstance(source, Extent) and source.crc is not None else None
        source = Strided(path, entry.offset + header, shape, strides, extent)
    return Tensor(dtype, shape, source)


def _place(path: Path, entry: ZipEntry, skip: int) -> Deflated | Extent:
    if entry.compressed:
        return Deflated(path, entry.name, skip)
    return Extent(path, entry.offset + skip)


def plan_npz(slots: Iterable[Slot], *, name: str = "") -> FixedLayout:
    """Plan a file that ``numpy.load`` reads. Tied weights are written under each name.

    Raises
    ------
    ValueError
        If numpy does not know a dtype.
    """
    new = []
    for slot in slots:
        if not slot.dtype.native:
            raise ValueError(
                f".npz files hold the number formats of numpy. Got {slot.dtype} in {slot.name!r}. "
                "Pass dtype='float32', or write a .safetensors or .pt file."
            )
        header = io.BytesIO()
        description = np.lib.format.dtype_to_descr(slot.dtype.storage)
        fields = {"descr": description, "fortran_order": False, "shape": slot.shape}
        np.lib.format.write_array_header_1_0(header, fields)
        new.append(NewEntry(f"{slot.name}.npy", header.getvalue(), slot))
    return plan_zip(new, name=name)

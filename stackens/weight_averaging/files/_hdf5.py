"""HDF5 files, as Keras writes them: where the numbers lie, and a copy with room for others."""

from __future__ import annotations

import errno
import io
import math
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens._core._optional import require
from stackens.weight_averaging.files._dtypes import DTYPES, DType, by_name
from stackens.weight_averaging.files._layout import Slot, allocate
from stackens.weight_averaging.files._sources import Extent, OpenFiles, Source, Tensor, Window

__all__ = ["Hdf5File", "Hdf5Layout", "is_hdf5", "plan_hdf5", "read_hdf5"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPTIMIZER = ("optimizer", "optimizer_weights")  # groups of .weights.h5 and of whole models


def is_hdf5(start: bytes) -> bool:
    """Whether a file that starts with these bytes is an HDF5 file."""
    return start.startswith(b"\x89HDF\r\n\x1a\n")


@dataclass(frozen=True)
class Hdf5File:
    """An HDF5 file on disk, or inside another file.

    Parameters
    ----------
    path : Path
    offset : int
        Where it begins in the file.
    size : int or None
        Its length in bytes, None for a whole file.
    """

    path: Path
    offset: int = 0
    size: int | None = None

    def open(self) -> Any:
        """Open it for reading.

        Raises
        ------
        ValueError
            If it is damaged.
        """
        h5py = require("h5py", extra="keras", purpose=f"Reading {self.path.name}")
        with _damage_told(self.path):
            if self.size is None:
                return h5py.File(self.path, "r")
            raw = self.path.open("rb", buffering=0)
            return h5py.File(Window(raw, self.offset, self.size), "r")


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Say which file it was that the HDF5 library could not make sense of."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, TypeError) as error:  # what h5py raises over damage
        if isinstance(error, OSError) and error.errno in _FULL:  # while it is copied
            raise
        raise ValueError(
            f"{path} must hold a whole HDF5 file. Got one that can't be read ({error}): it was cut "
            "short or is damaged. Write or fetch it again."
        ) from error


def read_hdf5(file: Hdf5File) -> dict[str, Tensor]:
    """Return the weights in a file by the path of their data sets.

    The state of an optimizer is left out, and so is what is not numbers.

    Raises
    ------
    ValueError
        If the file is damaged, or keeps numbers in another file.
    """
    end = file.path.stat().st_size if file.size is None else file.offset + file.size
    tensors = {}
    with _damage_told(file.path), file.open() as opened:
        for name, dataset in _weights(opened):
            dtype = _dtype(dataset)
            if dtype is None:
                continue
            if dataset.external or dataset.is_virtual:
                raise ValueError(
                    f"{file.path} must hold its own numbers. Got {name!r}, whose numbers are in "
                    "another file. Copy them into one file."
                )
            size = math.prod(dataset.shape) * dtype.itemsize
            place = dataset.id.get_offset()
            source: Source = _Slabs(file, name, dataset.shape)
            if place is not None and dataset.dtype.str[0] != ">":
                source = Extent(file.path, file.offset + place)
                if file.offset + place + size > end:
                    raise ValueError(
                        f"{file.path} must be a whole file. Got {name!r}, which reaches over its "
                        "end. Write or fetch it again."
                    )
            tensors[name] = Tensor(dtype, tuple(dataset.shape), source)
    return tensors


def _weights(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the data sets by path, without following links to elsewhere."""
    h5py = require("h5py", extra="keras", purpose="Reading an HDF5 file")
    for name in group:
        path = f"{prefix}{name}"
        if path in _OPTIMIZER or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _weights(item, f"{path}/")
        elif isinstance(item, h5py.Dataset) and item.shape is not None:
            yield path, item


def _dtype(dataset: Any) -> DType | None:
    """Return the number format, None for text and the like."""
    try:
        if dataset.dtype.kind == "V" and dataset.attrs.get("dtype") == "bfloat16":  # Keras' way
            return DTYPES["BF16"]
        return by_name(dataset.dtype.newbyteorder("=").name)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Slabs:
    """Numbers that only the HDF5 library can read: in chunks, compressed, or not allocated."""

    file: Hdf5File
    name: str
    shape: tuple[int, ...]
    in_order = True
    crc = None

    def read_into(self, start: int, out: NDArray, files: OpenFiles) -> None:
        done = 0
        with _damage_told(self.file.path):
            dataset = files.get(self.file, self.file.open)[self.name]
            for selection, n in _slabs(self.shape, start, start + len(out)):
                values = np.asarray(dataset[selection])
                if values.dtype.kind == "V":
                    values = values.view(out.dtype)
                out[done : done + n] = values.reshape(-1)
                done += n


def _slabs(
    shape: tuple[int, ...], start: int, stop: int
) -> Iterator[tuple[tuple[int | slice, ...], int]]:
    """Cut a range of a flattened array into blocks of whole rows, each with its length."""
    if not shape:
        yield (), 1
        return
    row = math.prod(shape[1:])
    while start < stop:
        first, within = divmod(start, row)
        if within == 0 and stop - start >= row:
            n = (stop - start) // row
            yield (slice(first, first + n),), n * row
            start += n * row
        else:
            end = min(stop - first * row, row)
            for selection, n in _slabs(shape[1:], within, end):
                yield (first, *selection), n
            start = first * row + end


def layer_order(file: Hdf5File) -> list[str]:
    """Return the paths of the weights of a whole-model file in the order of its layers.

    Keras numbers the names of layers through a process, so that equal models have other names; it
    loads such files by order too. Empty for files of another kind.
    """
    with _damage_told(file.path), file.open() as opened:
        weights = opened.get("model_weights", opened)
        return [
            f"{weights.name}/{layer}/{weight}".strip("/")
            for layer in map(_as_text, weights.attrs.get("layer_names", ()))
            for weight in map(_as_text, weights[layer].attrs.get("weight_names", ()))
        ]


def _as_text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


# ---------------------------------------------------------------- writing


@dataclass(frozen=True)
class Hdf5Layout:
    """A copy of a file in which some data sets have room for other numbers, in one piece each.

    Compression is not kept. All else is copied, the optimizer's state included.

    Parameters
    ----------
    name : str
    size : int
    places : dict of str to int
    source : Hdf5File
    slots : dict of str to Slot
        Data sets to make room for, by path.
    """

    name: str
    size: int
    places: Mapping[str, int]
    source: Hdf5File
    slots: Mapping[str, Slot]

    def create(self, path: Path) -> None:
        self.write_frame(path, 0)
        allocate(path, self.size)

    def finish(self, path: Path, crcs: Mapping[str, int]) -> int:
        return crc32_of_file(path)

    def write_frame(self, path: Path, offset: int) -> None:
        """Write the file without the numbers at an offset of another file.

        Always through a `Window`: the library lays out files of other kinds in other ways.
        """
        h5py = require("h5py", extra="keras", purpose="Writing an HDF5 file")
        with (
            _damage_told(self.source.path),
            self.source.open() as old,
            open(path, "w+b", buffering=0) as file,
            h5py.File(Window(file, offset), "w") as new,
        ):
            _copy_group(old, new, self.slots, h5py)


def plan_hdf5(source: Hdf5File, slots: Iterable[Slot], *, name: str = "") -> Hdf5Layout:
    """Plan a file like another one, with other numbers in the data sets that slots name.

    Equal inputs give equal layouts, so the layout is found by writing it once, without numbers.

    Raises
    ------
    ValueError
        If HDF5 has no room for a dtype.
    """
    named = {slot.name: slot for slot in slots}
    for slot in named.values():
        if slot.dtype.code.startswith("F8"):
            raise ValueError(
                f"HDF5 files hold no {slot.dtype}. Got it in {slot.name!r}. Pass another dtype, or "
                "write a .safetensors or .pt file."
            )
    plan = Hdf5Layout(name, 0, {}, source, named)
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder, "frame.h5")
        plan.write_frame(frame, 0)
        with Hdf5File(frame).open() as opened:
            places = {path: opened[path].id.get_offset() or 0 for path in named}
        return replace(plan, size=frame.stat().st_size, places=places)


def _copy_group(old: Any, new: Any, slots: Mapping[str, Slot], h5py: Any) -> None:
    _copy_attributes(old, new)
    for name in old:
        link = old.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            new[name] = link
            continue
        item = old[name]
        slot = slots.get(item.name.strip("/"))
        if isinstance(item, h5py.Group):
            ordered = bool(item.id.get_create_plist().get_link_creation_order())
            group = new.create_group(name, track_order=ordered)
            _copy_group(item, group, slots, h5py)
        elif slot is None:
            old.copy(item, new, name)
        else:
            _make_room(new, name, slot, h5py)
            _copy_attributes(item, new[name])
            new[name].attrs.pop("dtype", None)
            if slot.dtype.code == "BF16":
                new[name].attrs["dtype"] = "bfloat16"


def _copy_attributes(old: Any, new: Any) -> None:
    for name, value in old.attrs.items():
        new.attrs.create(name, value, dtype=old.attrs.get_id(name).dtype)


def _make_room(group: Any, name: str, slot: Slot, h5py: Any) -> None:
    """Create a data set in one piece, at once, without writing to it."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    stored = np.dtype("V2") if slot.dtype.code == "BF16" else slot.dtype.storage
    kind, space = h5py.h5t.py_create(stored, logical=True), h5py.h5s.create_simple(slot.shape)
    h5py.h5d.create(group.id, name.encode(), kind, space, properties)


def crc32_of_file(path: Path, start: int = 0, size: int | None = None) -> int:
    """Return the CRC-32 of a file or a part of it."""
    crc, left = 0, math.inf if size is None else size
    with open(path, "rb") as file:
        file.seek(start)
        while left and (piece := file.read(int(min(left, io.DEFAULT_BUFFER_SIZE * 32)))):
            crc = zlib.crc32(piece, crc)
            left -= len(piece)
    return crc

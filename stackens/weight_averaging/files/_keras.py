"""Keras' .keras files: a zip file around the configuration and an HDF5 file of weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._hdf5 import Hdf5File, Hdf5Layout, crc32_of_file, plan_hdf5
from stackens.weight_averaging.files._layout import FixedLayout, Slot, allocate
from stackens.weight_averaging.files._zip import NewEntry, entries, plan_zip

__all__ = ["check_keras", "is_keras", "plan_keras", "weights_in_keras"]

_WEIGHTS = "model.weights.h5"


def is_keras(names: Iterable[str]) -> bool:
    """Whether a zip file with these entries was written by Keras 3."""
    return {"config.json", "metadata.json"} <= set(names)


def weights_in_keras(path: Path) -> Hdf5File:
    """Return the HDF5 file in a .keras file, in its place.

    Raises
    ------
    ValueError
        If there is none, or it is compressed or in several parts.
    """
    entry = entries(path).get(_WEIGHTS)
    if entry is None or entry.compressed:
        how = "none" if entry is None else "a compressed one"
        raise ValueError(
            f"{path} must hold {_WEIGHTS}, stored as it is. Got {how}. Save the model with Keras "
            "again, without max_shard_size."
        )
    return Hdf5File(path, entry.offset, entry.size)


def check_keras(path: Path) -> None:
    """Read the weights once, to see that they are what was written: HDF5 has no checksum.

    Raises
    ------
    ValueError
        If they have another checksum than the zip file around them states.
    """
    entry = entries(path).get(_WEIGHTS)
    if entry is None or entry.compressed or entry.crc is None:
        return
    if crc32_of_file(path, entry.offset, entry.size) != entry.crc:
        raise ValueError(
            f"{path} must hold what was written to it. Got {_WEIGHTS} with another checksum than "
            "the file states: it is damaged. Write or fetch it again."
        )


@dataclass(frozen=True)
class KerasLayout:
    """A .keras file like another one, with other weights.

    Parameters
    ----------
    archive : FixedLayout
        The zip file, in which the HDF5 file takes the place of a tensor.
    weights : Hdf5Layout
    """

    archive: FixedLayout
    weights: Hdf5Layout

    @property
    def name(self) -> str:
        return self.archive.name

    @property
    def size(self) -> int:
        return self.archive.size

    @property
    def places(self) -> Mapping[str, int]:
        start = self.archive.places[_WEIGHTS]
        return {name: start + place for name, place in self.weights.places.items()}

    def create(self, path: Path) -> None:
        self.weights.write_frame(path, self.archive.places[_WEIGHTS])
        allocate(path, self.size)

    def finish(self, path: Path, crcs: Mapping[str, int]) -> int:
        crc = crc32_of_file(path, self.archive.places[_WEIGHTS], self.weights.size)
        return self.archive.finish(path, {_WEIGHTS: crc})


def plan_keras(path: Path, slots: Iterable[Slot], *, name: str = "") -> KerasLayout:
    """Plan a file like the one at a path, with other numbers in the data sets that slots name."""
    weights = plan_hdf5(weights_in_keras(path), slots)
    new = []
    for entry in entries(path).values():
        if entry.name == _WEIGHTS:
            new.append(NewEntry(_WEIGHTS, slot=Slot(_WEIGHTS, DTYPES["U8"], (weights.size,))))
        else:
            new.append(NewEntry(entry.name, entry.read(path)))
    return KerasLayout(plan_zip(new, name=name), weights)

"""Tensors are believed when what was read of them has the checksum that their file states."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._mixed import Group, expected_crc, groups_of
from stackens.weight_averaging.files._sources import OpenFiles, check_crc

__all__ = ["Verified"]

_CHUNK = 1 << 20  # numbers


class Verified:
    """Holds blocks back until their whole tensor was read, and compares the checksums.

    Zip files (.npz, .pt) state the CRC-32 of each tensor that fills its entry. Other tensors pass.

    Parameters
    ----------
    jobs : sequence of Job
        The job of each block.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._parts: dict[Job, list[tuple[int, int, tuple[int, ...]]]] = {}
        self._left: dict[Job, int] = {}

    def add(self, number: int, length: int, crcs: tuple[int, ...]) -> list[int]:
        """Add a block that was computed, and return the blocks that may be believed now.

        Parameters
        ----------
        number : int
            Which block.
        length : int
            How many numbers of its tensor it has.
        crcs : tuple of int
            What `MixedCrcs` found for it.

        Raises
        ------
        ValueError
            If a file holds other numbers than were written to it.
        """
        job = self._jobs[number]
        if not crcs:
            return [number]
        self._parts.setdefault(job, []).append((number, length * job.dtype.itemsize, crcs))
        self._left[job] = self._left.get(job, job.size) - length
        if self._left[job]:
            return []
        parts = sorted(self._parts.pop(job))
        for place, group in enumerate(groups_of(job.read)):
            found = crc32_of_parts((crcs[place], n_bytes) for _, n_bytes, crcs in parts)
            if found != expected_crc(group, job.size * job.dtype.itemsize):
                _name_damage(group, job)
        return [number for number, _, _ in parts]


def _name_damage(group: Group, job: Job) -> None:
    """Read the tensors one by one, to say which file is not what was written."""
    buffer = np.empty(min(job.size, _CHUNK), job.dtype.storage)
    with OpenFiles() as files:
        for source in group:
            crc = 0
            for start in range(0, job.size, _CHUNK):
                piece = buffer[: min(_CHUNK, job.size - start)]
                source.read_into(start, piece, files)
                crc = zlib.crc32(piece.view(np.uint8).data, crc)
            check_crc(source, crc, job.name)
    raise ValueError(
        f"Checkpoints must stay as they are while they are read. Got {job.name!r} with another "
        "checksum at first. Run this again when they are complete."
    )

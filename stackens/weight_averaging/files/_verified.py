"""Tensors are believed when what was read of them has the checksum that their file states."""

from __future__ import annotations

from collections.abc import Sequence

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._sources import check_crc

__all__ = ["Verified"]

Part = tuple[int, int, tuple[int | None, ...]]  # number of a block, its length, CRC-32s read


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
        self._read: dict[Job, list[Part]] = {}
        self._left: dict[Job, int] = {}

    def add(self, number: int, length: int, crcs: tuple[int | None, ...]) -> list[int]:
        """Add a block that was computed, and return the blocks that may be believed now.

        Parameters
        ----------
        number : int
            Which block.
        length : int
            How many numbers of its tensor it has.
        crcs : tuple of int or None
            The CRC-32 of what was read of each of the job's inputs; None where nothing was.

        Raises
        ------
        ValueError
            If a file holds other numbers than were written to it.
        """
        job = self._jobs[number]
        if all(source.crc is None for source in job.inputs):
            return [number]
        parts = self._read.setdefault(job, [])
        parts.append((number, length, crcs))
        self._left[job] = self._left.get(job, job.size) - length
        if self._left[job]:
            return []
        parts.sort()
        for place, source in enumerate(job.inputs):
            read = [(crcs[place], length * job.dtype.itemsize) for _, length, crcs in parts]
            known = [(crc, n_bytes) for crc, n_bytes in read if crc is not None]
            if source.crc is not None and len(known) == len(read):
                check_crc(source, crc32_of_parts(known), job.name)
        return [number for number, _, _ in self._read.pop(job)]

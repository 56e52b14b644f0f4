"""Tensors are believed when what was read of them has the checksum that their file states."""

from __future__ import annotations

from collections.abc import Sequence

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._mixed import expected_crc, with_crc
from stackens.weight_averaging.files._sources import OpenFiles, check_crc, crc_of

__all__ = ["Verified"]


class Verified:
    """Holds blocks back until their whole tensor was read, and compares the checksums.

    Zip files (.npz, .pt) state the CRC-32 of each tensor that fills its entry. Other tensors pass;
    those in another order than C are compared by `Strided`.

    Parameters
    ----------
    jobs : sequence of Job
        The job of each block.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._parts: dict[Job, list[tuple[int, int, int]]] = {}
        self._left: dict[Job, int] = {}

    def add(self, number: int, length: int, crc: int | None) -> list[int]:
        """Add a block that was computed, and return the blocks that may be believed now.

        Parameters
        ----------
        number : int
            Which block.
        length : int
            How many numbers of its tensor it has.
        crc : int or None
            What `MixedCrc` found for it.

        Raises
        ------
        ValueError
            If a file holds other numbers than were written to it.
        """
        job = self._jobs[number]
        if crc is None:
            return [number]
        self._parts.setdefault(job, []).append((number, length * job.dtype.itemsize, crc))
        self._left[job] = self._left.get(job, job.size) - length
        if self._left[job]:
            return []
        parts = sorted(self._parts.pop(job))
        found = crc32_of_parts((crc, n_bytes) for _, n_bytes, crc in parts)
        if found != expected_crc(job.read, job.size * job.dtype.itemsize):
            _name_damage(job)
        return [number for number, _, _ in parts]


def _name_damage(job: Job) -> None:
    """Read the tensors one by one, to say which file is not what was written."""
    with OpenFiles() as files:
        for source in with_crc(job.read):
            check_crc(source, crc_of(source, job.size, job.dtype.storage, files), job.name)
    raise ValueError(
        f"Checkpoints must stay as they are while they are read. Got {job.name!r} with another "
        "checksum at first. Run this again when they are complete."
    )

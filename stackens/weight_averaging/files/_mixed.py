"""One checksum for many tensors: adding their bits up takes a fraction of the time of a CRC.

A CRC without the bits that zlib turns over at its start and end is linear: that of a bitwise sum
follows from those of its terms. Each tensor is added one byte later than the one before it, so
that the same damage in several files is not lost in the sum.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.files._checksum import crc32_of_parts, crc32_of_zeros
from stackens.weight_averaging.files._sources import Source

__all__ = ["MixedCrc", "expected_crc", "with_crc"]

_TURNED = 0xFFFFFFFF


def with_crc(sources: Sequence[Source]) -> list[Source]:
    """Return the tensors that state a CRC-32, each once."""
    return list({id(source): source for source in sources if source.crc is not None}.values())


def expected_crc(sources: Sequence[Source], n_bytes: int) -> int:
    """Return what `MixedCrc` finds for whole tensors of this length, by what each states."""
    zeros = crc32_of_zeros(n_bytes)
    return crc32_of_parts(((source.crc or 0) ^ zeros, 1) for source in with_crc(sources))


class MixedCrc:
    """The linear CRC-32 of the sum of tensors, read chunk by chunk, all from the same place.

    Parameters
    ----------
    sources : sequence of Source
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._shifts = {id(source): shift for shift, source in enumerate(with_crc(sources))}
        self._over = max(0, len(self._shifts) - 1)  # bytes that reach into the next chunk
        self._sum = np.zeros(self._over, np.uint8)
        self._crc = _TURNED
        self._seen: set[int] = set()

    def add(self, source: Source, numbers: NDArray) -> None:
        """Add what was read of a tensor; what is read again counts once."""
        shift = self._shifts.get(id(source))
        if shift is None or shift in self._seen:
            return
        self._seen.add(shift)
        bits = numbers.view(np.uint8)
        if len(self._sum) != len(bits) + self._over:
            longer = np.zeros(len(bits) + self._over, np.uint8)
            longer[: self._over] = self._sum[: self._over]
            self._sum = longer
        place = self._sum[shift : shift + len(bits)]
        np.bitwise_xor(place, bits, out=place)

    def end_chunk(self) -> None:
        """Go on to the next chunk."""
        end = len(self._sum) - self._over
        self._crc = zlib.crc32(self._sum[:end].data, self._crc)
        over = self._sum[end:].copy()
        self._sum.fill(0)
        self._sum[: self._over] = over
        self._seen.clear()

    def take(self) -> int | None:
        """Return the CRC-32 since this was last asked, or None if no tensor states one."""
        if not self._shifts:
            return None
        crc = zlib.crc32(self._sum[: self._over].data, self._crc) ^ _TURNED
        self._sum.fill(0)
        self._crc = _TURNED
        return crc

"""Checksums of many tensors at the price of little more than one.

A CRC is linear: that of the bitwise sum of tensors follows from those of the tensors. Adding bits
up takes a fraction of the time of a CRC, so only their sum gets one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import reduce
from operator import xor

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.files._checksum import crc32_of_zeros
from stackens.weight_averaging.files._sources import Source

__all__ = ["Group", "MixedCrcs", "expected_crc", "groups_of"]

Group = tuple[Source, ...]


def groups_of(sources: Sequence[Source]) -> list[Group]:
    """Group the tensors that state a CRC-32, so that no group has two that state the same.

    Equal tensors that are damaged alike would be nothing in a sum.
    """
    groups: list[dict[int, Source]] = []
    for source in dict.fromkeys(sources):
        if source.crc is None:
            continue
        group = next((g for g in groups if source.crc not in g), None)
        if group is None:
            groups.append(group := {})
        group[source.crc] = source
    return [tuple(group.values()) for group in groups]


def expected_crc(group: Group, n_bytes: int) -> int:
    """Return the CRC-32 of the sum of a group of tensors of this length, by what each states."""
    total = reduce(xor, (source.crc or 0 for source in group))
    return total if len(group) % 2 else total ^ crc32_of_zeros(n_bytes)


class MixedCrcs:
    """The CRC-32 of the sums of tensors that are read chunk by chunk, all from the same place.

    Parameters
    ----------
    sources : sequence of Source
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        groups = groups_of(sources)
        place = {source: place for place, group in enumerate(groups) for source in group}
        number = {source: i for i, source in enumerate(place)}  # equal ones have the same
        # Looked up once for each chunk of each tensor, where hashing paths would take long.
        self._known = {id(s): (number[s], place[s]) for s in sources if s in place}
        self._sums: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)] * len(groups)
        self._fresh = [True] * len(groups)
        self._crcs = [0] * len(groups)
        self._seen: set[int] = set()

    def add(self, source: Source, numbers: NDArray) -> None:
        """Add what was read of a tensor; what is read again counts once."""
        number, place = self._known.get(id(source), (-1, -1))
        if number < 0 or number in self._seen:
            return
        self._seen.add(number)
        bits = numbers.view(np.uint8)
        if len(self._sums[place]) != len(bits):
            self._sums[place] = np.empty(len(bits), np.uint8)
        if self._fresh[place]:
            np.copyto(self._sums[place], bits)
        else:
            np.bitwise_xor(self._sums[place], bits, out=self._sums[place])
        self._fresh[place] = False

    def end_chunk(self) -> None:
        """Go on to the next chunk."""
        for place, sums in enumerate(self._sums):
            self._crcs[place] = zlib.crc32(sums.data, self._crcs[place])
        self._fresh = [True] * len(self._sums)
        self._seen.clear()

    def take(self) -> tuple[int, ...]:
        """Return the CRC-32 of each group since this was last asked."""
        crcs, self._crcs = tuple(self._crcs), [0] * len(self._crcs)
        return crcs

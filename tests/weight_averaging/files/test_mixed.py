"""The checksum of a bitwise sum follows from those of its terms."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._mixed import MixedCrcs, expected_crc, groups_of
from stackens.weight_averaging.files._sources import Extent

RANDOM = np.random.default_rng(0)


def sources_of(arrays):
    return [Extent(Path(f"{i}"), 0, zlib.crc32(array)) for i, array in enumerate(arrays)]


@pytest.mark.parametrize("n_arrays", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, np.complex128])
def test_the_crc_of_a_sum(n_arrays, dtype):
    arrays = [RANDOM.bytes(np.dtype(dtype).itemsize * 1_001) for _ in range(n_arrays)]
    sources = sources_of(arrays)
    mixed, parts = MixedCrcs(sources), []
    for start, stop in ((0, 500), (500, 1_000), (1_000, 1_001)):
        for source, array in zip(sources, arrays, strict=True):
            mixed.add(source, np.frombuffer(array, dtype)[start:stop])
        mixed.add(sources[0], np.frombuffer(arrays[0], dtype)[start:stop])  # once more
        mixed.end_chunk()
        if stop != 500:
            (crc,) = mixed.take()
            parts.append((crc, stop * np.dtype(dtype).itemsize - sum(n for _, n in parts)))
    (group,) = groups_of(sources)
    assert crc32_of_parts(parts) == expected_crc(group, len(arrays[0]))


def test_equal_checksums_are_in_groups_of_their_own():
    path = Path("x")
    a, b, c = Extent(path, 0, 1), Extent(path, 1, 1), Extent(path, 2, 2)
    assert groups_of([a, b, c, Extent(path, 3), a]) == [(a, c), (b,)]
    assert groups_of([Extent(path, 0)]) == []


def test_what_states_none_is_left_out():
    known, unknown = Extent(Path("x"), 0, zlib.crc32(b"abcd")), Extent(Path("x"), 4)
    mixed = MixedCrcs([unknown, known])
    mixed.add(known, np.frombuffer(b"abcd", np.uint8))
    mixed.add(unknown, np.frombuffer(b"xxxx", np.uint8))
    mixed.end_chunk()
    assert mixed.take() == (zlib.crc32(b"abcd"),)
    assert MixedCrcs([unknown]).take() == ()

"""The checksum of a bitwise sum follows from those of its terms."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._mixed import MixedCrc, expected_crc, with_crc
from stackens.weight_averaging.files._sources import Extent

RANDOM = np.random.default_rng(0)


def sources_of(arrays):
    return [Extent(Path(f"{i}"), 0, zlib.crc32(array)) for i, array in enumerate(arrays)]


def found_crc(sources, arrays, dtype, blocks):
    """Read all block by block, each in two chunks, as a thread does."""
    mixed, parts = MixedCrc(sources), []
    for start, stop in blocks:
        half = (start + stop) // 2
        for chunk in (slice(start, half), slice(half, stop)):
            for source, array in zip(sources, arrays, strict=True):
                mixed.add(source, np.frombuffer(array, dtype)[chunk])
            mixed.add(sources[0], np.frombuffer(arrays[0], dtype)[chunk])  # once more
            mixed.end_chunk()
        parts.append((mixed.take(), (stop - start) * np.dtype(dtype).itemsize))
    return crc32_of_parts(parts)


BLOCKS = ((0, 500), (500, 1_000), (1_000, 1_002))


@pytest.mark.parametrize("n_arrays", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, np.complex128])
def test_the_crc_of_a_sum(n_arrays, dtype):
    n_bytes = np.dtype(dtype).itemsize * 1_002
    arrays = [RANDOM.bytes(n_bytes) for _ in range(n_arrays)]
    sources = sources_of(arrays)
    assert found_crc(sources, arrays, dtype, BLOCKS) == expected_crc(sources, n_bytes)


@pytest.mark.parametrize("equal", [False, True])
def test_the_same_damage_in_several_is_not_lost_in_the_sum(equal):
    arrays = [RANDOM.bytes(1_002) for _ in range(4)]
    arrays = [arrays[0]] * 4 if equal else arrays
    sources = sources_of(arrays)
    for damaged in ((0, 1), (1, 3), (0, 1, 2, 3)):
        others = list(arrays)
        for i in damaged:
            others[i] = bytes([*others[i][:501], others[i][501] ^ 0xFF, *others[i][502:]])
        assert found_crc(sources, others, np.uint8, BLOCKS) != expected_crc(sources, 1_002)


def test_what_states_none_is_left_out():
    known, unknown = Extent(Path("x"), 0, zlib.crc32(b"abcd")), Extent(Path("x"), 4)
    sources = [unknown, known, known]
    assert with_crc(sources) == [known]
    mixed = MixedCrc(sources)
    mixed.add(known, np.frombuffer(b"abcd", np.uint8))
    mixed.add(unknown, np.frombuffer(b"xxxx", np.uint8))
    mixed.end_chunk()
    assert mixed.take() == expected_crc(sources, 4)
    assert MixedCrc([unknown]).take() is None

"""Parts joined by arithmetic have the CRC-32 of the whole."""

import itertools
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files._checksum import (
    crc32_of_parts,
    crc32_of_rest,
    crc32_of_zeros,
)


@pytest.mark.parametrize("cuts", [[], [0], [1], [500, 500], [3, 64, 4096, 70_001]])
def test_parts_have_the_crc_of_the_whole(cuts):
    whole = np.random.default_rng(0).bytes(100_000)
    edges = [0, *cuts, len(whole)]
    parts = [whole[a:b] for a, b in itertools.pairwise(edges)]
    joined = crc32_of_parts((zlib.crc32(part), len(part)) for part in parts)
    assert joined == zlib.crc32(whole)


def test_no_parts():
    assert crc32_of_parts([]) == zlib.crc32(b"")


@pytest.mark.parametrize("cut", [0, 1, 128, 5_000])
def test_the_rest_and_zeros(cut):
    whole = np.random.default_rng(0).bytes(5_000)
    first, rest = whole[:cut], whole[cut:]
    found = crc32_of_rest(zlib.crc32(whole), zlib.crc32(first), len(rest))
    assert found == zlib.crc32(rest)
    assert crc32_of_zeros(cut) == zlib.crc32(bytes(cut))


def test_parts_longer_than_4_gb():
    # 6 GiB of zeros, in two ways of cutting.
    piece = 1 << 20
    crc = zlib.crc32(bytes(piece))
    third = crc32_of_parts([(crc, piece)] * 2048)
    assert crc32_of_parts([(third, 2048 * piece)] * 3) == crc32_of_parts([(crc, piece)] * 6144)

"""CRC-32 of a whole from the CRC-32 of its parts, so that threads can compute the parts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["crc32_of_parts", "crc32_of_rest", "crc32_of_zeros"]

_POLYNOMIAL = 0xEDB88320  # of zip, gzip and PNG, bits reversed: the highest bit is x^0
_ONE = 1 << 31


def crc32_of_parts(parts: Iterable[tuple[int, int]]) -> int:
    """Return what ``zlib.crc32`` of the joined parts would be.

    Parameters
    ----------
    parts : iterable of (crc, n_bytes)
        In order; ``crc`` is the ``zlib.crc32`` of each part.

    References
    ----------
    Adler, ``crc32_combine`` of zlib: a CRC is a remainder of polynomials over GF(2), so the CRC of
    what comes first is multiplied by x^(8 n_bytes) of what follows.
    """
    crc = 0
    for part, n_bytes in parts:
        crc = _times(_power(n_bytes), crc) ^ part
    return crc


def crc32_of_rest(whole: int, first: int, n_bytes: int) -> int:
    """Return the CRC-32 of the last ``n_bytes``, given those of the whole and of what is first."""
    return whole ^ _times(_power(n_bytes), first)


def crc32_of_zeros(n_bytes: int) -> int:
    """Return the CRC-32 of this many bytes that are all zero."""
    return _times(_power(n_bytes), 0xFFFFFFFF) ^ 0xFFFFFFFF


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo the polynomial of the CRC."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@lru_cache(maxsize=256)
def _power(n_bytes: int) -> int:
    """x^(8 n_bytes) by repeated squaring; most parts have the same few lengths."""
    result, square = _ONE, 1 << 23  # x^8
    while n_bytes:
        if n_bytes & 1:
            result = _times(square, result)
        square = _times(square, square)
        n_bytes >>= 1
    return result

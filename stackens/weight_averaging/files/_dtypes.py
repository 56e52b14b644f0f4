"""Number formats in files: their names and sizes, exact widening to double, one rounding back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DTYPES", "SCRATCH", "DType", "by_name", "round_into", "widen", "widen_into"]


@dataclass(frozen=True)
class DType:
    """A number format, under the name that safetensors gives it.

    Parameters
    ----------
    code : str
        Such as ``"BF16"``.
    name : str
        What numpy and torch call it, such as ``"bfloat16"``.
    storage : numpy.dtype
        How numpy sees the bytes: the format itself, or unsigned integers for those that numpy does
        not know (bfloat16 and the 8-bit floats).
    kind : {"float", "complex", "integer"}
        Integers (bool among them) are never averaged.
    """

    code: str
    name: str
    storage: np.dtype
    kind: str

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return self.storage.itemsize

    @property
    def native(self) -> bool:
        """Whether numpy knows the format."""
        return self.storage.name == self.name

    def __str__(self) -> str:
        return self.name


_TABLE = (
    ("F64", "float64", "<f8", "float"),
    ("F32", "float32", "<f4", "float"),
    ("F16", "float16", "<f2", "float"),
    ("BF16", "bfloat16", "<u2", "float"),
    ("F8_E4M3", "float8_e4m3fn", "<u1", "float"),
    ("F8_E5M2", "float8_e5m2", "<u1", "float"),
    ("C64", "complex64", "<c8", "complex"),
    ("C128", "complex128", "<c16", "complex"),
    ("I64", "int64", "<i8", "integer"),
    ("I32", "int32", "<i4", "integer"),
    ("I16", "int16", "<i2", "integer"),
    ("I8", "int8", "<i1", "integer"),
    ("U64", "uint64", "<u8", "integer"),
    ("U32", "uint32", "<u4", "integer"),
    ("U16", "uint16", "<u2", "integer"),
    ("U8", "uint8", "<u1", "integer"),
    ("BOOL", "bool", "?", "integer"),
)
DTYPES = {code: DType(code, name, np.dtype(storage), kind) for code, name, storage, kind in _TABLE}
_BY_NAME = {dtype.name: dtype for dtype in DTYPES.values()}

# How many bits of the significand are stored, and the exponent of the smallest normal number.
_SHORT = {"BF16": (7, -126), "F8_E4M3": (3, -6), "F8_E5M2": (2, -14)}

# Shifted to where a float32 has its exponent, the pattern of a float16 is the number over 2^112.
_HALF_BITS = np.int32(-0x70002000)  # 0x8FFFE000: one sign, the exponent and the fraction
_HALF_SCALE = np.float32(2.0**112)
_HALF_SMALLEST = np.float32(2.0**-136)  # the smallest float16 over 2^112, subnormal in float32

_PIECE = 1 << 15  # numbers rounded at a time, so that what is computed on the way stays in cache
SCRATCH = 3 * _PIECE  # numbers of memory that rounding to bfloat16 needs on the way


def by_name(dtype: Any) -> DType:
    """Return the format that is called so: a numpy or torch dtype, or a name in any spelling.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    name = name.removeprefix("torch.")
    found = DTYPES.get(name) or _BY_NAME.get(name) or _BY_NAME.get(f"{name}fn")
    if found is None:
        raise ValueError(
            f"The dtype must be one of {', '.join(_BY_NAME)}. Got {dtype!r}. Choose one of these."
        )
    return found


@lru_cache
def _decoded(code: str) -> NDArray[np.float64]:
    """All 256 values of an 8-bit format."""
    stored, smallest = _SHORT[code]
    bits = np.arange(256)
    exponent, fraction = (bits & 0x7F) >> stored, bits & ((1 << stored) - 1)
    significand = np.where(exponent > 0, fraction + (1 << stored), fraction)
    values = np.ldexp(significand.astype(float), np.maximum(exponent, 1) - 1 + smallest - stored)
    if code == "F8_E5M2":  # as in IEEE 754; E4M3 has no infinity and one NaN
        values = np.where(exponent == 31, np.where(fraction == 0, np.inf, np.nan), values)
    else:
        values[bits & 0x7F == 0x7F] = np.nan
    return np.where(bits >= 128, -values, values)


def widen_into(raw: NDArray, dtype: DType, out: NDArray[np.float64], scratch: NDArray) -> None:
    """Write stored numbers as doubles, exactly. A complex number counts as two.

    Parameters
    ----------
    raw : array of dtype.storage
    dtype : DType
    out : array of float64
    scratch : array of uint32
        Memory to work in, at least as long as ``raw``: asking for it each time costs more than the
        work.
    """
    if dtype.code == "BF16":  # the upper half of a float32
        bits = scratch[: raw.size].reshape(raw.shape)
        np.copyto(bits, raw)
        np.left_shift(bits, 16, out=bits)
        np.copyto(out, bits.view(np.float32))
    elif dtype.code == "F16":
        _float16_into(raw, out, scratch)
    elif dtype.code in _SHORT:
        np.take(_decoded(dtype.code), raw, out=out, mode="clip")
    elif dtype.kind == "complex":
        np.copyto(out, raw.view(raw.real.dtype))
    else:
        np.copyto(out, raw)


def _float16_into(raw: NDArray, out: NDArray[np.float64], scratch: NDArray) -> None:
    """Write float16 as doubles; numpy converts one by one, which takes twice as long."""
    bits = scratch[: raw.size].view(np.int32)
    np.copyto(bits.reshape(raw.shape), raw.view(np.int16))  # copies the sign upwards
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _HALF_BITS, out=bits)
    values = bits.view(np.float32)
    np.multiply(values, _HALF_SCALE, out=values)
    # Infinity and NaN come out as 2^16 and more; and a program may have told the processor to take
    # subnormal numbers for zero.
    exact = np.dot(values, values) < 2.0**32 and _HALF_SMALLEST * _HALF_SCALE == 2.0**-24
    np.copyto(out, values.reshape(raw.shape) if exact else raw)


def widen(raw: NDArray, dtype: DType) -> NDArray:
    """Return stored numbers as they are if numpy knows the format, else as float32, exactly."""
    if dtype.native:
        return raw
    if dtype.code == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return _decoded(dtype.code).astype(np.float32)[raw]


def round_into(values: NDArray, dtype: DType, out: NDArray, scratch: NDArray) -> None:
    """Round numbers once, ties to even, and write them as the format stores them.

    Parameters
    ----------
    values : array of float32, float64, complex64 or complex128
        A complex number may also come as two real ones.
    dtype : DType
    out : array of dtype.storage
    scratch : array of uint32
        Memory to work in, at least ``SCRATCH`` numbers; only bfloat16 needs it.

    Raises
    ------
    FloatingPointError
        If a finite number is too large for the format.
    """
    with np.errstate(over="raise", invalid="ignore"):
        if dtype.code not in _SHORT:
            pairs = dtype.kind == "complex" and values.dtype.kind != "c"
            np.copyto(out.view(out.real.dtype) if pairs else out, values, casting="unsafe")
            return
        for start in range(0, len(values), _PIECE):
            piece = values[start : start + _PIECE].astype(np.float64, copy=False)
            if dtype.code == "BF16":
                _bfloat16_into(piece, out[start : start + _PIECE], scratch)
            else:
                rounded = _nearest_short(piece, *_SHORT[dtype.code])
                out[start : start + _PIECE] = _encoded(rounded, dtype.code)


def _bfloat16_into(values: NDArray[np.float64], out: NDArray, scratch: NDArray) -> None:
    """Write the patterns of doubles, rounded by way of float32 where that is the same."""
    bits, patterns, low = scratch[: 3 * len(values)].reshape(3, -1)
    nearest = bits.view(np.float32)
    np.copyto(nearest, values, casting="same_kind")
    np.right_shift(bits, 16, out=patterns)
    np.bitwise_and(patterns, 1, out=patterns)
    np.add(patterns, 0x7FFF, out=patterns)
    np.add(patterns, bits, out=patterns)
    np.right_shift(patterns, 16, out=patterns)
    np.copyto(out, patterns, casting="unsafe")
    # Halfway between two patterns, a float32 must be the double, else it does not say on which
    # side the double was.
    np.left_shift(bits, 16, out=low)
    unsure = np.flatnonzero(low == 0x80000000)
    unsure = unsure[nearest[unsure] != values[unsure]]
    # Infinity or NaN may be new, but not where the sum of squares is far from those.
    if not np.dot(values, values) < 2.0**255:
        unsure = np.append(unsure, np.flatnonzero(~(np.abs(values) < 2.0**127)))
    if len(unsure):
        exact = _nearest_short(values[unsure], *_SHORT["BF16"])
        out[unsure] = exact.astype(np.float32).view(np.uint32) >> 16


def _nearest_short(values: NDArray[np.float64], stored: int, smallest: int) -> NDArray[np.float64]:
    """Round doubles to so many stored bits of the significand, ties to even.

    Adding half a unit of the last bit to the pattern of a double carries into the exponent where
    it should; below the smallest normal number the unit no longer shrinks.
    """
    bits, drop = values.view(np.uint64), 52 - stored
    patterns = bits >> np.uint64(drop)
    patterns &= np.uint64(1)
    patterns += np.uint64((1 << (drop - 1)) - 1)
    patterns += bits
    patterns &= np.uint64((1 << 64) - (1 << drop))
    rounded = patterns.view(np.float64)
    odd = ~(np.abs(values) >= 2.0**smallest)  # zero and NaN too
    if odd.any():
        unit = 2.0 ** (smallest - stored)
        rounded[odd] = np.rint(values[odd] / unit) * unit
    return rounded


@lru_cache
def _magnitudes(code: str) -> NDArray[np.float64]:
    """Return the finite values of an 8-bit format from zero up; the position is the pattern."""
    values = _decoded(code)[:128]
    return values[np.isfinite(values)]


def _encoded(rounded: NDArray[np.float64], code: str) -> NDArray[np.uint8]:
    """Return the patterns of numbers that an 8-bit format holds exactly."""
    magnitudes = _magnitudes(code)
    size = np.abs(rounded)
    if (np.isfinite(size) & (size > magnitudes[-1])).any():
        raise FloatingPointError(f"overflow in {code}")
    pattern = np.searchsorted(magnitudes, size).astype(np.uint8)
    pattern[np.isinf(size)] = 0x7C if code == "F8_E5M2" else 0x7F
    pattern[np.isnan(size)] = 0x7F
    pattern[np.signbit(rounded)] |= 0x80
    return pattern

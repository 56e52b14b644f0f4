"""Writes numbers, texts and arrays as C that reads back exactly, on every compiler."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from stackens.export.numpy._literals import wrapped

__all__ = ["array", "comment", "number", "text"]

_PACKED_FROM = 16_384  # numbers; compilers read long texts about thirty times as fast
_PIECE = 4_000  # bytes of a text: C99 promises 4,095, Microsoft's compiler takes 65,535
_C_TYPES = {"f8": "double", "f4": "float", "i4": "int32_t", "u4": "uint32_t"}


def number(value: float) -> str:
    """Write a double; whole numbers as such, others in hexadecimal, which loses nothing."""
    value = float(value)
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    if value.is_integer() and abs(value) < 1e6:
        return f"{value:.1f}"
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def text(value: str) -> str:
    r"""Write a text in UTF-8, for any compiler: all but plain letters are octal.

    Examples
    --------
    >>> print(text('5 "µm"?'))
    "\65 \42\302\265m\42\77"
    """
    data = np.frombuffer(value.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    pieces = [data[i : i + 500] for i in range(0, len(data), 500)] or [data]
    return " ".join(f'"{_written(piece).decode("ascii")}"' for piece in pieces)


def comment(value: str) -> str:
    """Write a text within a comment, which it cannot end, nor continue on the next line."""
    safe = value.replace("*/", "*\\/").replace("/*", "/\\*").replace("??", "? ?")
    return safe.encode("ascii", "backslashreplace").decode().replace("\n", "\\n")


def array(name: str, values: np.ndarray, c_type: str | None = None) -> str:
    """Declare a constant array; a long one as packed bytes.

    Parameters
    ----------
    name : str
    values : array of shape (n,)
        Of doubles, floats, 32-bit integers, or records of these.
    c_type : str, default=None
        The type's name, for records.
    """
    values = np.ascontiguousarray(values).ravel()
    c_type = c_type or _C_TYPES[values.dtype.str[1:]]
    if values.size == 0:
        values = np.zeros(1, dtype=values.dtype)  # C has no empty arrays
    if values.size >= _PACKED_FROM:
        return _packed(name, values, c_type)
    return f"static const {c_type} {name}[{values.size}] = {{\n{wrapped(_items(values))}\n}};\n"


def _items(values: np.ndarray) -> Iterable[str]:
    if values.dtype.names:
        columns = [_items(values[name]) for name in values.dtype.names]
        return (f"{{{', '.join(fields)}}}" for fields in zip(*columns, strict=True))
    if values.dtype.kind in "iu":
        suffix = "u" if values.dtype.kind == "u" else ""
        return (f"{value}{suffix}" for value in values.tolist())
    if values.dtype.itemsize == 4:
        return (_single(value) for value in values.tolist())
    return (number(value) for value in values.tolist())


def _single(value: float) -> str:
    return f"{number(value)}f" if math.isfinite(value) else f"(float){number(value)}"


def _packed(name: str, values: np.ndarray, c_type: str) -> str:
    """Write an array as texts that hold its bytes, in a union with the array."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    data = np.frombuffer(little.tobytes(), dtype=np.uint8)
    pieces = [data[i : i + _PIECE] for i in range(0, len(data), _PIECE)]
    lines = ",\n".join(f'"{_written(piece).decode("ascii")}"' for piece in pieces)
    return (
        "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != 1234\n"
        '#error "This file holds the bytes of numbers for little-endian processors."\n#endif\n'
        f"static const union {{ char bytes[{len(pieces)}][{_PIECE}]; {c_type} values"
        f"[{values.size}]; }} {name}_data = {{{{\n{lines}\n}}}};\n"
        f"#define {name} {name}_data.values\n"
    )


def _escapes() -> tuple[np.ndarray, np.ndarray]:
    r"""Return how each byte is written, and how long that is.

    Digits are escaped too, so that none can be read as a part of the escape before it; "?" because
    of trigraphs, "/" and "*" because a text may stand near a comment.
    """
    written = np.zeros((256, 4), dtype=np.uint8)
    for byte in range(256):
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?*/0123456789'
        letters = bytes([byte]) if plain else b"\\%o" % byte
        written[byte, : len(letters)] = list(letters)
    return written, written > 0


_WRITTEN, _IS_USED = _escapes()


def _written(data: np.ndarray) -> bytes:
    return _WRITTEN[data][_IS_USED[data]].tobytes()

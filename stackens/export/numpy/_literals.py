"""Writes numbers, texts and arrays as Python text that reads back exactly."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["array_literal", "literal", "sequence_literal", "wrapped"]

_FEW = 24  # numbers that are still readable as text
_LINE = 96
_TRIED = 1 << 13  # numbers


def literal(value: Any) -> str:
    """Write a text, number, boolean or None; infinities and NaN by the names ``inf`` and ``nan``.

    Parameters
    ----------
    value : object
        Numpy scalars are written as the Python values they stand for.
    """
    return repr(value.item() if isinstance(value, np.generic) else value)


def sequence_literal(values: Iterable[Any], ends: str = "[]") -> str:
    """Write values one after the other, on several lines where they are long."""
    texts = [literal(value) for value in values]
    line = ends[0] + ", ".join(texts) + ("," if ends == "()" and len(texts) == 1 else "") + ends[1]
    if len(line) < _LINE:
        return line
    return "\n".join([ends[0], wrapped(texts), ends[1]])


def array_literal(array: np.ndarray) -> str:
    """Write an array: a few numbers as such, others as compressed bytes."""
    if array.size <= _FEW and array.dtype.kind in "if":
        text = repr(array.tolist())
        dtype = "float" if array.dtype.kind == "f" else "np.int64"
        empty = f".reshape{array.shape}" if array.size == 0 else ""
        if len(text) < _LINE - 30:
            return f"np.array({text}, dtype={dtype}){empty}"
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    packed, in_planes = _packed(np.ascontiguousarray(little))
    last = ", in_planes=True" * in_planes
    return f'unpack("{little.dtype.str}", {array.shape}, """\n{_base64(packed)}\n"""{last})'


def _packed(array: np.ndarray) -> tuple[bytes, bool]:
    """Compress an array, by whole numbers or by planes of their bytes, as suits its beginning."""
    few = array.ravel()[:_TRIED]
    in_planes, as_it_is = _compressed(_planes(few)), _compressed(few.tobytes())
    better = len(in_planes) < len(as_it_is)
    if array.size <= _TRIED:
        return in_planes if better else as_it_is, better
    return _compressed(_planes(array) if better else array.tobytes()), better


def _compressed(data: bytes) -> bytes:
    # Effort 6 takes twice as long for one part in 300, and 9 forty times as long for one in 100.
    return zlib.compress(data, 4)


def _base64(data: bytes) -> str:
    """Write bytes as lines of text, which may be millions."""
    text = np.frombuffer(base64.b64encode(data), np.uint8)
    whole = len(text) // _LINE * _LINE
    lines = np.full((whole // _LINE, _LINE + 1), ord("\n"), np.uint8)
    lines[:, :_LINE] = text[:whole].reshape(-1, _LINE)
    return (lines.tobytes() + text[whole:].tobytes()).decode()


def _planes(array: np.ndarray) -> bytes:
    return np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.itemsize).T.tobytes()


def wrapped(texts: Iterable[str]) -> str:
    """Write texts with commas, on lines of a readable length."""
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > _LINE and line.strip():
            lines.append(line)
            line = "   "
        line += f" {text},"
    return "\n".join([*lines, line])

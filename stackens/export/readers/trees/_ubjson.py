"""Reads UBJSON, the binary form of XGBoost's models, in which arrays of numbers are blocks."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from stackens.exceptions import ExportError

__all__ = ["parse_ubjson"]

# Numbers of one type, the highest byte first.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"Z": None, "T": True, "F": False}


def parse_ubjson(data: bytes) -> Any:
    """Turn UBJSON into dicts, lists, text, numbers, and numpy arrays where a type is given.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    ExportError
        If the bytes hold what XGBoost does not write.
    """
    value, _ = _value(data, 0)
    return value


def _value(data: bytes, at: int) -> tuple[Any, int]:
    kind = chr(data[at])
    at += 1
    if kind in _NUMBERS:
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(data, dtype, 1, at)[0].item(), at + dtype.itemsize
    if kind == "S":
        return _text(data, at)
    if kind == "{":
        return _object(data, at)
    if kind == "[":
        return _array(data, at)
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    raise _unreadable(kind)


def _length(data: bytes, at: int) -> tuple[int, int]:
    if data[at : at + 1] == b"L":
        return struct.unpack_from(">q", data, at + 1)[0], at + 9
    return _value(data, at)


def _text(data: bytes, at: int) -> tuple[str, int]:
    n, at = _length(data, at)
    return data[at : at + n].decode(), at + n


def _object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while data[at : at + 1] != b"}":
        name, at = _text(data, at)
        found[name], at = _value(data, at)
    return found, at + 1


def _array(data: bytes, at: int) -> tuple[Any, int]:
    if data[at : at + 1] == b"$":
        kind = chr(data[at + 1])
        n, at = _length(data, at + 3)  # past "$", the type and "#"
        if kind not in _NUMBERS:
            raise _unreadable(kind)
        dtype = np.dtype(_NUMBERS[kind])
        numbers = np.frombuffer(data, dtype, n, at)
        return numbers.astype(dtype.newbyteorder("=")), at + n * dtype.itemsize
    items: list[Any] = []
    if data[at : at + 1] == b"#":
        n, at = _length(data, at + 1)
        for _ in range(n):
            item, at = _value(data, at)
            items.append(item)
        return items, at
    while data[at : at + 1] != b"]":
        item, at = _value(data, at)
        items.append(item)
    return items, at + 1


def _unreadable(kind: str) -> ExportError:
    return ExportError(
        f"An XGBoost model must hold the types that XGBoost 1.6 to 3 writes. Got {kind!r}. Save "
        "and load the model with one of these versions."
    )

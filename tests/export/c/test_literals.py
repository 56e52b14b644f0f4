"""Tests for C literals: what is written reads back as it was."""

import math
import re

import numpy as np
import pytest

from stackens.export.c import _literals
from stackens.export.c._literals import array, comment, number, text

NUMBERS = [0.1, -1 / 3, 1e300, 5e-324, -2.5e-310, 2.0**53 + 2, 1e6, 123456.0, 0.5, -7.0, 0.0]


def value_of(literal):
    """Read a C literal as a compiler does."""
    return float.fromhex(literal) if "x" in literal else float(literal)


def bytes_of(literals):
    """Read C string literals, one after the other, as a compiler does."""
    inside = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))
    pieces = re.findall(r"\\([0-7]{1,3})|(.)", inside)
    return bytes(int(octal, 8) if octal else ord(plain) for octal, plain in pieces)


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_are_exact(value):
    assert value_of(number(value)) == value
    assert "." in number(value) or "p" in number(value)  # never an integer in C


def test_special_numbers():
    assert math.copysign(1, value_of(number(-0.0))) == -1
    assert [number(v) for v in (np.inf, -np.inf, np.nan)] == ["INFINITY", "-INFINITY", "NAN"]


@pytest.mark.parametrize(
    "value", ["", "a", '"\\\n\t\0007', "??/", "*/", "żółw 東京", "\ud800", "x" * 5000]
)
def test_texts_are_exact(value):
    literal = text(value)
    assert literal.isascii()
    assert "\n" not in literal
    assert "??" not in literal
    assert "*/" not in literal
    assert bytes_of(literal) == value.encode("utf-8", "surrogatepass")
    assert max(map(len, literal.split(" "))) <= 2100  # a piece, for Microsoft's compiler


def test_comments_cannot_end():
    safe = comment("a */ b /* ??/\nc ü")
    assert "*/" not in safe
    assert "/*" not in safe
    assert "??" not in safe
    assert "\n" not in safe
    assert safe.isascii()


def test_short_arrays_are_readable():
    assert (
        array("a", np.array([1.0, 0.5])) == "static const double a[2] = {\n    1.0, 0x1p-1,\n};\n"
    )
    assert "float b[1] = {\n    0x1.99999ap-4f," in array("b", np.array([0.1], dtype=np.float32))
    assert "uint32_t c[1] = {\n    4294967295u," in array(
        "c", np.array([2**32 - 1], dtype=np.uint32)
    )


def test_c_has_no_empty_arrays():
    assert "a[1]" in array("a", np.empty(0))


def test_records():
    records = np.array([(0.5, 3), (1.0, -1)], dtype=[("x", "f8"), ("i", "i4")])
    assert "struct r a[2] = {\n    {0x1p-1, 3}, {1.0, -1},\n}" in array("a", records, "struct r")


def test_long_arrays_are_bytes(monkeypatch):
    monkeypatch.setattr(_literals, "_PACKED_FROM", 1000)
    values = np.random.default_rng(0).normal(size=1700)
    written = array("a", values)
    assert "char bytes[4][4000]; double values[1700];" in written
    assert "#define a a_data.values" in written
    body = written.split("= {{", 1)[1]
    assert bytes_of(body) == values.astype("<f8").tobytes()
    assert max(map(len, body.splitlines())) < 16_380

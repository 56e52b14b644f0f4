"""Tests for numbers, texts and arrays as Python text: what is read back is what was written."""

import math

import numpy as np
import pytest

from stackens.export.numpy._literals import array_literal, literal, sequence_literal
from stackens.export.numpy._steps import unpack

SCOPE = {"np": np, "inf": math.inf, "nan": math.nan, "unpack": unpack}


def read(text):
    return eval(text, dict(SCOPE))


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, math.inf, -math.inf, 3, True, None, 'q"\n'])
def test_literal(value):
    assert read(literal(value)) == value
    assert type(read(literal(value))) is type(value)
    assert math.isnan(read(literal(math.nan)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.float64(0.1), "0.1"), (np.int64(3), "3"), (np.str_("a"), "'a'"), (np.bool_(True), "True")],
)
def test_numpy_scalars_are_plain(value, text):
    assert literal(value) == text


@pytest.mark.parametrize("ends", ["[]", "()"])
@pytest.mark.parametrize("n", [0, 1, 2, 200])
def test_sequence_literal(ends, n):
    values = [i / 7 for i in range(n)]
    text = sequence_literal(values, ends)
    assert list(read(text)) == values
    assert isinstance(read(text), list if ends == "[]" else tuple)
    assert max(map(len, text.splitlines())) < 100


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u1", "?", ">f8"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (2, 3), (100, 31)])
def test_array_literal(dtype, shape):
    rng = np.random.default_rng(0)
    array = (rng.normal(size=shape) * 100).astype(dtype)
    read_back = read(array_literal(array))
    assert read_back.shape == shape
    np.testing.assert_array_equal(read_back, array)
    if array.dtype == np.float64:
        assert read_back.dtype == np.float64


def test_special_numbers_in_arrays():
    array = np.array([math.inf, -math.inf, math.nan, -0.0, 5e-324])
    for values in (array, np.tile(array, 20)):
        read_back = read(array_literal(values))
        np.testing.assert_array_equal(read_back, values)
        np.testing.assert_array_equal(np.signbit(read_back), np.signbit(values))


def test_bytes_go_where_they_compress_best():
    rng = np.random.default_rng(0)
    single = rng.normal(size=(50, 40)).astype(np.float32).astype(np.float64)
    few_values = rng.choice(rng.normal(size=9), size=(50, 40))
    for array, in_planes in [(single, True), (few_values, False)]:
        text = array_literal(array)
        assert ("in_planes=True" in text) == in_planes
        np.testing.assert_array_equal(read(text), array)
    assert len(array_literal(single)) < 0.65 * single.nbytes * 4 / 3

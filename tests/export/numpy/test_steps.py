"""Tests for steps on many rows that need more than one expression of numpy."""

import base64
import math
import zlib

import numpy as np
import pytest

from stackens.export.numpy import _steps


@pytest.mark.parametrize("dtype", ["<f8", "<i4", "<f4"])
def test_unpack(dtype):
    array = np.array([[1, 2, 3], [4, 5, -6]], dtype=dtype)
    text = base64.b64encode(zlib.compress(array.tobytes())).decode()
    read = _steps.unpack(dtype, (2, 3), "\n".join(text) + "\n")
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        (np.array(["b", None, "z", "a"], dtype=object), {"a": 0, "b": 1}),
        (np.array([2.0, np.nan, 7.0, 1.0]), {1.0: 0, 2.0: 1}),
    ],
)
def test_lookup(values, places):
    rows = np.array([[10.0], [20.0], [-1.0], [-2.0]])
    assert _steps.lookup(values, places, rows).tolist() == [[20.0], [-1.0], [-2.0], [10.0]]


def test_side_by_side_repeats_single_rows():
    parts = [np.array([[1.0], [2.0]]), np.array([[7.0, 8.0]])]
    assert _steps.side_by_side(parts, 2).tolist() == [[1.0, 7.0, 8.0], [2.0, 7.0, 8.0]]


def test_round_to_single():
    x = np.array([[0.1, 2.0**53 + 2, 5e-324]])
    assert _steps.round_to_single(x).tolist() == [[float(np.float32(0.1)), 2.0**53, 0.0]]


def test_functions_that_numpy_lacks():
    x = np.array([[-1.0, 0.0], [2.0, np.nan]])
    wanted = [[math.erf(-1.0), 0.0], [math.erf(2.0), math.nan]]
    np.testing.assert_array_equal(_steps.error_function(x), wanted)
    np.testing.assert_allclose(_steps.softplus_of(x), np.log1p(np.exp(x)))


def test_reduce_columns_goes_from_left_to_right():
    x = np.array([[1e16, 1.0, -1e16, 1.0], [1.0, 2.0, 3.0, 4.0]])
    assert _steps.reduce_columns(np.add, x).tolist() == [[1.0], [10.0]]
    assert _steps.reduce_columns(np.maximum, x).tolist() == [[1e16], [4.0]]


def test_softmax_rows():
    answer = _steps.softmax_rows(np.array([[1000.0, 1000.0], [0.0, np.log(3.0)]]))
    np.testing.assert_allclose(answer, [[0.5, 0.5], [0.25, 0.75]])


def test_counts_and_interpolation_keep_nan():
    x = np.array([[0.5], [np.nan], [2.0]])
    np.testing.assert_array_equal(_steps.count_edges(x, [1.0, 2.0]), [[0.0], [np.nan], [2.0]])
    for knots, y in (([1.0], [5.0]), ([0.0, 1.0], [5.0, 5.0])):
        wanted = [[5.0], [np.nan], [5.0]]
        np.testing.assert_array_equal(_steps.interpolate_rows(x, knots, y), wanted)


def test_ramp_sums_of_a_row_and_of_rows():
    column, left, slope = np.array([1, 0, 1]), np.array([0.0, -1.0, 2.0]), np.array([1.0, 0.5, 4.0])
    weights = np.array([[1.0, 10.0], [2.0, 0.0], [0.0, 0.5]])
    rows = np.array([[-1.0, 0.5], [0.0, 2.125], [np.inf, -np.inf], [np.nan, 0.0]])
    kept = rows.copy()
    expected = [[0.5, 5.0], [2.0, 10.25], [2.0, 0.0], [np.nan, np.nan]]
    answers = _steps.ramp_sums(rows, column, left, slope, weights)
    np.testing.assert_array_equal(answers, expected)
    for row, wanted in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(_steps.ramp_sums(row, column, left, slope, weights), wanted)
    np.testing.assert_array_equal(rows, kept)

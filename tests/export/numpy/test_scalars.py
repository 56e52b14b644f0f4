"""Tests for steps on single numbers: numpy's answer to the same numbers, also to awkward ones."""

import itertools
import math
import warnings

import numpy as np
import pytest

from stackens.export.numpy import _scalars

NUMBERS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 3.0, -3.0, 1e300, -1e300, 5e-324, 800.0, -800.0]
NUMBERS += [2.0**53, 1e-40, 3.5e38, -3.5e38, math.inf, -math.inf, math.nan]

EXACT = {
    "floor": np.floor,
    "is_finite": np.isfinite,
    "sign": np.sign,
    "square_root": np.sqrt,
    "truncate": np.trunc,
}
CLOSE = {
    "exponential": np.exp,
    "logarithm": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
}
PAIRS = {
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
}


def numpy_says(function, *values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(function(*map(np.float64, values)))


@pytest.mark.parametrize("x", NUMBERS)
@pytest.mark.parametrize("name", EXACT)
def test_exact_functions(name, x):
    wanted = numpy_says(EXACT[name], x)
    got = float(getattr(_scalars, name)(x))
    np.testing.assert_equal(got, wanted)
    assert math.copysign(1, got) == math.copysign(1, wanted) or math.isnan(wanted)


@pytest.mark.parametrize("x", NUMBERS)
@pytest.mark.parametrize("name", CLOSE)
def test_rounded_functions(name, x):
    np.testing.assert_allclose(
        getattr(_scalars, name)(x), numpy_says(CLOSE[name], x), rtol=1e-15, atol=0
    )


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_numbers(name):
    for x, y in itertools.product(NUMBERS, NUMBERS):
        if name == "power" and x == -math.inf and y == 0.5:
            continue  # numpy takes the square root in some places, and pow in others
        wanted = numpy_says(PAIRS[name], x, y)
        got = getattr(_scalars, name)(x, y)
        np.testing.assert_allclose(got, wanted, rtol=1e-15, atol=0, err_msg=f"{x}, {y}")


def test_round_single():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = np.array(NUMBERS).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(_scalars.round_single(*NUMBERS), wanted)


ROWS = [[1.0], [3.0, 1.0, 2.0], [1.0, math.nan, 3.0], [2.0, 2.0], [-math.inf, 1.0, math.inf]]
ROWS += [[math.nan, math.nan], [-math.inf, -math.inf], [1e300, -1e300, 0.0]]


@pytest.mark.parametrize("row", ROWS)
def test_functions_of_a_row(row):
    x = np.array(row)
    np.testing.assert_equal(_scalars.largest(row), x.max())
    np.testing.assert_equal(_scalars.smallest(row), x.min())
    np.testing.assert_equal(_scalars.argmax(row), x.argmax())
    np.testing.assert_array_equal(_scalars.sort(row), np.sort(x))
    with np.errstate(all="ignore"):
        exponentials = np.exp(x - x.max())
        wanted = exponentials / exponentials.sum()
    np.testing.assert_allclose(_scalars.softmax(row), wanted, rtol=1e-15)


@pytest.mark.parametrize("x", [[0.0, 1.0, 4.0], [2.0], [-1e300, 0.0, 1e300]])
def test_interpolate_and_count(x):
    y = [float(i * i) for i in range(len(x))]
    near = [np.nextafter(knot, to) for knot in x for to in (-np.inf, np.inf)]
    for value in [*NUMBERS, *x, *map(float, near), 0.7]:
        if value == value:
            assert _scalars.interpolate(value, x, y) == np.interp(value, x, y)
            assert _scalars.count(value, x) == np.searchsorted(x, value, side="right")
    assert math.isnan(_scalars.interpolate(math.nan, x, y))
    assert math.isnan(_scalars.count(math.nan, x))


def test_ramps():
    columns = [
        (
            [0.0, 2.0],
            [
                (0.0, 1.0, (9.0,), (0.0,)),
                (0.0, 0.5, (0.0,), (4.0,)),
                (2.0, 1.0, (4.0,), (-1.0,)),
            ],
        ),
        ([], [(1.0, 1.0, (0.0,), (100.0,))]),
    ]
    cases = {-3.0: 9.0, 0.0: 9.0, 1.0: 2.0, 2.0: 4.0, 2.5: 3.5, math.inf: 3.0, -math.inf: 9.0}
    for value, expected in cases.items():
        assert _scalars.ramps([value, 1.0], columns) == [expected]
        assert _scalars.ramps([value, 1.25], columns) == [expected + 25.0]
    assert math.isnan(_scalars.ramps([1.0, math.nan], columns)[0])
    assert math.isnan(_scalars.ramps([math.nan, 1.0], columns)[0])

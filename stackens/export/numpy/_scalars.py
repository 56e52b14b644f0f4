"""Steps on single numbers, with the standard library alone.

The text of what a program needs of this file is put into exported files. Python raises where
IEEE arithmetic answers with an infinity or NaN (``math.exp(1000)``, ``1 / 0``): these functions
answer, as numpy does.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf, nan

__all__ = [
    "argmax",
    "count",
    "divide",
    "exponential",
    "floor",
    "interpolate",
    "is_finite",
    "largest",
    "logarithm",
    "maximum",
    "minimum",
    "power",
    "ramps",
    "round_single",
    "sigmoid",
    "sign",
    "smallest",
    "softmax",
    "softplus",
    "sort",
    "square_root",
    "truncate",
]


def exponential(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exponential(-x))


def softplus(x: float) -> float:
    return maximum(x, 0.0) + math.log1p(math.exp(-abs(x)))


def logarithm(x: float) -> float:
    if x > 0.0 or x != x:
        return math.log(x)
    return -inf if x == 0.0 else nan


def square_root(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else nan


def floor(x: float) -> float:
    return x // 1.0 if is_finite(x) else x


def truncate(x: float) -> float:
    return math.copysign(floor(abs(x)), x)


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x < 0.0 or x > 0.0 else x + 0.0


def is_finite(x: float) -> bool:
    return -inf < x < inf


def round_single(*values: float) -> list[float]:
    """Round to the nearest numbers of single precision; beyond its range, infinities."""
    return array("f", values).tolist()


def divide(x: float, y: float) -> float:
    if y != 0.0:
        return x / y
    return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


def power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and y % 2.0 == 1.0 else inf
    except ValueError:  # 0 to a negative power is infinite; a root of a negative number is none
        if x != 0.0:
            return nan
        return math.copysign(inf, x) if y % 2.0 == 1.0 else inf


def minimum(x: float, y: float) -> float:
    return x if x <= y or x != x else y


def maximum(x: float, y: float) -> float:
    return x if x >= y or x != x else y


def smallest(values: Sequence[float]) -> float:
    least = values[0]
    for value in values:
        least = minimum(least, value)
    return least


def largest(values: Sequence[float]) -> float:
    most = values[0]
    for value in values:
        most = maximum(most, value)
    return most


def softmax(values: Sequence[float]) -> list[float]:
    most = largest(values)
    exponentials = [math.exp(value - most) for value in values]
    total = 0.0
    for value in exponentials:
        total += value
    return [value / total for value in exponentials]


def sort(values: Sequence[float]) -> list[float]:
    """Sort, NaN last."""
    return sorted(values, key=lambda value: (value != value, value))


def argmax(values: Sequence[float]) -> int:
    """Find the first of the largest, or the first NaN."""
    best = 0
    for i, value in enumerate(values):
        if value != value:
            return i
        if value > values[best]:
            best = i
    return best


def interpolate(value: float, x: Sequence[float], y: Sequence[float]) -> float:
    """Interpolate between knots, as numpy.interp does."""
    if value != value:
        return nan
    if value <= x[0]:
        return y[0]
    if value >= x[-1]:
        return y[-1]
    i = bisect_right(x, value) - 1
    if x[i] == value:
        return y[i]
    slope = (y[i + 1] - y[i]) / (x[i + 1] - x[i])
    between = slope * (value - x[i]) + y[i]
    if between != between:  # an infinite slope or end
        between = slope * (value - x[i + 1]) + y[i + 1]
        if between != between and y[i] == y[i + 1]:
            return y[i]
    return between


def count(value: float, edges: Sequence[float]) -> float:
    """Count the edges that are at most a value."""
    return float(bisect_right(edges, value)) if value == value else nan


def ramps(values: Sequence[float], columns: Sequence[tuple[Sequence, Sequence]]) -> list[float]:
    """Add a piecewise linear function of each value: its knots, and the pieces around them."""
    sums: list[float] = []
    for value, (knots, pieces) in zip(values, columns):  # noqa: B905
        left, slope, base, rise = pieces[bisect_left(knots, value)]
        share = minimum(maximum((value - left) * slope, 0.0), 1.0)
        terms = [start + share * more for start, more in zip(base, rise)]  # noqa: B905
        sums = [x + y for x, y in zip(sums, terms)] if sums else terms  # noqa: B905
    return sums

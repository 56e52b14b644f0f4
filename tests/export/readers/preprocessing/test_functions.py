"""Tests of the composed functions against numpy and scipy."""

import numpy as np
import pytest
from scipy import special

from stackens.export.program import Graph, evaluate
from stackens.export.readers.preprocessing._functions import (
    expm1,
    floor_divide,
    log1p,
    normal_quantile,
    remainder,
)


def values(make, x):
    graph = Graph(["x"])
    program = graph.program(make(graph, graph.numbers([0])), "values")
    return evaluate(program, [np.asarray(x, dtype=float)])[0][:, 0]


SPREAD = np.concatenate([sign * np.logspace(-320, 308, 2001) for sign in (1, -1)])
ENDS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0, -0.5, 709.0, -745.0])


@pytest.mark.parametrize(("ours", "theirs"), [(log1p, np.log1p), (expm1, np.expm1)])
def test_no_digit_is_lost(ours, theirs):
    x = np.concatenate([SPREAD, ENDS, np.linspace(-3, 3, 2001)])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(values(ours, x), theirs(x), rtol=1e-15, atol=0)


def test_the_normal_quantile_is_accurate_to_rounding():
    p = np.concatenate([np.logspace(-10.8, -0.31, 3001), np.linspace(0.07, 0.93, 3001)])
    p = np.concatenate([p, 1 - p, [0.075, 0.925, 0.5, np.nan]])
    np.testing.assert_allclose(values(normal_quantile, p), special.ndtri(p), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("divisor", [7.0, 365.0, 146_097.0, 3.6e9, 8.64e10])
def test_whole_division(divisor):
    # beside a multiple of the divisor, as far out as doubles hold whole numbers
    k = np.unique(np.floor(np.logspace(0, np.log10((2.0**53 - 2) / divisor), 500)))
    x = np.concatenate([k * divisor + gap for gap in (-1, 0, 1)])
    x = np.concatenate([x, -x])
    whole = [int(v) // int(divisor) for v in x]
    assert values(lambda graph, node: floor_divide(graph, node, divisor), x).tolist() == whole
    x = x[np.abs(x) < 2**52]
    left = [int(v) % int(divisor) for v in x]
    assert values(lambda graph, node: remainder(graph, node, divisor), x).tolist() == left

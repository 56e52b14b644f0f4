"""Tests of distances from given points; kernels are tried by their models."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import euclidean_distances, manhattan_distances

from stackens.export.program import Graph, evaluate
from stackens.export.readers import _kernels

RNG = np.random.default_rng(0)
X, POINTS = RNG.normal(size=(30, 4)), RNG.normal(size=(7, 4))


def distances(function, X, points):
    graph = Graph([f"x{i}" for i in range(X.shape[1])])
    node = function(graph, graph.numbers(range(X.shape[1])), points)
    return evaluate(graph.program(node, "values"), list(X.T))[0]


@pytest.mark.parametrize("function", ["squared_distances", "squared_differences"])
def test_squares(function):
    ours = distances(getattr(_kernels, function), X, POINTS)
    np.testing.assert_allclose(ours, euclidean_distances(X, POINTS, squared=True), rtol=1e-12)


def test_manhattan():
    ours = distances(_kernels.manhattan_distances, X, POINTS)
    np.testing.assert_allclose(ours, manhattan_distances(X, POINTS), rtol=1e-14)


def test_differences_lose_no_digits_far_from_zero():
    ours = distances(_kernels.squared_differences, X + 1e9, POINTS + 1e9)
    exact = (((X + 1e9)[:, None] - (POINTS + 1e9)) ** 2).sum(axis=2)
    np.testing.assert_allclose(ours, exact, rtol=1e-15)


@pytest.mark.parametrize("coordinate", [0.0, 3.0])
def test_points_that_share_a_coordinate_stay_several(coordinate):
    points = POINTS.copy()
    points[:, 0] = coordinate
    assert distances(_kernels.manhattan_distances, X, points).shape == (30, 7)


def test_distances_are_never_negative():
    near = X + 1e-9
    assert distances(_kernels.squared_distances, X * 1e6, near * 1e6).min() >= 0

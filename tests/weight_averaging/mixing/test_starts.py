"""Tests of where learning starts."""

import numpy as np

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.mixing._starts import best_start


def nearness(target):
    return lambda weights: Score(-np.abs(weights - np.asarray(target)).sum(axis=1))


def started(target, n_groups=1):
    return best_start(nearness(target), n_groups, ["a", "b", "c"])[0].tolist()


def test_the_best_of_equal_single_and_greedy():
    assert started([1 / 3, 1 / 3, 1 / 3], 2) == [[1 / 3] * 3] * 2
    assert started([0.0, 1.0, 0.0]) == [[0, 1, 0]]
    assert started([0.5, 0.0, 0.5]) == [[0.5, 0, 0.5]]


def test_all_that_is_known_is_told():
    _, scores = best_start(nearness([0.5, 0.0, 0.5]), 1, ["a", "b", "c"])
    told = {name: score.mean for name, score in scores}
    assert list(told) == ["a", "b", "c", "equal weights", "greedy soup"]
    expected = [-1, -2, -1, -2 / 3, 0]
    np.testing.assert_allclose(list(told.values()), expected, atol=1e-12)


def test_no_more_scores_than_needed():
    calls = []
    best_start(lambda weights: calls.append(weights) or Score(np.zeros(1)), 1, list("abcde"))
    assert len(calls) == 1 + 5 + 4

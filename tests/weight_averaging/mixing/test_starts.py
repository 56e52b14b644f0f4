"""Tests of where learning starts."""

import numpy as np

from stackens.weight_averaging.mixing._starts import best_start


def nearness(target):
    return lambda weights: -float(np.abs(weights - np.asarray(target)).sum())


def test_the_best_of_equal_single_and_greedy():
    assert best_start(nearness([1 / 3, 1 / 3, 1 / 3]), 2, 3).tolist() == [[1 / 3] * 3] * 2
    assert best_start(nearness([0.0, 1.0, 0.0]), 1, 3).tolist() == [[0, 1, 0]]
    assert best_start(nearness([0.5, 0.0, 0.5]), 1, 3).tolist() == [[0.5, 0, 0.5]]


def test_no_more_scores_than_needed():
    calls = []
    best_start(lambda weights: calls.append(weights) or 0.0, 1, 5)
    assert len(calls) == 1 + 5 + 4

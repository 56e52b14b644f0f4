"""Tests of steps on probabilities, against the numpy functions that they stand for."""

import numpy as np
import pytest
from scipy.special import expit

from stackens._core._losses import renormalise
from stackens._core._task import Task
from stackens.export.readers.ensembles import (
    log_odds,
    probabilities_of_log_odds,
    renormalised,
)
from tests.export.readers.ensembles.answers import evaluated, graph_of

NUMBERS = np.array(
    [[0.2, 0.3, 0.4], [-1.0, 0.5, 2.0], [0.0, -3.0, 0.0], [1e-320, 0.0, 0.0], [9.0, 9.0, 9.0]]
)


def result(step, X, *arguments):
    graph, table = graph_of(X.shape[1])
    return evaluated(graph, step(graph, table.numbers(graph), *arguments), X)


@pytest.mark.parametrize(
    "task", [Task("multiclass", 3, np.arange(3)), Task("multilabel", 3, y_ndim=2)]
)
def test_rows_that_sum_to_one_again(task):
    expected = renormalise(NUMBERS, task)
    np.testing.assert_array_equal(result(renormalised, NUMBERS, task), expected)


def test_log_odds_of_two_classes_and_log_probabilities_of_more():
    two = np.array([[0.25, 0.75], [0.0, 1.0]])
    logs = np.log(np.maximum(two, np.finfo(float).tiny))
    np.testing.assert_array_equal(result(log_odds, two), logs[:, 1:] - logs[:, :1])
    three = np.abs(NUMBERS)
    found = result(log_odds, three)
    np.testing.assert_array_equal(found, np.log(np.maximum(three, np.finfo(float).tiny)))


def test_small_probabilities_of_either_class_keep_their_digits():
    scores = np.array([[-40.0], [0.0], [2.5], [40.0], [800.0]])
    found = result(probabilities_of_log_odds, scores)
    expected = np.hstack([expit(-scores), expit(scores)])
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert 0 < found[3, 0] < 1e-17

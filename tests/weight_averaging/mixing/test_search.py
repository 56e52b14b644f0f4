"""Tests of the search without a gradient."""

import numpy as np
import pytest

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.mixing._search import search

TARGET = np.array([[0.7, 0.2, 0.1]])


def one(value):
    return Score(np.array([value], dtype=np.float64))


@pytest.mark.parametrize("constraint", ["simplex", "bounded", "free"])
def test_it_finds_the_top(constraint):
    weights, score, history = search(
        lambda w: one(-((w - TARGET) ** 2).sum()),
        np.full((1, 3), 1 / 3),
        one(-((1 / 3 - TARGET) ** 2).sum()),
        constraint,
        max_evaluations=200,
    )
    np.testing.assert_allclose(weights, TARGET, atol=0.01)
    assert score.mean == max(row["score"] for row in history)
    assert len(history) <= 201


def test_the_start_is_returned_where_nothing_is_better():
    start = np.array([[1.0, 0.0]])
    begin = one(1.0)
    weights, score, _ = search(
        lambda w: one(w[0, 0] == 1.0), start, begin, "simplex", max_evaluations=9
    )
    assert weights is start
    assert score is begin


def test_a_score_that_is_not_a_number_is_passed_over():
    weights, score, _ = search(
        lambda w: one(np.nan if w[0, 0] > 0.6 else w[0, 0]),
        np.full((1, 2), 0.5),
        one(0.5),
        "simplex",
        max_evaluations=60,
    )
    assert 0.5 <= weights[0, 0] <= 0.6
    assert np.isfinite(score.mean)

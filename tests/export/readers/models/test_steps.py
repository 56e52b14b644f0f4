"""Tests of functions that are constant between thresholds."""

import numpy as np
import pytest

from stackens.export.program import Graph, evaluate
from stackens.export.readers.models._steps import step_functions


def answers(steps, X):
    graph = Graph([f"x{i}" for i in range(len(steps))])
    node = graph.add(step_functions(graph.numbers(range(len(steps))), steps))
    return evaluate(graph.program(node, "values"), list(X.T))[0]


@pytest.mark.parametrize("n_steps", [1, 2, 3, 8, 13])
def test_each_number_finds_its_row(n_steps):
    rng = np.random.default_rng(n_steps)
    edges, rows = np.sort(rng.normal(size=n_steps - 1)), rng.normal(size=(n_steps, 3))
    around = [edges, np.nextafter(edges, -9), np.nextafter(edges, 9), [-1e300, 1e300, 0.0]]
    x = np.concatenate(around)[:, None]
    expected = rows[np.searchsorted(edges, x[:, 0], side="left")]
    np.testing.assert_array_equal(answers([(edges, rows)], x), expected)


def test_rows_of_several_columns_are_added():
    steps = [(np.array([0.0]), np.array([[1.0], [2.0]])), (np.array([]), np.array([[10.0]]))]
    steps.append((np.array([1.0, 2.0]), np.array([[100.0], [200.0], [-np.inf]])))
    X = np.array([[-1.0, 5.0, 1.5], [0.0, 5.0, 1.0], [0.1, -5.0, 2.1]])
    np.testing.assert_array_equal(answers(steps, X)[:, 0], [211, 111, -np.inf])

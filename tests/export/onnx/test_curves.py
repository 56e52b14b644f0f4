"""Step functions and piecewise linear ones, against `evaluate`."""

import numpy as np
import onnx
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.program import Graph, evaluate


def compared(program, columns):
    """Compare with `evaluate` bit for bit, and return the operators."""
    content = write_onnx(program, "{}")
    runner = open_onnx(content)
    np.testing.assert_array_equal(runner.outputs(columns), evaluate(program, columns)[0])
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_interpolation_hits_its_knots():
    x = np.array([-2.0, -0.1, 0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0), 7.0])
    y = np.array([0.3, 0.3, -1.0, 4.0, 0.1, 5.0, 1e9])
    graph = Graph(["x"])
    program = graph.program(graph.interpolate(graph.numbers([0]), x, y), "values")
    near = np.concatenate([x, np.nextafter(x, -9), np.nextafter(x, 9), [np.nan, np.inf, -np.inf]])
    near = near[near != 1e-323]  # numpy divides by zero there
    compared(program, [np.concatenate([near, np.linspace(-3, 8, 100)])])
    graph = Graph(["x"])
    program = graph.program(graph.interpolate(graph.numbers([0]), x[:1], y[:1]), "values")
    compared(program, [near])


@pytest.mark.parametrize(
    "edges", [[0.5], [-np.inf, 0.0, 0.0, 1.0, np.inf], [-1.0, -1.0, 2.0], list(range(100)), []]
)
def test_counts(edges):
    graph = Graph(["x"])
    program = graph.program(graph.count(graph.numbers([0]), np.array(edges)), "values")
    x = np.array([*edges, 0.5, -0.0, 5e-324, np.nan, np.inf, -np.inf, 1e300, -1e300, 50.5, 2.0])
    compared(program, [x])


def test_many_columns_are_written_together():
    rng = np.random.default_rng(0)
    graph = Graph([f"x{i}" for i in range(8)])
    parts = []
    for i in range(8):
        column = graph.numbers([i])
        x = np.sort(rng.normal(size=i + 1))
        parts += [graph.interpolate(column, x, rng.normal(size=i + 1)), graph.count(column, x)]
    # Curves of curves come after them.
    parts += [graph.count(part, np.array([0.0, 1.0])) for part in parts[:6]]
    program = graph.program(graph.concatenate(parts), "values", one_target=False)
    operators = compared(program, list(rng.normal(size=(8, 300)).round(1)))
    assert operators.count("TreeEnsemble") == 3
    assert len(operators) <= 14

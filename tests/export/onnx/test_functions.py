"""Functions of numbers that onnxruntime computes as numpy does."""

import math

import numpy as np
import onnx
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.program import ARITHMETIC, ELEMENTWISE, Graph, evaluate

rng = np.random.default_rng(0)
NUMBERS = np.concatenate(
    [
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e300, -1e300, 0.5, -0.5, 1.5, 2.5],
        [3.4028235e38, 3.4028236e38, 2.0**53 + 2, 16777217.0, 1e-40, 37.0, -37.0, 710.0, -710.0],
        rng.normal(size=300),
        rng.normal(size=300) * 30,
        10.0 ** rng.uniform(-300, 3, 300),
        -(10.0 ** rng.uniform(-300, 3, 300)),
    ]
)
EXACT = ("absolute", "floor", "is_finite", "is_missing", "negative", "round_single", "sign", "sqrt")


@pytest.mark.parametrize("function", ELEMENTWISE)
def test_elementwise(function):
    graph = Graph(["x"])
    node = graph.elementwise(function, graph.numbers([0]))
    # A logarithm after it asks for relative precision, also of tiny answers.
    program = graph.program(graph.concatenate([node, graph.elementwise("log", node)]), "values")
    outputs = open_onnx(write_onnx(program, "{}")).outputs([NUMBERS])
    (wanted,) = evaluate(program, [NUMBERS])
    tolerance = 0.0 if function in (*EXACT, "truncate") else 1e-13
    np.testing.assert_allclose(outputs[:, 0], wanted[:, 0], rtol=tolerance, atol=1e-320)
    np.testing.assert_allclose(outputs[:, 1], wanted[:, 1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("function", ARITHMETIC)
@pytest.mark.parametrize("shapes", [(3, 3), (3, 1), (1, 3)])
def test_arithmetic(function, shapes):
    graph = Graph([f"x{i}" for i in range(6)])
    parts = [
        graph.numbers(range(start, start + n)) for start, n in zip((0, 3), shapes, strict=True)
    ]
    program = graph.program(graph.arithmetic(function, *parts), "values")
    columns = [rng.permutation(NUMBERS) for _ in range(6)]
    columns[3][:40] = columns[0][:40]
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    (wanted,) = evaluate(program, columns)
    tolerance = 1e-13 if function == "power" else 0.0
    np.testing.assert_allclose(outputs, wanted, rtol=tolerance, atol=0)


def test_erf_is_as_good_as_the_one_of_the_standard_library():
    graph = Graph(["x"])
    program = graph.program(graph.elementwise("erf", graph.numbers([0])), "values")
    x = np.concatenate([np.linspace(-7, 7, 2001), 10.0 ** np.linspace(-300, 0, 200)])
    outputs = open_onnx(write_onnx(program, "{}")).outputs([x])[:, 0]
    wanted = np.array([math.erf(value) for value in x])
    np.testing.assert_allclose(outputs, wanted, rtol=5e-15)


def test_functions_of_constants():
    graph = Graph(["x"])
    for function in ELEMENTWISE:
        constant = graph.elementwise(function, graph.constant([0.25, 0.5]))
        total = graph.arithmetic("add", graph.numbers([0]), constant)
        program = graph.program(total, "values")
        outputs = open_onnx(write_onnx(program, "{}")).outputs([np.ones(3)])
        np.testing.assert_allclose(outputs, evaluate(program, [np.ones(3)])[0], rtol=1e-13)


def test_the_plain_sigmoid_serves_where_only_means_follow():
    graph = Graph(["x", "y"])
    parts = [graph.elementwise("sigmoid", graph.numbers([i])) for i in range(2)]
    program = graph.program(graph.two_classes(graph.mean(parts)), "probabilities", np.arange(2))
    operators = [n.op_type for n in onnx.load_from_string(write_onnx(program, "{}")).graph.node]
    assert operators.count("Sigmoid") == 2
    assert "Exp" not in operators

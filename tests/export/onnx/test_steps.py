"""Single steps as ONNX nodes, where onnxruntime answers otherwise by itself."""

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
    alone = np.vstack([runner.outputs([c[i : i + 1] for c in columns]) for i in range(9)])
    np.testing.assert_array_equal(alone, evaluate(program, [c[:9] for c in columns])[0])
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def awkward(n_columns, n=200, seed=0):
    rng = np.random.default_rng(seed)
    values = [np.nan, np.nan, np.inf, -np.inf, 1e300, -1e300, 1.0, 2.0, 3.0, 0.1, 1e17]
    return list(rng.choice(values, (n_columns, n)))


@pytest.mark.parametrize("width", [1, 2, 3, 9, 40])
@pytest.mark.parametrize("step", ["sum", "maximum", "minimum", "sort", "argmax"])
def test_steps_over_the_columns_of_a_row(step, width):
    graph = Graph([f"x{i}" for i in range(width)])
    source = graph.numbers(range(width))
    node = (
        getattr(graph, step)(source) if step in ("sort", "argmax") else graph.reduce(step, source)
    )
    compared(graph.program(node, "values", one_target=False), awkward(width))


@pytest.mark.parametrize("step", ["maximum", "sort", "argmax"])
def test_finite_columns_need_no_care(step):
    graph = Graph(["a", "b", "c"])
    source = graph.elementwise("is_finite", graph.numbers([0, 1, 2]))
    source = graph.arithmetic("less", source, graph.constant([0.5, 1.5, 0.5]))
    node = (
        getattr(graph, step)(source) if step in ("sort", "argmax") else graph.reduce(step, source)
    )
    operators = compared(graph.program(node, "values", one_target=False), awkward(3))
    assert "IsNaN" not in operators


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 11])
def test_weighted_sums_add_up_in_order(n_parts, width):
    names = [f"x{i}" for i in range(n_parts * width)]
    graph = Graph(names)
    parts = [graph.numbers(range(i * width, (i + 1) * width)) for i in range(n_parts)]
    weights = np.random.default_rng(0).choice([0.0, 1.0, 0.3, -1.7], n_parts)
    sums = [graph.weighted_sum(parts, weights), graph.mean(parts)]
    program = graph.program(graph.concatenate(sums), "values", one_target=False)
    operators = compared(program, awkward(len(names)))
    assert len(operators) <= 16


def test_a_matrix_product_does_not_see_columns_beside_its_own():
    graph = Graph(["a", "b", "c", "town"])
    weights = np.array([[1.0, 0.5], [0.25, 2.0]])
    first = graph.dense(graph.numbers([2, 0]), weights, np.array([1.0, 0.0]))
    narrow = graph.lookup(3, ["x"], [[1.0]], missing=[2.0], unknown=[0.0])
    wide = graph.lookup(3, ["x"], [[4.0, 5, 6]], missing=[0.0] * 3, unknown=[0.0] * 3)
    second = graph.dense(graph.concatenate([graph.select(wide, [2]), narrow]), weights)
    program = graph.program(graph.concatenate([first, second]), "values", one_target=False)
    towns = np.array(["x", None, "y"] * 3, dtype=object)
    columns = [np.arange(9.0), np.full(9, np.nan), np.arange(9.0) / 4, towns]
    compared(program, columns)


def test_clip_is_one_node():
    graph = Graph(["a", "b"])
    low = graph.arithmetic("maximum", graph.numbers([0, 1]), graph.constant(-1.0))
    program = graph.program(
        graph.arithmetic("minimum", low, graph.constant(2.0)), "values", one_target=False
    )
    assert compared(program, awkward(2)) == ["Clip"]
    program = graph.program(
        graph.arithmetic("minimum", low, graph.constant(-3.0)), "values", one_target=False
    )
    assert compared(program, awkward(2)) == ["Max", "Min"]


def test_rectified_doubles_before_a_clip_can_be_loaded():
    graph = Graph(["a"])
    positive = graph.arithmetic("maximum", graph.numbers([0]), graph.constant(0.0))
    node = graph.interpolate(positive, [0.5, 1.0, 2.0], [1.0, 2.0, 4.0])
    compared(graph.program(node, "values"), awkward(1))

"""What may be computed in single precision, and what is always finite."""

import numpy as np
import onnx

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._precision import finite_nodes, mixed_only, single_nodes
from stackens.export.program import Graph, evaluate


def network(activation, *, last=None):
    rng = np.random.default_rng(0)
    graph = Graph(["x", "y"])
    node = graph.numbers([0, 1])
    for n, width in ((2, 8), (8, 8), (8, 2)):
        node = graph.dense(node, rng.normal(size=(n, width)).astype(np.float32), np.ones(width))
        if width == 8:
            node = activation(graph, node)
    node = node if last is None else last(graph, node)
    return graph.program(node, "values")


def rectified(graph, node):
    return graph.arithmetic("maximum", node, graph.constant(0.0))


def gelu(graph, node):
    share = graph.plus(graph.elementwise("erf", graph.times(node, np.sqrt(0.5))), 1.0)
    return graph.arithmetic("multiply", graph.times(node, 0.5), share)


def check(program):
    columns = list(np.random.default_rng(1).normal(size=(2, 50)))
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    np.testing.assert_allclose(outputs, evaluate(program, columns)[0], rtol=2e-6, atol=2e-6)
    return [n.op_type for n in onnx.load_from_string(write_onnx(program, "{}")).graph.node]


def test_layers_of_single_precision_follow_each_other_without_casts():
    operators = check(network(rectified))
    assert operators == ["Cast", "Gemm", "Relu", "Gemm", "Relu", "Gemm", "Cast"]
    assert check(network(gelu)).count("Cast") == 2


def test_what_follows_the_last_layer_is_double():
    def scaled(graph, node):
        return graph.plus(graph.times(node, 1e-3), 1e9)

    program = network(rectified, last=scaled)
    single = single_nodes(program)
    assert [type(program.nodes[i]).__name__ for i in single] == ["Arithmetic"] * 2
    assert program.output not in single
    columns = [np.array([0.1, 0.2]), np.array([0.3, 0.4])]
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    np.testing.assert_allclose(outputs, evaluate(program, columns)[0], rtol=1e-15)


def test_missing_numbers_pass_through_a_network():
    program = network(rectified)
    columns = [np.array([np.nan, 1.0]), np.ones(2)]
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    assert np.isnan(outputs).tolist() == [[True] * 2, [False] * 2]


def test_finite_nodes():
    graph = Graph(["x", "town"])
    raw = graph.numbers([0])
    known = graph.lookup(1, ["a"], [[1.0]], missing=[0.0], unknown=[2.0])
    holes = graph.lookup(1, ["a"], [[1.0]], missing=[np.nan], unknown=[2.0])
    flag = graph.elementwise("is_missing", raw)
    parts = [
        *(raw, known, holes, flag, graph.elementwise("sigmoid", known)),
        *(graph.elementwise("sigmoid", raw), graph.elementwise("log", known)),
        graph.softmax(graph.concatenate([known, flag])),
        *(graph.reduce("maximum", graph.concatenate([known, raw])), graph.argmax(raw)),
    ]
    program = graph.program(graph.concatenate(parts), "values")
    finite = finite_nodes(program)
    found = [part in finite for part in program.nodes[program.output].parts]
    assert found == [False, True, False, True, True, False, False, True, False, True]


def test_mixed_only():
    graph = Graph(["x", "y"])
    one, two = (graph.elementwise("sigmoid", graph.numbers([i])) for i in range(2))
    ratio = graph.arithmetic("divide", one, two)
    program = graph.program(graph.concatenate([graph.over(two, 3.0), one, ratio]), "values")
    sigmoids = [i for i, n in program if getattr(n, "function", "") == "sigmoid"]
    assert not mixed_only(program).intersection(sigmoids)
    program = graph.program(graph.concatenate([graph.over(two, 3.0), one]), "values")
    sigmoids = [i for i, n in program if getattr(n, "function", "") == "sigmoid"]
    assert mixed_only(program).issuperset(sigmoids)

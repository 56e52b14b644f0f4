"""The meaning of every step, by hand-made examples."""

import numpy as np
import pytest

from stackens.export.program import ARITHMETIC, ELEMENTWISE, Graph, Trees, evaluate


def _run(graph, out, *columns):
    return evaluate(graph.program(out, "values"), [np.asarray(c) for c in columns])[0]


X = np.array([-2.5, -0.0, 0.0, 0.3, 7.0, np.inf, np.nan])


@pytest.mark.parametrize("function", sorted(ELEMENTWISE))
def test_every_elementwise_function_keeps_missing_values(function):
    graph = Graph(["a"])
    answers = _run(graph, graph.elementwise(function, graph.numbers([0])), X)
    assert answers.dtype == np.float64
    if function in ("is_missing", "is_finite"):
        assert answers[-1, 0] == (function == "is_missing")
        assert set(answers[:, 0]) == {0.0, 1.0}
    else:
        assert np.isnan(answers[-1, 0])


def test_elementwise_values():
    graph = Graph(["a"])
    x = graph.numbers([0])
    names = ["sigmoid", "softplus", "truncate", "erf", "round_single"]
    out = graph.concatenate([graph.elementwise(name, x) for name in names])
    answers = _run(graph, out, np.array([0.3, -2.5]))
    expected = [
        [
            0.574442516811659,
            0.854355244468527,
            0.0,
            0.3286267594591274,
            np.float64(np.float32(0.3)),
        ],
        [0.07585818002124355, 0.07888973429254956, -2.0, -0.9995930479825550, -2.5],
    ]
    np.testing.assert_allclose(answers, expected, rtol=1e-14)


@pytest.mark.parametrize("function", sorted(ARITHMETIC))
def test_every_arithmetic_function_meets_missing_values(function):
    graph = Graph(["a", "b"])
    out = graph.arithmetic(function, graph.numbers([0]), graph.numbers([1]))
    answers = _run(graph, out, [2.0, np.nan, 3.0], [3.0, 1.0, 3.0])[:, 0]
    compares = function in ("less", "less_equal", "equal")
    assert answers[1] == 0.0 if compares else np.isnan(answers[1])
    expected = {
        "add": [5, 6], "subtract": [-1, 0], "multiply": [6, 9], "divide": [2 / 3, 1],
        "power": [8, 27], "minimum": [2, 3], "maximum": [3, 3], "less": [1, 0],
        "less_equal": [1, 1], "equal": [0, 1],
    }[function]  # fmt: skip
    assert answers[[0, 2]].tolist() == expected


def test_one_column_meets_many():
    graph = Graph(["a", "b", "c"])
    out = graph.arithmetic("add", graph.numbers([0]), graph.numbers([1, 2]))
    assert _run(graph, out, [1.0], [10.0], [20.0]).tolist() == [[11.0, 21.0]]


def test_steps_over_the_columns_of_a_row():
    graph = Graph(["a", "b", "c"])
    x = graph.numbers([0, 1, 2])
    out = graph.concatenate(
        [
            graph.reduce("sum", x),
            graph.reduce("maximum", x),
            graph.reduce("minimum", x),
            graph.sort(x),
            graph.argmax(x),
            graph.softmax(graph.times(x, 1000.0)),
            graph.dense(x, np.array([[1.0], [2.0], [3.0]]), np.array([0.5])),
            graph.weighted_sum([x, x], [2.0, -1.0]),
        ]
    )
    answers = _run(graph, out, [2.0], [3.0], [1.0])
    assert answers.tolist() == [[6, 3, 1, 1, 2, 3, 1, 0, 1, 0, 11.5, 2, 3, 1]]


def test_interpolation_and_counts():
    graph = Graph(["a"])
    x = graph.numbers([0])
    knots, values = np.array([0.0, 1.0, 3.0]), np.array([10.0, 20.0, 0.0])
    out = graph.concatenate([graph.interpolate(x, knots, values), graph.count(x, knots)])
    answers = _run(graph, out, [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0, np.nan])
    np.testing.assert_array_equal(answers[:, 0], [10, 10, 15, 20, 10, 0, 0, np.nan])
    np.testing.assert_array_equal(answers[:, 1], [0, 1, 1, 2, 2, 3, 3, np.nan])


def test_interpolation_with_one_knot_keeps_nan():
    graph = Graph(["a"])
    out = graph.interpolate(graph.numbers([0]), np.array([1.0]), np.array([5.0]))
    answers = _run(graph, out, [-1.0, 1.0, 9.0, np.nan])
    np.testing.assert_array_equal(answers[:, 0], [5, 5, 5, np.nan])


def _int32(*values):
    return np.array(values, dtype=np.int32)


def test_trees_of_all_kinds_of_nodes():
    graph = Graph(["a", "b"])
    trees = Trees(
        2,
        graph.numbers([0, 1]),
        feature=_int32(0, 1),
        threshold=np.array([0.5, 0.0]),
        missing_left=np.array([False, True]),
        category_set=_int32(-1, 0),
        left=_int32(-1, -2),  # leaf 0, leaf 1
        right=_int32(1, -3),  # the second node, leaf 2
        root=_int32(0, -4),  # a tree, and one that is leaf 3 alone
        offset=_int32(0, 1),
        leaf=np.array([[1.0], [2.0], [4.0], [8.0]]),
        sets=(np.array([3, 7]),),
        base=np.array([100.0, 200.0]),
    )
    assert trees.n_trees == 2
    assert trees.leaf_width == 1
    a = [0.5, np.nextafter(0.5, 1), 9.0, np.nan, 9.0, 9.0]
    b = [7.0, 7.0, 6.0, 3.0, np.nan, 3.5]
    answers = _run(graph, graph.add(trees), a, b)
    assert answers[:, 0].tolist() == [101.0, 102.0, 104.0, 102.0, 102.0, 104.0]
    assert (answers[:, 1] == 208.0).all()


def test_leaves_of_several_values():
    graph = Graph(["a"])
    trees = Trees(
        3,
        graph.numbers([0]),
        feature=_int32(0),
        threshold=np.array([0.0]),
        missing_left=np.array([True]),
        category_set=_int32(-1),
        left=_int32(-1),
        right=_int32(-2),
        root=_int32(0),
        offset=_int32(1),
        leaf=np.array([[1.0, 2.0], [3.0, 4.0]]),
        sets=(),
        base=np.zeros(3),
    )
    assert _run(graph, graph.add(trees), [0.0, 1.0]).tolist() == [[0, 1, 2], [0, 3, 4]]


def test_other_nodes_can_be_asked_for():
    graph = Graph(["a"])
    x = graph.numbers([0])
    doubled = graph.times(x, 2.0)
    program = graph.program(graph.plus(doubled, 1.0), "values")
    wanted = [i for i, node in program if node.width == 1 and not node.sources][:1]
    numbers, output = evaluate(program, [np.array([4.0])], [wanted[0], program.output])
    assert numbers.tolist() == [[4.0]]
    assert output.tolist() == [[9.0]]


def test_no_rows():
    graph = Graph(["a", "b"])
    out = graph.softmax(graph.numbers([0, 1]))
    assert _run(graph, out, np.zeros(0), np.zeros(0)).shape == (0, 2)

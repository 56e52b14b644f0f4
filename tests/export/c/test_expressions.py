"""Tests for C expressions: what is written where, and constants once."""

import numpy as np
import pytest

from stackens.export.c._expressions import ARITHMETIC as WRITTEN_ARITHMETIC
from stackens.export.c._expressions import ELEMENTWISE, Expressions
from stackens.export.program import ARITHMETIC, Graph
from stackens.export.program import ELEMENTWISE as FUNCTIONS


def expression(graph, node, j="j", places=None, keys=None):
    program = graph.program(graph.softmax(node), "values")
    made = Expressions(program, places or range(len(program.columns)), keys or {})
    return made.at(len(program.nodes) - 2, j), made


def test_every_function_is_written():
    assert set(ELEMENTWISE) == set(FUNCTIONS)
    assert set(WRITTEN_ARITHMETIC) == set(ARITHMETIC)


def test_columns_side_by_side_need_no_list():
    graph = Graph(["a", "b", "c"])
    found, made = expression(graph, graph.numbers([1, 2]))
    assert found == "x[r * 3 + (j + 1)]"
    assert made.data == []


def test_columns_in_any_order_are_a_list():
    graph = Graph(["a", "b", "c"])
    found, made = expression(graph, graph.numbers([2, 0, 0]))
    assert found == "x[r * 3 + i_0[j]]"
    assert made.data == ["static const int32_t i_0[3] = {\n    2, 0, 0,\n};\n"]
    assert made.at(0, "1") == "x[r * 3 + 0]"
    assert len(made.data) == 1


def test_constants():
    graph = Graph(["a", "b"])
    same, _ = expression(graph, graph.constant([2.0, 2.0]))
    assert same == "2.0"
    signs, made = expression(graph, graph.constant([0.0, -0.0]))
    assert signs == "c_0[j]"
    assert "0.0, -0.0" in made.data[0]


def test_a_chain_is_one_expression():
    graph = Graph(["a", "b"])
    node = graph.over(graph.minus(graph.numbers([0, 1]), 3.0), 0.5)
    program = graph.program(graph.plus(node, 1.0), "values")
    made = Expressions(program, [0, 1], {})
    found = made.computed(program.output, "j")
    assert found == "(((x[r * 2 + j] - 3.0) / 0x1p-1) + 1.0)"


def test_selecting_a_repeated_narrow_column():
    graph = Graph(["a", "b"])
    node = graph.select(graph.reduce("sum", graph.numbers([0, 1])), [0, 0, 0])
    found, made = expression(graph, node)
    assert found == "(s + 0 * room)[r]"
    assert made.data == []


def test_lookups_have_rows_for_missing_and_unknown():
    graph = Graph(["a", "city"])
    node = graph.lookup(1, ["b", "a"], np.array([[1.0], [2.0]]), missing=[8], unknown=[9])
    graph.numbers([0])
    program = graph.program(node, "values")
    made = Expressions(program, [0, 0], {1: ["a", "b", "c"]})
    assert made.computed(0, "0") == "l_0[k[r * 1 + 0]]"
    assert "8.0, 9.0, 2.0, 1.0, 9.0" in made.data[0]


def test_lookups_of_numbers_search_rising_keys():
    graph = Graph(["a"])
    node = graph.lookup(0, np.array([3.0, -1.0]), np.eye(2), missing=[0, 0], unknown=[7, 7])
    program = graph.program(node, "values")
    made = Expressions(program, [0], {})
    assert made.table(0, program.nodes[0]).tolist() == [[0, 0], [7, 7], [0, 1], [1, 0]]
    assert made.code(0, program.nodes[0]) == "code_of_number(x[r * 1 + 0], k_0, 2)"
    assert "-1.0, 3.0" in made.data[0]


@pytest.mark.parametrize("n", [1, 3])
def test_slopes_are_those_of_numpy(n):
    graph = Graph(["a"])
    x, y = np.array([0.0, 1e-320, 1.0])[:n], np.array([0.0, 1e300, 2.0])[:n]
    program = graph.program(graph.interpolate(graph.numbers([0]), x, y), "values")
    made = Expressions(program, [0], {})
    assert f"x_1, y_1, m_1, {n})" in made.computed(1, "0")
    assert ("INFINITY" in made.data[2]) == (n == 3)

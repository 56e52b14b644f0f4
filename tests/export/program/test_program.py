"""What a program says about itself."""

import numpy as np

from stackens.export.program import Graph, InputColumn


def test_what_a_program_says_about_itself():
    graph = Graph(["a", "b", "c"])
    x = graph.numbers([2, 0])
    hidden = graph.dense(x, np.ones((2, 3), dtype=np.float32))
    other = graph.elementwise("exp", x)
    out = graph.concatenate([graph.softmax(hidden), other])
    program = graph.program(out, "probabilities", np.array(list("vwxyz")))
    assert program.columns == tuple(InputColumn(name, "number") for name in "abc")
    assert program.n_outputs == 5
    assert program.single_precision
    assert program.trees() == []
    assert program.read_columns() == [0, 2]
    positions = [i for i, _ in program]
    assert positions == list(range(len(program.nodes)))


def test_only_one_score_decides_by_its_sign():
    graph = Graph(["a", "b"])
    one, two = graph.numbers([0]), graph.numbers([0, 1])
    assert graph.program(one, "scores", np.array([0, 1])).decides_by_sign
    assert not graph.program(two, "scores", np.array([0, 1])).decides_by_sign
    assert not graph.program(one, "probabilities", np.array([7])).decides_by_sign
    assert not graph.program(one, "values").decides_by_sign


def test_what_a_node_needs_leaves_other_branches_out():
    graph = Graph(["a"])
    x = graph.numbers([0])
    exp = graph.elementwise("exp", x)
    log = graph.elementwise("log", x)
    program = graph.program(graph.concatenate([exp, log]), "values")
    functions = {getattr(program.nodes[i], "function", None) for i in program.needed_for([1])}
    assert len(functions) == 2
    assert not program.single_precision


def test_columns_that_are_read():
    graph = Graph(list("abcd"))
    town = graph.lookup(2, ("x",), np.ones((1, 1)), missing=np.zeros(1), unknown=np.zeros(1))
    program = graph.program(graph.concatenate([graph.numbers([3]), town]), "values")
    assert program.read_columns() == [2, 3]
    assert [kind for _, kind in program.row_columns()] == ["unread", "unread", "category", "number"]

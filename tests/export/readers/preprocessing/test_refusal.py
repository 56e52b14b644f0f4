"""Tests that rows are refused by as few steps as can be."""

import numpy as np

from stackens.export.program import Graph, evaluate
from stackens.export.readers.preprocessing._refusal import refuse_infinite, refuse_not_finite

X = np.array([1.0, np.nan, np.inf, -np.inf, -0.0])


def refused(make):
    """Which rows of X are refused, and by how many matrices."""
    graph = Graph(["x"])
    x = graph.numbers([0])
    make(graph, x)
    program = graph.program(x, "values")
    if program.refused is None:
        return [False] * len(X), 0
    (out,) = evaluate(program, [X], [program.refused])
    return (~np.isfinite(out).all(axis=1)).tolist(), out.shape[1]


def test_what_is_refused():
    assert refused(refuse_infinite) == ([False, False, True, True, False], 1)
    assert refused(refuse_not_finite) == ([False, True, True, True, False], 1)


def test_what_is_refused_already_is_not_looked_at_twice():
    def both(graph, x):
        refuse_not_finite(graph, x)
        refuse_infinite(graph, x)
        refuse_not_finite(graph, graph.select(graph.concatenate([graph.constant(1.0), x]), [1]))

    assert refused(both) == ([False, True, True, True, False], 1)


def test_a_filled_matrix_is_finite_where_its_source_is():
    def filled(graph, x):
        refuse_infinite(graph, x)
        refuse_not_finite(graph, graph.fill_missing(x, 3.0))

    assert refused(filled)[0] == [False, False, True, True, False]


def test_filling_with_nan_is_no_filling():
    def filled(graph, x):
        missing = graph.elementwise("is_missing", x)
        refuse_infinite(graph, x)
        refuse_not_finite(graph, graph.choose(missing, graph.constant(np.nan), x))

    assert refused(filled)[0] == [False, True, True, True, False]


def test_steps_that_are_always_finite():
    def several(graph, x):
        mark = graph.elementwise("is_missing", x)
        refuse_not_finite(graph, mark)
        refuse_not_finite(graph, graph.arithmetic("less", x, mark))
        refuse_infinite(graph, graph.count(x, np.array([0.0])))
        refuse_not_finite(graph, graph.choose(mark, graph.constant(1.0), mark))
        zeros, ones = np.zeros(2), np.ones((1, 2))
        keys = np.array([1.0])
        refuse_not_finite(graph, graph.lookup(0, keys, ones, missing=zeros, unknown=zeros))

    assert refused(several) == ([False] * 5, 0)


def test_a_count_is_nan_for_nan():
    def counted(graph, x):
        refuse_not_finite(graph, graph.count(x, np.array([0.0])))

    assert refused(counted)[0] == [False, True, False, False, False]


def test_a_table_with_nan_refuses():
    def looked_up(graph, x):
        nan, keys = np.full(1, np.nan), np.array([1.0])
        refuse_infinite(graph, graph.lookup(0, keys, np.ones((1, 1)), missing=nan, unknown=nan))
        refuse_not_finite(graph, graph.lookup(0, keys, np.ones((1, 1)), missing=nan, unknown=nan))

    assert refused(looked_up) == ([False, True, True, True, True], 1)

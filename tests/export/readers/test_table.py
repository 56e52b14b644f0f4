"""Tables of raw and computed columns."""

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.program import Graph, Numbers, evaluate
from stackens.export.readers import ComputedColumn, RawColumn, Table


def test_raw_rows_are_read_as_numbers_when_asked():
    graph = Graph(["a", "b", "c"])
    table = Table.of_raw_rows(graph)
    assert table.names == ("a", "b", "c")
    node = graph[table.select([2, 0]).numbers(graph)]
    assert isinstance(node, Numbers)
    assert node.columns.tolist() == [2, 0]
    assert Table.of_raw_rows(Graph(["x0"], named=False)).names is None


def test_mixtures_of_raw_filled_and_computed_columns():
    graph = Graph(["a", "b"])
    doubled = graph.times(graph.numbers([0, 1]), 2.0)
    table = Table((RawColumn(1, fill=7.0), RawColumn(0), ComputedColumn(doubled, 1)))
    program = graph.program(table.numbers(graph), "values")
    (answers,) = evaluate(program, [np.array([np.nan]), np.array([np.nan])])
    np.testing.assert_array_equal(answers, [[7.0, np.nan, np.nan]])
    (answers,) = evaluate(program, [np.array([1.0]), np.array([5.0])])
    assert answers.tolist() == [[5.0, 1.0, 10.0]]


def test_names_follow_the_columns():
    graph = Graph(["a", "b"])
    raw = Table.of_raw_rows(graph)
    made = Table.of_node(graph, graph.constant([1.0, 2.0]), ["p", "q"])
    both = raw.beside(made)
    assert both.names == ("a", "b", "p", "q")
    assert both.select([3, 0]).names == ("q", "a")
    assert len(both.renamed(None)) == 4
    assert raw.beside(made.renamed(None)).names is None


def test_a_filled_text_is_no_number():
    graph = Graph(["a"])
    with pytest.raises(ExportError, match="filled with 'none'"):
        Table((RawColumn(0, fill="none"),)).numbers(graph)


def test_a_sparse_matrix_stays_one():
    graph = Graph(["a", "b"])
    table = Table.of_raw_rows(graph).marked(sparse=True)
    assert not Table.of_raw_rows(graph).sparse
    assert table.select([1]).sparse
    assert table.renamed(None).sparse
    assert Table.of_raw_rows(graph).beside(table).sparse
    assert not table.marked(sparse=False).sparse

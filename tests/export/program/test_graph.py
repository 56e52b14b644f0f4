"""Building programs: equal steps once, useless ones not at all, columns read in one way."""

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.program import Concatenate, Graph, Lookup, Numbers, evaluate


def test_equal_steps_are_made_once_and_useless_ones_not_at_all():
    graph = Graph(["a", "b"])
    both = graph.numbers([0, 1])
    assert graph.numbers([0, 1]) == both
    assert graph.minus(both, 0.0) == both
    assert graph.over(both, np.ones(2)) == both
    assert graph.select(both, [0, 1]) == both
    assert graph.concatenate([both]) == both
    shifted = graph.minus(both, np.array([1.0, 2.0]))
    assert graph.minus(both, np.array([1.0, 2.0])) == shifted
    assert graph.minus(both, np.array([1.0, 3.0])) != shifted


def test_a_signed_zero_and_another_type_make_other_steps():
    graph = Graph(["a"])
    assert graph.constant(0.0) != graph.constant(-0.0)
    x = graph.numbers([0])
    assert graph.dense(x, np.ones((1, 2))) != graph.dense(x, np.ones((1, 2), dtype=np.float32))


def test_bounds_keep_nan():
    graph = Graph(["x"])
    x = np.array([-2.0, 0.5, 7.0, np.nan, -np.inf, np.inf])
    program = graph.program(graph.clip(graph.numbers([0]), -1.0, 2.0), "values")
    np.testing.assert_array_equal(evaluate(program, [x])[0][:, 0], np.clip(x, -1.0, 2.0))


def test_selections_of_input_columns_become_one_reading():
    graph = Graph(["a", "b", "c"])
    all_three = graph.numbers([0, 1, 2])
    node = graph[graph.select(graph.select(all_three, [2, 0]), [1])]
    assert isinstance(node, Numbers)
    assert node.columns.tolist() == [0]
    joined = graph[graph.concatenate([graph.numbers([2]), graph.numbers([0])])]
    assert isinstance(joined, Numbers)
    assert joined.columns.tolist() == [2, 0]
    other = graph.elementwise("exp", all_three)
    assert isinstance(graph[graph.concatenate([all_three, other])], Concatenate)


def test_a_program_has_no_step_that_it_does_not_need():
    graph = Graph(["a", "b"])
    graph.elementwise("exp", graph.numbers([0, 1]))
    out = graph.plus(graph.numbers([1]), 3.0)
    program = graph.program(out, "values")
    assert len(program.nodes) == 3
    assert program.read_columns() == [1]
    (answers,) = evaluate(program, [np.zeros(2), np.array([1.0, np.nan])])
    np.testing.assert_array_equal(answers, [[4.0], [np.nan]])


def test_a_column_whose_reading_is_not_needed_is_a_number():
    graph = Graph(["city", "size"])
    _lookup(graph, 0, ("Bern",))
    program = graph.program(graph.numbers([1]), "values")
    assert [column.kind for column in program.columns] == ["number", "number"]
    assert program.row_columns() == [("city", "unread"), ("size", "number")]


def test_refused_rows_are_part_of_the_program():
    graph = Graph(["a", "b"])
    graph.refuse(graph.numbers([0]))
    graph.refuse(graph.elementwise("log", graph.numbers([1])))
    program = graph.program(graph.numbers([1]), "values")
    assert program.refused is not None
    columns = [np.array([1.0, np.nan, 1.0]), np.array([1.0, 1.0, -1.0])]
    (matrix,) = evaluate(program, columns, [program.refused])
    assert np.isfinite(matrix).all(axis=1).tolist() == [True, False, False]


def test_what_is_known_so_far():
    graph = Graph(["a", "b"])
    assert graph.reads_as(0) == frozenset()
    x = graph.numbers([0])
    _lookup(graph, 0, ("1",))
    assert graph.reads_as(0) == {"number", "category"}
    assert graph.reads_as(1) == frozenset()
    assert not graph.refuses(x)
    graph.refuse(x)
    assert graph.refuses(x)


def _lookup(graph, column, keys):
    values = np.arange(len(keys), dtype=float)[:, None]
    return graph.lookup(column, keys, values, missing=np.array([-1.0]), unknown=np.array([-2.0]))


def test_a_column_read_as_text_and_as_number_is_a_number():
    graph = Graph(["code"])
    codes = _lookup(graph, 0, ("3", "x", "2.5", "True", "1"))
    out = graph.concatenate([codes, graph.numbers([0])])
    program = graph.program(out, "values")
    assert program.columns[0].kind == "number"
    (lookup,) = [node for node in program.nodes if isinstance(node, Lookup)]
    assert lookup.keys.tolist() == [3.0, 2.5, 1.0]  # "1" is not there twice, as "True" is 1 too
    (answers,) = evaluate(program, [np.array([3.0, 2.5, 7.0, np.nan])])
    assert answers[:, 0].tolist() == [0.0, 2.0, -2.0, -1.0]


def test_text_keys_stay_text_where_nothing_reads_numbers():
    graph = Graph(["city"])
    program = graph.program(_lookup(graph, 0, ("Bern", "Rome")), "values")
    assert program.columns[0].kind == "category"
    cities = np.array(["Rome", None, "Oslo"], dtype=object)
    (answers,) = evaluate(program, [cities])
    assert answers[:, 0].tolist() == [1.0, -1.0, -2.0]


def test_a_column_cannot_be_a_date_and_a_text():
    graph = Graph(["when"])
    both = graph.concatenate([_lookup(graph, 0, ("a",)), graph.numbers([0], "datetime")])
    with pytest.raises(ExportError, match="'when'.*category and as datetime"):
        graph.program(both, "values")


def test_composed_steps():
    graph = Graph(["a", "b"])
    x = graph.numbers([0, 1])
    filled = graph.fill_missing(x, np.array([5.0, np.nan]))
    mean = graph.mean([x, filled])
    shares = graph.normalised(filled)
    both = graph.two_classes(graph.select(filled, [0]))
    hot = graph.one_hot(graph.argmax(filled), 2)
    out = graph.concatenate([filled, mean, shares, both, hot])
    columns = [np.array([np.nan, 1.0]), np.array([2.0, 3.0])]
    (answers,) = evaluate(graph.program(out, "values"), columns)
    np.testing.assert_allclose(
        answers,
        [[5, 2, np.nan, 2, 5 / 7, 2 / 7, -4, 5, 1, 0], [1, 3, 1, 3, 0.25, 0.75, 0, 1, 0, 1]],
    )
    assert graph.fill_missing(x, np.nan) == x


def test_columns_of_one_part_are_taken_from_that_part():
    graph = Graph(["a", "b"])
    x = graph.numbers([0, 1])
    first, second = graph.plus(x, 1.0), graph.times(x, 2.0)
    both = graph.concatenate([first, second])
    assert graph.select(both, [0, 1]) == first
    assert graph.select(both, [3]) == graph.select(second, [1])
    across = graph.select(both, [3, 0])
    (answers,) = evaluate(graph.program(across, "values"), [np.array([1.0]), np.array([5.0])])
    assert answers.tolist() == [[10.0, 2.0]]


def test_whether_only_numbers_were_read():
    graph = Graph(["a", "b", "c"])
    graph.numbers([0])
    assert graph.reads_only_numbers
    graph.numbers([1], "datetime")
    assert not graph.reads_only_numbers

"""Thresholds are followed back to the exact raw numbers."""

import numpy as np
import pytest

from stackens.export.program import Graph, Trees, evaluate
from stackens.export.verification._cuts import column_scales, cuts_of


def _int32(*values):
    return np.array(values, dtype=np.int32)


def _stumps(graph, source, thresholds):
    """One stump for each column of the source."""
    n = len(thresholds)
    return graph.add(
        Trees(
            1,
            source,
            feature=np.arange(n, dtype=np.int32),
            threshold=np.asarray(thresholds, dtype=float),
            missing_left=np.zeros(n, dtype=bool),
            category_set=np.full(n, -1, dtype=np.int32),
            left=-1 - 2 * np.arange(n, dtype=np.int32),
            right=-2 - 2 * np.arange(n, dtype=np.int32),
            root=np.arange(n, dtype=np.int32),
            offset=np.zeros(n, dtype=np.int32),
            leaf=2.0 ** np.arange(2 * n)[:, None],
            sets=(),
            base=np.zeros(1),
        )
    )


def _flips(program, column, value):
    """Whether the answer changes right above a raw number."""
    columns = [np.zeros(2) for _ in program.columns]
    columns[column] = np.array([value, np.nextafter(value, np.inf)])
    (answers,) = evaluate(program, columns)
    return answers[0, 0] != answers[1, 0]


@pytest.mark.parametrize("threshold", [0.25, 0.1, -1e-300, 1e200, 5e-324])
def test_raw_thresholds_are_taken_as_they_are(threshold):
    graph = Graph(["a", "b"])
    program = graph.program(_stumps(graph, graph.numbers([1]), [threshold]), "values")
    (cut,) = cuts_of(program, 10)
    assert (cut.column, cut.values.tolist()) == (1, [threshold])


def test_thresholds_beyond_the_most_are_counted():
    graph = Graph(["a", "b"])
    x = graph.numbers([0, 0, 0, 1])
    program = graph.program(_stumps(graph, x, [1.0, 2.0, 3.0, 4.0]), "values")
    many = graph.count(graph.numbers([1]), np.arange(12.0))
    both = graph.program(graph.concatenate([program.output, many]), "values")
    first, second = cuts_of(both, 10)
    assert (first.values.tolist(), first.n_left_out) == ([1.0, 2.0, 3.0], 0)
    assert (len(second.values), second.n_left_out) == (10, 2)
    (few, _) = cuts_of(both, 2)
    assert (len(few.values), few.n_left_out) == (2, 1)


def test_thresholds_behind_imputing_scaling_and_rounding():
    graph = Graph(["a", "b", "c"])
    x = graph.fill_missing(graph.numbers([0, 1]), np.array([3.0, 4.0]))
    scaled = graph.over(graph.minus(x, np.array([1.0, 2.0])), np.array([7.0, -3.0]))
    single = graph.elementwise("round_single", graph.numbers([2]))
    both = graph.concatenate([graph.select(scaled, [1, 0]), single])
    program = graph.program(_stumps(graph, both, [0.1, 0.25, 0.3]), "values")
    found = {cut.column: cut.values for cut in cuts_of(program, 10)}
    assert sorted(found) == [0, 1, 2]
    assert found[0].tolist() == [2.75]
    for column, values in found.items():
        assert len(values) == 1
        assert _flips(program, column, values[0])


def test_several_columns_made_of_one_take_turns():
    graph = Graph(["a"])
    x = graph.numbers([0])
    both = graph.concatenate([graph.times(x, 3.0), graph.times(x, 5.0)])
    program = graph.program(_stumps(graph, both, [0.7, 0.9]), "values")
    (cut,) = cuts_of(program, 10)
    assert len(cut.values) == 2
    assert all(_flips(program, 0, value) for value in cut.values)


def test_bins_and_knots_are_cuts_too():
    graph = Graph(["a", "b"])
    counted = graph.count(graph.minus(graph.numbers([0]), 1.0), np.array([0.0, 2.0]))
    between = graph.interpolate(graph.numbers([1]), np.array([5.0, 6.0]), np.array([0.0, 1.0]))
    program = graph.program(graph.concatenate([counted, between]), "values")
    found = {cut.column: cut.values.tolist() for cut in cuts_of(program, 10)}
    assert found[1] == [5.0, 6.0]
    np.testing.assert_allclose(found[0], [1.0, 3.0])


def test_what_several_columns_make_together_is_not_followed():
    graph = Graph(["a", "b"])
    together = graph.dense(graph.numbers([0, 1]), np.ones((2, 1)))
    assert cuts_of(graph.program(_stumps(graph, together, [1.0]), "values"), 10) == []
    graph = Graph(["a", "b"])
    product = graph.arithmetic("multiply", graph.numbers([0]), graph.numbers([1]))
    assert cuts_of(graph.program(_stumps(graph, product, [1.0]), "values"), 10) == []


def test_of_many_cuts_some_are_taken():
    graph = Graph(["a"])
    edges = np.arange(1000.0)
    program = graph.program(graph.count(graph.numbers([0]), edges), "values")
    (cut,) = cuts_of(program, 10)
    assert len(cut.values) == 10
    assert cut.values[[0, -1]].tolist() == [0.0, 999.0]


def test_scales_of_columns_that_are_standardised():
    graph = Graph(["a", "b"])
    x = graph.over(graph.minus(graph.numbers([0, 1]), np.array([10.0, -5.0])), np.array([2.0, 3.0]))
    program = graph.program(graph.dense(x, np.ones((2, 1))), "values")
    scales = column_scales(program)
    np.testing.assert_allclose(scales[0], (6.0, 14.0))
    np.testing.assert_allclose(scales[1], (-11.0, 1.0))


def test_ramps_turn_at_both_ends():
    graph = Graph(["a", "b"])
    x = graph.over(graph.minus(graph.numbers([0, 1]), np.array([1.0, 5.0])), 2.0)
    left, slope = np.array([0.5, 1.5]), np.array([1.0, 0.25])
    node = graph.ramps(x, np.array([1, 1]), left, slope, np.ones((2, 1)))
    (cut,) = cuts_of(graph.program(node, "values"), 10)
    assert cut.column == 1
    np.testing.assert_allclose(cut.values, [6.0, 8.0, 16.0], rtol=1e-15)

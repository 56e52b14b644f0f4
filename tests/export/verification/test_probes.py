"""Rows to try exports on: what they must contain."""

import numpy as np
import pytest

from stackens.export.program import Graph
from stackens.export.verification import Probes, make_probes, ordinary_rows


def _program(single=False):
    graph = Graph(["a", "city", "when", "idle"])
    counted = graph.count(graph.numbers([0]), np.array([0.3, 5.0]))
    city = graph.lookup(
        1, ("Bern", "Rome"), np.eye(2), missing=np.zeros(2), unknown=np.full(2, 9.0)
    )
    when = graph.numbers([2], "datetime")
    both = graph.concatenate([counted, city, when])
    weights = np.ones((4, 1), dtype=np.float32 if single else np.float64)
    return graph.program(graph.dense(both, weights), "values")


def test_cuts_are_there_from_both_sides():
    probes = make_probes(_program())
    assert probes.n_cuts == 6
    on_cuts = probes.columns[0][probes.n_random : probes.n_random + probes.n_cuts]
    for cut in (0.3, 5.0):
        for value in (np.nextafter(cut, -np.inf), cut, np.nextafter(cut, np.inf)):
            assert value in on_cuts


def test_odd_values_of_every_kind():
    probes = make_probes(_program())
    assert len(probes) == len(probes.columns[0])
    odd = np.arange(probes.n_random + probes.n_cuts, len(probes))
    numbers, cities, times, _ = probes.rows(odd)
    assert np.isnan(numbers).any()
    assert {np.inf, -np.inf, 5e-324, 2.0**53, 1e300} <= set(numbers)
    assert {None, "", "Bern"} <= set(cities)
    assert any(city not in (None, "Bern", "Rome") for city in cities)
    assert -62_135_596_800e6 in times


def test_single_precision_is_spared_numbers_far_away():
    numbers = make_probes(_program(single=True)).columns[0]
    assert np.nanmax(np.abs(numbers)) <= 1e6


def test_real_rows_are_where_the_others_come_from():
    given = [
        np.array([1.5, 2.5]),
        np.array(["Bern", None], dtype=object),
        np.array([0.0, 7.0]),
        np.array([3.0, 3.0]),
    ]
    probes = make_probes(_program(), given)
    ordinary = probes.rows(np.arange(probes.n_random))
    assert set(ordinary[0]) == {1.5, 2.5}
    assert set(ordinary[1]) == {"Bern", None}
    assert {(a, b) for a, b in zip(ordinary[0], ordinary[2], strict=True)} == {(1.5, 0), (2.5, 7)}
    assert given[0].tolist() == [1.5, 2.5]


def test_the_same_seed_gives_the_same_rows():
    first, second = make_probes(_program()), make_probes(_program())
    for a, b in zip(first.columns, second.columns, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_program_without_columns_to_read():
    graph = Graph(["a"])
    probes = make_probes(graph.program(graph.constant(3.0), "values"))
    assert probes.n_odd == probes.n_cuts == 0
    assert len(probes) > 0


def test_cuts_of_times_stay_within_the_calendar():
    graph = Graph(["when", "long"])
    when = graph.count(graph.numbers([0], "datetime"), np.array([0.0, 1e299]))
    long = graph.count(graph.numbers([1], "timedelta"), np.array([5.0, 1e299]))
    probes = make_probes(graph.program(graph.concatenate([when, long]), "values"))
    assert probes.n_cuts == 6
    assert np.nanmax(np.abs(probes.columns[0])) < 1e17
    assert np.nanmax(np.abs(probes.columns[1])) < 1e17


def test_many_cuts_share_rows_and_all_are_tried_from_both_sides():
    graph = Graph(["a", "b"])
    edges = [np.arange(6_000.0), np.arange(500.0) / 7.0]
    counts = [graph.count(graph.numbers([j]), edges[j]) for j in range(2)]
    probes = make_probes(graph.program(graph.concatenate(counts), "values"))
    assert (probes.n_cuts_tried, probes.n_cuts_left_out) == (6_500, 0)
    assert probes.n_cuts < 3 * 6_500
    rows = probes.parts()[1]
    for column, cuts in zip(probes.columns, edges, strict=True):
        around = np.concatenate([np.nextafter(cuts, -np.inf), cuts, np.nextafter(cuts, np.inf)])
        assert np.isin(around, column[rows]).all()
    fewer = make_probes(graph.program(counts[1], "values"))
    assert (fewer.n_cuts, fewer.n_cuts_tried) == (1_500, 500)


def test_cuts_that_are_too_many_are_counted():
    graph = Graph(["a"])
    counted = graph.count(graph.numbers([0]), np.arange(21_000.0))
    probes = make_probes(graph.program(counted, "values"))
    assert (probes.n_cuts_tried, probes.n_cuts_left_out) == (20_000, 1_000)
    assert probes.n_cuts == 60_000


def test_times_are_whole_microseconds_as_in_a_source():
    graph = Graph(["when", "long"])
    when = graph.count(graph.numbers([0], "datetime"), np.array([1_600_000_000_000_000.25, 7.0]))
    long = graph.count(graph.numbers([1], "timedelta"), np.array([5.0000005, 7.0]))
    probes = make_probes(graph.program(graph.concatenate([when, long]), "values"))
    moments, durations = (column[~np.isnan(column)] for column in probes.columns)
    np.testing.assert_array_equal(moments, np.round(moments))
    assert {1.6e15, 1.6e15 + 1, 6.0, 7.0, 8.0} <= set(moments)
    np.testing.assert_array_equal(durations, np.round(durations * 1e6) / 1e6)
    assert {5.0, 5.000001, 6.999999, 7.0, 7.000001} <= set(durations)


@pytest.mark.parametrize("cuts", [[-1.7e308, 1.7e308], [1.7e308], [-1.7e308]])
def test_cuts_as_far_out_as_doubles_go(cuts):
    graph = Graph(["a"])
    counted = graph.count(graph.numbers([0]), np.array(cuts))
    probes = make_probes(graph.program(counted, "values"))
    ordinary = probes.columns[0][: probes.n_random]
    assert np.nanmax(np.abs(ordinary)) <= 1e300


def test_odd_durations_are_such_as_columns_hold():
    graph = Graph(["long"])
    probes = make_probes(graph.program(graph.numbers([0], "timedelta"), "values"))
    assert np.isnan(probes.columns[0]).any()
    assert 1e-6 in probes.columns[0]
    assert np.nanmax(np.abs(probes.columns[0])) * 1e6 < 2.0**63


def test_few_rows_of_each_sort():
    columns = [np.arange(100.0)]
    few = Probes(columns, 60, 30, 10).few(8)
    assert (few.n_random, few.n_cuts, few.n_odd) == (8, 8, 5)
    assert np.all(np.diff(few.columns[0]) > 0)
    assert few.columns[0][[0, 8, 16]].tolist() == [0.0, 60.0, 90.0]
    none = Probes([np.arange(3.0)], 3, 0, 0).few(8)
    assert (len(none), none.n_cuts) == (3, 0)


def test_ordinary_rows_lie_where_the_cuts_do():
    graph = Graph(["a", "kind"])
    counted = graph.count(graph.numbers([0]), np.linspace(5.0, 6.0, 300))
    code = graph.lookup(1, ["x", "y"], np.eye(2), missing=np.zeros(2), unknown=np.ones(2))
    program = graph.program(graph.concatenate([counted, code]), "values")
    number, kind = ordinary_rows(program, 40)
    known = number[~np.isnan(number)]
    assert len(number) == len(kind) == 40
    assert known.min() > 4.5
    assert known.max() < 6.5
    assert {"x", "y"} <= set(kind)
    np.testing.assert_array_equal(number, ordinary_rows(program, 40)[0])


def test_columns_that_nothing_reads_have_few_values():
    probes = make_probes(_program())
    read, idle = probes.columns[0], probes.columns[3]
    assert 20 < len(np.unique(idle[~np.isnan(idle)])) <= 50
    assert len(np.unique(read)) > 1000

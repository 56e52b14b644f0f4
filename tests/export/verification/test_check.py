"""Comparing answers: what counts as equal, and how a mismatch is told."""

import numpy as np
import pytest

from stackens.exceptions import ExportMismatchError
from stackens.export.program import Graph, evaluate
from stackens.export.verification import (
    check,
    largest_difference,
    make_probes,
    size_of,
    tolerance_of,
)


class _Evaluated:
    """A runner that evaluates a program, and may be made to err."""

    def __init__(self, program, spoil=None):
        self.program, self.spoil = program, spoil

    def outputs(self, columns):
        (answers,) = evaluate(self.program, columns)
        return answers if self.spoil is None else self.spoil(answers)

    def ask(self, row):
        raise NotImplementedError


@pytest.fixture
def program():
    graph = Graph(["a"])
    return graph.program(graph.count(graph.numbers([0]), np.array([0.3])), "values")


@pytest.mark.parametrize(
    ("expected", "got", "difference"),
    [
        (1.0, 1.0, 0.0),
        (np.nan, np.nan, 0.0),
        (np.inf, np.inf, 0.0),
        (0.5, 0.25, 0.25),
        (100.0, 99.0, 0.01),
        (np.nan, 1.0, np.inf),
        (1.0, np.nan, np.inf),
        (np.inf, 1.0, np.inf),
        (np.inf, -np.inf, np.inf),
    ],
)
def test_differences(expected, got, difference):
    found, row = largest_difference(np.array([[0.0], [expected]]), np.array([[0.0], [got]]))
    assert found == difference
    assert row == (1 if difference else 0)


def test_no_rows_do_not_differ():
    assert largest_difference(np.zeros((0, 2)), np.zeros((0, 2))) == (0.0, 0)


def test_small_answers_among_large_ones_differ_by_their_size():
    expected = np.array([[1e6, 0.5], [-3e6, np.nan], [0.25, 0.5], [2e6, np.inf]])
    size = size_of(expected)
    assert size.tolist() == pytest.approx([2.85e6, 1.0])
    got = expected + np.array([[0.0, 0.0], [0.0, 0.0], [0.285, 0.0], [0.0, 0.0]])
    assert largest_difference(expected, got, size) == (pytest.approx(1e-7), 2)
    assert largest_difference(expected, got) == (pytest.approx(0.285), 2)
    assert size_of(np.zeros((0, 2))).tolist() == [1.0, 1.0]


def test_an_exact_file_passes(program):
    probes = make_probes(program)
    (expected,) = evaluate(program, probes.columns)
    found = check(_Evaluated(program), program, probes, expected, tolerance_of(program))
    assert found.max_difference == 0.0
    assert found.n_rows == len(probes)
    assert found.n_cuts == 3
    assert found.tolerance == 1e-10


def test_one_wrong_row_in_thousands_is_named(program):
    probes = make_probes(program)
    (expected,) = evaluate(program, probes.columns)
    expected = expected.copy()
    row = probes.n_random + 1  # on the cut itself
    expected[row] += 0.25
    with pytest.raises(ExportMismatchError, match=r"0\.2 in a batch.*'a': 0\.3"):
        check(_Evaluated(program), program, probes, expected, 1e-10)


def test_single_rows_are_tried_as_well(program):
    probes = make_probes(program)
    (expected,) = evaluate(program, probes.columns)
    wrong_alone = _Evaluated(program, lambda a: a + 1.0 if len(a) == 1 else a)
    with pytest.raises(ExportMismatchError, match="batch of 1"):
        check(wrong_alone, program, probes, expected, 1e-10)


def test_single_precision_has_its_own_tolerance():
    graph = Graph(["a"])
    weights = np.ones((1, 1), dtype=np.float32)
    program = graph.program(graph.dense(graph.numbers([0]), weights), "values")
    assert tolerance_of(program) == 1e-5

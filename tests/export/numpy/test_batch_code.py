"""Tests for programs as functions of arrays."""

import numpy as np
import pytest

from stackens.export.numpy._batch_code import batch_function, plain_constants
from stackens.export.program import Graph, Program
from tests.export.numpy.opened import logistic, opened
from tests.export.random_programs import assert_agrees, random_program


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed, tmp_path):
    program, columns = random_program(seed)
    assert_agrees(program, columns, opened(program, tmp_path, "numpy").outputs(columns))


def test_the_function_reads_like_the_program():
    assert "\n".join(batch_function(logistic())).endswith(
        "    m11 = 1.0 / (1.0 + np.exp(-m10))\n"
        "    m12 = VALUES_12[None, :]\n"
        "    m13 = m12 - m11\n"
        "    m14 = np.hstack([m13, m11])\n"
        "    return m14, None"
    )


@pytest.mark.parametrize("n", [0, 1, 5])
def test_what_is_the_same_for_all_rows(n, tmp_path):
    graph = Graph(["a"])
    constant = graph.elementwise("exp", graph.constant([0.0, 1.0]))
    columns = [np.arange(float(n))]
    alone = opened(graph.program(constant, "values"), tmp_path, "numpy").outputs(columns)
    np.testing.assert_array_equal(alone, np.tile(np.exp([0.0, 1.0]), (n, 1)))
    both = graph.concatenate([graph.numbers([0]), constant])
    graph.refuse(graph.constant([np.nan]))
    runner = opened(graph.program(both, "values"), tmp_path, "numpy")
    assert np.isnan(runner.outputs(columns)).all()
    assert runner.outputs(columns).shape == (n, 3)


def test_many_rows_are_answered_in_parts(tmp_path):
    runner = opened(logistic(refuse=True), tmp_path, "numpy")
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=1000), rng.normal(size=1000)]
    columns[0][::7] = np.nan
    columns.append(rng.choice(np.array(["Oslo", "Rome", "Bern", None], dtype=object), 1000))
    whole = runner.outputs(columns)
    assert 0 < np.isnan(whole[:, 0]).sum() < 1000
    runner.module.ROWS_AT_A_TIME = 64
    np.testing.assert_allclose(runner.outputs(columns), whole, rtol=1e-14)


def test_lookups_hold_their_tables():
    program: Program = logistic()
    node = next(n for n in program.nodes if type(n).__name__ == "Lookup")
    (table,) = plain_constants(3, node, program).values()
    assert eval(table) == {"Oslo": (1.0, 0.0), "Rome": (0.0, 1.0)}

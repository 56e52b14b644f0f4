"""Single rows in memory that stays bound."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._bound_row import BoundRow, picker
from stackens.export.program import Graph


def bound_and_session():
    graph = Graph(["a", "unread", "b"])
    program = graph.program(graph.numbers([2, 0]), "values", one_target=False)
    runner = open_onnx(write_onnx(program, "{}"))
    return BoundRow(runner.session, "X", "predictions", [0, None, 2], 3, (2,)), runner


def test_each_row_gets_an_answer_of_its_own():
    bound, _ = bound_and_session()
    first = bound.ask([1.0, "unread", 2.0])
    second = bound.ask((np.float32(0.5), None, Decimal("0.25")))
    assert (first.tolist(), second.tolist()) == ([2.0, 1.0], [0.25, 0.5])


@pytest.mark.parametrize(
    "row",
    [[1.0, 0.0], [1.0, 0.0, 2.0, 3.0], [1.0, 0.0, None], [1.0, 0.0, "2"], [10**400, 0.0, 1.0]],
)
def test_rows_that_need_careful_reading(row):
    bound, _ = bound_and_session()
    assert bound.ask(row) is None
    assert bound.ask([3.0, 0.0, 4.0]).tolist() == [4.0, 3.0]


def test_threads_do_not_write_into_each_others_rows():
    _, runner = bound_and_session()
    rows = [[float(i), 0.0, float(-i)] for i in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(runner.ask, rows))
    np.testing.assert_array_equal(answers, [[row[2], row[0]] for row in rows])


def test_a_model_that_reads_nothing():
    graph = Graph(["a", "b"])
    runner = open_onnx(write_onnx(graph.program(graph.constant([2.0]), "values"), "{}"))
    assert runner.ask([1.0, 2.0]) == 2.0
    assert runner.ask(["text", None]) == 2.0


def test_picker():
    assert picker([2, 0])("abc") == ("c", "a")
    assert picker([1])("abc") == ("b",)
    assert picker([])("abc") == ()

"""Tests for the Python part of extensions, run as the extension runs it."""

import sys

import numpy as np
import pytest

from stackens.export.c._python_part import is_one_number, python_part
from stackens.export.program import Graph
from tests.export.c.built import mixed, ratio

INPUT = [("age", "number"), ("city", "category"), ("unread", "unread"), ("seen", "datetime")]


def run(program, columns=INPUT):
    namespace = {"INPUT": columns}
    exec(compile(python_part(program), "part", "exec"), namespace)
    return namespace


def test_rows_of_rare_forms():
    part = run(mixed())
    rows, is_one_row = part["rows_in_python"]({"age": True, "city": 3, "seen": "1970-01-02"})
    assert is_one_row
    assert rows[0][:2] == [1.0, "3"]
    assert rows[0][3] == 86_400e6
    assert not part["ALL_NUMBERS"]
    assert len(part["COLUMN_READERS"]) == 4


def test_arrays_of_numbers_become_doubles():
    part = run(ratio(), [("a", "number"), ("b", "number")])
    assert part["ALL_NUMBERS"]
    array, is_one_row = part["rows_in_python"](np.arange(4, dtype=np.int8).reshape(2, 2))
    assert array.dtype == np.float64
    assert not is_one_row
    with pytest.raises(ValueError, match="must have 2 values"):
        part["rows_in_python"](np.ones((2, 3), dtype=np.float32))


def test_arrays_of_numbers_have_no_moments():
    part = run(ratio(), [("a", "number"), ("b", "datetime")])
    assert not part["ALL_NUMBERS"]
    with pytest.raises(ValueError, match="Column 'b' must hold moments"):
        part["rows_in_python"](np.ones((2, 2)))
    rows, _ = part["rows_in_python"](np.full((2, 2), np.nan))
    assert np.isnan(rows).all()


def test_refusals_name_row_and_column():
    part = run(mixed())
    assert "The row must be one" in part["refused"]([None, "Oslo", 0, None], 0)
    said = part["refused"]([[1.0, "Oslo", 0, None], [np.inf, "Oslo", 0, None]], 1)
    assert said.startswith("Row 1 must be")
    assert "age=inf" in said


@pytest.mark.parametrize("with_numpy", [True, False])
def test_answers(monkeypatch, with_numpy):
    if not with_numpy:
        monkeypatch.setitem(sys.modules, "numpy", None)
    part = run(mixed())
    data = bytearray(np.array([[0.25, 0.75], [0.5, 0.5]]).tobytes())
    proba, labels = part["finished"](data, 2, 0), part["finished"](data, 2, 1)
    assert isinstance(proba, np.ndarray) == with_numpy
    assert np.asarray(proba).tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert list(labels) == ["yes", "no"]
    assert len(part["finished"](bytearray(), 0, 0)) == 0
    scores = run(ratio(response="scores", classes=np.array([3, 5])), [("a", "number")])
    data = bytearray(np.array([-1.0, 1.0]).tobytes())
    assert list(scores["finished"](data, 2, 1)) == [3, 5]
    assert list(scores["finished"](data, 2, 0)) == [-1, 1]


def test_one_number():
    assert is_one_number(ratio())
    assert not is_one_number(ratio(one_target=False))
    assert is_one_number(ratio(response="scores", classes=np.array([0, 1])))
    graph = Graph(["a"])
    both = graph.program(graph.two_classes(graph.numbers([0])), "probabilities", np.array([0, 1]))
    assert not is_one_number(both)

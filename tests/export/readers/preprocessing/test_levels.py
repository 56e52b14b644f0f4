"""Tests of what an encoder's categories become, and of columns looked up in every way."""

import numpy as np
import pandas as pd
import pytest

from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers._table import ComputedColumn, RawColumn
from stackens.export.readers.preprocessing._levels import levels_of, map_column


@pytest.mark.parametrize(
    ("categories", "keys", "missing", "is_nan"),
    [
        (np.array(["a", "b"]), ("a", "b"), None, False),
        (np.array(["a", None], dtype=object), ("a",), 1, False),
        (np.array(["a", np.nan], dtype=object), ("a",), 1, True),
        (np.array([None], dtype=object), (), 0, False),
    ],
)
def test_text(categories, keys, missing, is_nan):
    levels = levels_of(categories, None, filled=False)
    assert (levels.keys, levels.missing, levels.missing_is_nan) == (keys, missing, is_nan)


@pytest.mark.parametrize(
    ("categories", "keys", "missing"),
    [
        (np.array([1, 5]), [1, 5], None),
        (np.array([True, False]), [1, 0], None),
        (np.array([0.5, np.nan]), [0.5], 1),
        (np.array([1, 2.5, True, None], dtype=object), [1, 2.5, 1], 3),
        (np.array([0.1], dtype=np.float32), [float(np.float32(0.1))], None),
    ],
)
def test_numbers(categories, keys, missing):
    levels = levels_of(categories, None, filled=False)
    assert isinstance(levels.keys, np.ndarray)
    assert (levels.keys.tolist(), levels.missing) == (keys, missing)


@pytest.mark.parametrize(
    ("categories", "filled", "message"),
    [
        (np.array(["a", None, np.nan], dtype=object), False, "one kind"),
        (np.array(["a", None], dtype=object), True, "one kind"),
        (np.array([2**53 + 2]), False, "2\\*\\*53"),
        (np.array([pd.Timestamp("2020-01-01")], dtype=object), False, "Timestamp"),
        (np.array([b"a", b"b"]), False, "bytes"),
    ],
)
def test_refused(categories, filled, message):
    with pytest.raises(ExportError, match=message):
        levels_of(categories, "the encoder", filled=filled)


VALUES = np.array([[1.0, 10.0], [2.0, 20.0]])
MISSING, UNKNOWN = np.array([3.0, 30.0]), np.array([4.0, np.nan])


def looked_up(column_of, keys, values, missing=MISSING, unknown=UNKNOWN):
    graph = Graph(["x"])
    column = column_of(graph)
    node = map_column(graph, column, keys, values, missing=missing, unknown=unknown)
    program = graph.program(node, "values")
    kind = program.columns[0].kind
    column = {"number": [7.0, np.nan, 8.0, 9.0], "category": ["7", None, "8", "9"]}[kind]
    dtype = float if kind == "number" else object
    return evaluate(program, [np.array(column, dtype=dtype)])[0][:, 0].tolist()


def computed(graph):
    return ComputedColumn(graph.concatenate([graph.constant(0.0), graph.numbers([0])]), 1)


@pytest.mark.parametrize("keys", [("7", "8"), np.array([7.0, 8.0])], ids=["text", "numbers"])
@pytest.mark.parametrize(
    ("fill", "filled"), [(None, 3), (8, 2), ("8", 2), (1, 4), ("z", 4), (7.0, 1)]
)
def test_raw_columns(keys, fill, filled):
    if isinstance(fill, str) and isinstance(keys, np.ndarray):
        filled = 4  # text is none of the numbers
    assert looked_up(lambda _: RawColumn(0, fill), keys, VALUES) == [1, filled, 2, 4]


def test_computed_columns():
    assert looked_up(computed, np.array([7.0, 8.0]), VALUES) == [1, 3, 2, 4]
    assert looked_up(computed, np.array([7.0, 8.0]), VALUES, missing=UNKNOWN) == [1, 4, 2, 4]
    zeros = np.zeros(2)
    found = looked_up(computed, np.array([7.0, 8.0]), np.eye(2), missing=zeros, unknown=zeros)
    assert found == [1, 0, 0, 0]


@pytest.mark.parametrize("column", [computed, lambda _: RawColumn(0)])
def test_no_key_at_all(column):
    assert looked_up(column, (), np.zeros((0, 2))) == [4, 3, 4, 4]


def test_text_keys_of_a_computed_column_are_refused():
    with pytest.raises(ExportError, match="Encode the raw column"):
        looked_up(computed, ("7", "8"), VALUES)

"""Tests for telling why a row is refused."""

import math

from stackens.export.numpy._refusals import RefusedRow, refusal

COLUMNS = [("age", "number"), ("town", "category"), ("size", "number")]
BEHIND = [[0], [1], [0, 2]]


def test_the_strange_value_is_named():
    error = refusal("Row 4", [math.nan, "Rome", 1e39], [math.nan, 0.0, 1.0], COLUMNS, BEHIND)
    assert str(error).startswith("Row 4 must be one that the model takes. Got age=nan, which")
    error = refusal("Row 4", [1.0, "Rome", 1e39], [0.0, 0.0, math.inf], COLUMNS, BEHIND)
    assert "Got size=1e+39, which" in str(error)


def test_where_none_is_strange_all_behind_are_named():
    error = refusal("The row", [1.0, "Rome", 2.0], [0.0, math.nan, math.nan], COLUMNS, BEHIND)
    assert "Got age=1.0, town='Rome', size=2.0, which" in str(error)


def test_many_are_cut_short():
    columns = [(f"x{i}", "number") for i in range(9)]
    error = refusal("Row 0", [math.nan] * 9, [math.nan], columns, [list(range(9))])
    assert "x4=nan and 4 more" in str(error)


def test_a_refused_row_is_a_value_error():
    assert issubclass(RefusedRow, ValueError)

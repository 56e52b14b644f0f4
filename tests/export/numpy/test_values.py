"""Tests for reading single values and rows."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.export.numpy import columns_of, is_one_row, row_reader, row_values, rows_of
from stackens.export.numpy._values import READERS, frame_columns
from stackens.preprocessing._reading import level_text

MISSING = [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
UTC_PLUS_2 = dt.timezone(dt.timedelta(hours=2))
MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)


@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("kind", ["number", "datetime", "timedelta"])
def test_missing_values_of_numbers_are_nan(kind, value):
    assert math.isnan(READERS[kind](value, "x"))


@pytest.mark.parametrize("value", [*MISSING, np.timedelta64("NaT")])
def test_a_missing_category_is_none(value):
    assert READERS["category"](value, "x") is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1.0),
        (np.bool_(False), 0.0),
        (3, 3.0),
        (2**53 + 1, 2.0**53),
        (-0.5, -0.5),
        (Decimal("0.1"), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.uint8(255), 255.0),
        (np.array(4), 4.0),
        (math.inf, math.inf),
    ],
)
def test_numbers(value, number):
    read = READERS["number"](value, "x")
    assert type(read) is float
    assert read == number


@pytest.mark.parametrize(
    "value", ["3", b"3", np.str_("3"), 1j, [1.0], dt.date(2024, 1, 1), np.array([1.0]), 10**400]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="Column 'age' must hold numbers"):
        READERS["number"](value, "age")


CATEGORIES = ["", "NA", "naïve", np.str_("a"), b"na\xc3\xafve", b"\xff", True, np.bool_(False)]
CATEGORIES += [3, -7, np.int8(3), 3.0, -0.0, 0.1, 2.0**53, 1e300, -1e17, math.inf]
CATEGORIES += [np.float32(0.1), np.float64(2.0)]


@pytest.mark.parametrize("value", CATEGORIES)
def test_categories_are_the_texts_that_the_encoder_makes(value):
    read = READERS["category"](value, "x")
    assert type(read) is str
    assert read == level_text(value, "x")


@pytest.mark.parametrize("value", [[1], {"a": 1}, dt.date(2024, 1, 1), 1j, np.array(["a"])])
def test_what_is_no_category_is_refused(value):
    with pytest.raises(TypeError, match="Column 'town' must hold text, numbers or booleans"):
        READERS["category"](value, "town")


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.isoformat(),
        MOMENT.isoformat() + "Z",
        MOMENT.replace(tzinfo=dt.UTC),
        (MOMENT + dt.timedelta(hours=2)).replace(tzinfo=UTC_PLUS_2),
        pd.Timestamp(MOMENT),
        pd.Timestamp(MOMENT, tz="UTC").tz_convert("America/New_York"),
        np.datetime64(MOMENT, "ns"),
        np.datetime64(MOMENT, "us"),
    ],
)
def test_moments(value):
    wanted = (MOMENT - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
    assert READERS["datetime"](value, "x") == float(wanted)


def test_rows_of_moments_are_read_value_by_value():
    read = row_reader([("s", "datetime"), ("t", "number")])
    assert read(["1970-01-02", 3.0]) == [86_400e6, 3.0]
    with pytest.raises(ValueError, match="Column 's' must hold moments. Got 3.0 of type float"):
        read([3.0, 3.0])


def test_periods_are_the_categories_that_encoders_make_of_them():
    period = pd.Period("2024-02", "M")
    assert READERS["category"](period, "x") == level_text(period, "x") == "2024-02"
    assert READERS["category"](pd.NaT, "x") is None


def test_moments_before_1970_and_dates():
    assert READERS["datetime"](dt.date(1969, 12, 31), "x") == -86_400e6
    assert READERS["datetime"](dt.datetime(1969, 12, 31, 23, 59, 59, 999999), "x") == -1.0


@pytest.mark.parametrize(
    "value",
    ["yesterday", dt.timedelta(1), [1], 1.5e9, 0, True, np.float64(1.5e15), np.bool_(False)],
)
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(ValueError, match="Column 'when' must hold moments"):
        READERS["datetime"](value, "when")


@pytest.mark.parametrize(
    "value",
    [dt.timedelta(seconds=1.5), pd.Timedelta("1.5s"), np.timedelta64(1500, "ms"), 1.5],
)
def test_durations(value):
    assert READERS["timedelta"](value, "x") == 1.5


def test_what_is_no_duration_is_refused():
    with pytest.raises(ValueError, match="Column 'lasts' must hold durations"):
        READERS["timedelta"]("1 s", "lasts")


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ({"a": 1}, True),
        ([1, "x"], True),
        ((1, 2), True),
        (np.zeros(3), True),
        (pd.Series([1, 2]), True),
        ([], False),
        ([[1]], False),
        ([{"a": 1}], False),
        ([np.zeros(2)], False),
        (np.zeros((1, 3)), False),
        (pd.DataFrame({"a": [1]}), False),
        (pl.DataFrame({"a": [1]}), False),
    ],
)
def test_is_one_row(rows, answer):
    assert is_one_row(rows) is answer


@pytest.mark.parametrize("rows", [3, "text", np.zeros((2, 2, 2)), None, {1, 2}])
def test_what_are_no_rows_is_refused(rows):
    with pytest.raises(TypeError, match="Rows must be a dict, a list"):
        is_one_row(rows)


COLUMNS = [("a", "number"), ("b", "category"), ("c", "unread")]


@pytest.mark.parametrize(
    "row",
    [
        {"b": "x", "more": 0, "a": 1},
        [1, "x", 0],
        (1, "x", 0),
        np.array([1, "x", 0], dtype=object),
        pd.Series({"b": "x", "a": 1}),
        pd.Series([1, "x", 0]),
        pl.Series([1, "x", 0], dtype=pl.Object),
    ],
)
def test_row_values(row):
    assert row_values(row, COLUMNS)[:2] == [1, "x"]


def test_a_series_is_read_by_name_where_the_model_has_names():
    turned = pd.Series({"size b": "x", "idle": 0, "size_a": 1})
    columns = [("size_a", "number"), ("size_b", "category"), ("idle", "unread")]
    assert row_values(turned, columns) == [1, "x", 0]
    other = turned.rename({"size_a": "first"})
    with pytest.raises(ValueError, match="lacks the column 'size_a'"):
        row_values(other, columns)
    assert row_values(other, columns, named=False) == ["x", 0, 1]
    for rows in (other, [other]):
        with pytest.raises(ValueError, match="lacks the column 'size_a'"):
            read(rows, columns)
        with pytest.raises(ValueError, match="lacks the column 'size_a'"):
            columns_of(rows, columns)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, "Row 7 lacks the column 'b'. Got 'a'."),
        ({}, "Row 7 lacks the columns 'a', 'b'."),
        ([1, "x"], "Row 7 must have 3 values, one for each of the columns 'a', 'b', 'c'. Got 2."),
        (5, "Row 7 must have 3 values"),
    ],
)
def test_rows_that_lack_values_are_refused(row, message):
    with pytest.raises(ValueError, match=message):
        row_values(row, COLUMNS, "Row 7")


def read(rows, columns=COLUMNS, named=True):
    return rows_of(rows, columns, named, row_reader(columns))


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": 1, "b": "x"}, {"a": None, "b": None}],
        [[1, "x", 0], [None, None, 0]],
        np.array([[1, "x", 0], [None, None, 0]], dtype=object),
        pd.DataFrame({"b": ["x", None], "more": 1, "a": [1, None]}),
        pl.DataFrame({"b": ["x", None], "a": [1, None]}),
    ],
)
def test_rows_of(rows):
    found, one = read(rows)
    assert not one
    assert [row[1] for row in found] == ["x", None]
    assert found[0][0] == 1.0
    assert all(type(row[0]) is float for row in found)
    assert math.isnan(found[1][0])


def test_frames_of_models_without_names_are_read_by_place():
    frame = pd.DataFrame([[1, "x", 0]], columns=["b", "a", "q"])
    assert read(frame, named=False)[0][0][:2] == [1.0, "x"]
    with pytest.raises(ValueError, match="must have 3 columns"):
        read(frame.iloc[:, :2], named=False)


def test_frames_must_have_each_column_once():
    with pytest.raises(ValueError, match="The frame lacks the column 'b'"):
        read(pd.DataFrame({"a": [1]}))
    with pytest.raises(ValueError, match="Got 'a' 2 times"):
        read(pd.DataFrame([[1, 2, "x"]], columns=["a", "a", "b"]))


def test_moments_in_arrays():
    row = np.array(["2024-02-29T12:30:15.123456", "NaT"], dtype="M8[ns]")
    (values,), one = read(row, [("s", "datetime"), ("t", "datetime")])
    assert one
    assert values[0] == READERS["datetime"](MOMENT, "s")
    assert math.isnan(values[1])


def test_a_list_of_floats_is_not_copied_and_a_category_of_floats_is_read():
    values = [1.5, 2.0]
    assert row_reader([("a", "number"), ("b", "number")])(values) is values
    assert row_reader([("a", "number"), ("b", "category")])(values) == [1.5, "2"]


def test_names_as_lightgbm_writes_them():
    columns = [("mean_size", "number"), ("b", "number"), ("idle", "unread")]
    assert row_values({"b": 2.0, "mean size": 1.0}, columns) == [1.0, 2.0, None]
    frame = pd.DataFrame({"mean size": [1.0], "b": [2.0]})
    found = frame_columns(frame, columns, True)
    assert [None if c is None else c.tolist() for c in found] == [[1.0], [2.0], None]
    both = frame.assign(mean_size=[7.0])
    assert frame_columns(both, columns, True)[0].tolist() == [7.0]


def test_names_that_are_numbers_and_that_lightgbm_writes_as_text():
    columns = [("10", "number"), ("20", "number")]
    frame = pd.DataFrame([[2.0, 1.0]], columns=[20, 10])
    for row in (frame.iloc[0], {20: 2.0, 10: 1.0}, {"20": 2.0, "10": 1.0}):
        assert row_values(row, columns) == [1.0, 2.0]
    assert [c.tolist() for c in frame_columns(frame, columns, True)] == [[1.0], [2.0]]
    with pytest.raises(ValueError, match="Got '20' 2 times"):
        frame_columns(frame[[20, 10, 20]], columns, True)


def test_dicts_of_numbered_columns_are_rows_where_columns_have_no_names():
    columns = [("x0", "number"), ("x1", "number")]
    assert row_values({1: 5.0, 0: 4.0}, columns, named=False) == [4.0, 5.0]
    assert row_values({"x1": 5.0, "x0": 4.0}, columns, named=False) == [4.0, 5.0]
    for row, named in [({0: 4.0, 1: 5.0}, True), ({0: 4.0}, False), ({0: 4.0, 2: 5.0}, False)]:
        with pytest.raises(ValueError, match="lacks the columns 'x0', 'x1'"):
            row_values(row, columns, named=named)

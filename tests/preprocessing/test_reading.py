"""Kinds, numbers and levels of columns, whatever library and type they come in."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from stackens.preprocessing import _reading as reading


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


NUMERIC = [
    np.array([1, 2]),
    np.array([1.5, np.nan], dtype=np.float32),
    pd.array([1, None], dtype="Int64"),
    pd.array([1.5, None], dtype="Float32"),
    objects(1, 2.5, None),
    objects(Decimal("1.5"), np.nan),
    pd.arrays.SparseArray([0.0, 1.0]),
]
BOOLEAN = [np.array([True, False]), pd.array([True, None], dtype="boolean"), objects(True, None)]
CATEGORICAL = [
    pd.array(["a", None], dtype="string"),
    pd.array(["a", None], dtype="str"),
    pd.Categorical([1, 2]),
    objects("a", 1, None),
    objects("1", "2"),
    np.array(["a", "b"]),
    pd.period_range("2020-01", periods=2, freq="M").array,
]
DATETIME = [
    np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
    pd.to_datetime(["2020-01-01", None]).tz_localize("UTC").array,
    objects(dt.date(2020, 1, 1), None),
    objects(pd.Timestamp("2020-01-01"), pd.NaT),
]
TIMEDELTA = [np.array([1, 2], dtype="m8[s]"), objects(dt.timedelta(1), None)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [("numeric", v) for v in NUMERIC]
    + [("boolean", v) for v in BOOLEAN]
    + [("categorical", v) for v in CATEGORICAL]
    + [("datetime", v) for v in DATETIME]
    + [("timedelta", v) for v in TIMEDELTA]
    + [("missing", objects(None, np.nan)), ("complex", np.array([1j]))],
)
def test_kind_of_column(kind, values):
    assert reading.column_kind(values) == kind


@pytest.mark.parametrize("values", NUMERIC + BOOLEAN)
def test_numbers_are_read_as_doubles_with_nan(values):
    read = reading.numbers(values, "numeric", "c")
    wanted = [np.nan if pd.isna(v) else float(v) for v in values]
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read[:, 0], wanted)


@pytest.mark.parametrize("text", ["2020-02-29T23:59:59.5", "1969-12-31T01:00", "0001-01-01T00:00"])
def test_parts_of_a_date_agree_with_the_standard_library(text):
    stamp = dt.datetime.fromisoformat(text)
    (parts,) = reading.numbers(np.array([text], dtype="M8[us]"), "datetime", "c")
    days = (stamp - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
    assert parts.tolist() == [days, stamp.year, stamp.month, stamp.weekday(), stamp.hour]


def test_one_moment_has_the_same_parts_however_it_is_stored():
    polars = pytest.importorskip("polars")
    berlin = pd.Series(pd.to_datetime(["2020-01-01 00:30", None])).dt.tz_localize("Europe/Berlin")
    naive = berlin.dt.tz_convert("UTC").dt.tz_localize(None)
    columns = [
        berlin.array,
        berlin.astype(object).to_numpy(),
        naive.to_numpy(),
        naive.astype("M8[s]").to_numpy(),
        reading.column(polars.DataFrame({"t": naive.to_numpy()}), 0),
    ]
    read = [reading.numbers(values, "datetime", "t") for values in columns]
    assert read[0][0].tolist() == [18261 + 23.5 / 24, 2019, 12, 1, 23]
    assert np.isnan(read[0][1]).all()
    for other in read[1:]:
        np.testing.assert_array_equal(other, read[0])


def test_moments_of_arrow():
    pa = pytest.importorskip("pyarrow")
    stamps = pd.to_datetime(["2020-01-01 00:30", None])
    for zone in (None, "UTC"):
        values = pd.array(stamps.tz_localize(zone), dtype=pd.ArrowDtype(pa.timestamp("us", zone)))
        read = reading.numbers(values, "datetime", "t")
        np.testing.assert_array_equal(read, reading.numbers(stamps.to_numpy(), "datetime", "t"))


def test_durations_are_seconds():
    polars = pytest.importorskip("polars")
    values = [dt.timedelta(hours=1), None, dt.timedelta(microseconds=-500_000)]
    for column in (
        pd.Series(values, dtype="m8[ns]").to_numpy(),
        objects(*values),
        reading.column(polars.DataFrame({"t": values}), 0),
    ):
        read = reading.numbers(column, "timedelta", "t")
        np.testing.assert_array_equal(read, [[3600.0], [np.nan], [-0.5]])


@pytest.mark.parametrize(
    ("kind", "values", "example"),
    [
        ("numeric", objects(1, "3.5"), "'3.5' of type str"),
        ("numeric", np.array(["3.5"]), "'3.5'"),
        ("numeric", pd.array(["x", None], dtype="str"), "'x' of type str"),
        ("boolean", objects("yes"), "'yes' of type str"),
        ("numeric", np.array(["2020-01-01"], dtype="M8[s]"), "of type datetime64"),
        ("numeric", np.array([1j]), "of type complex128"),
        ("datetime", np.array([20200101]), "of type int64"),
        ("timedelta", objects("1 day"), "'1 day' of type str"),
    ],
)
def test_another_kind_than_in_fit_is_an_error_with_name_and_example(kind, values, example):
    with pytest.raises(ValueError, match=f"Column 'age' must be {kind}.*{example}.*[Cc]onvert"):
        reading.numbers(values, kind, "age")


@pytest.mark.parametrize("kind", sorted(reading.PARTS))
@pytest.mark.parametrize(
    "values",
    [np.array([np.nan]), objects(None), objects(pd.NA), np.array(["NaT"], dtype="M8[ns]")],
)
def test_a_column_without_values_can_be_read_as_any_kind(kind, values):
    read = reading.numbers(values, kind, "c")
    assert read.shape == (1, len(reading.PARTS[kind]))
    assert np.isnan(read).all()


def test_categories_of_numbers_are_numbers_again():
    values = pd.Categorical([3, None, 1])
    read = reading.numbers(values, "numeric", "c")
    np.testing.assert_array_equal(read, [[3], [np.nan], [1]])


# ------------------------------------------------------------------ levels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("NA", "NA"),
        ("nan", "nan"),
        ("None", "None"),
        ("", ""),
        (np.str_("a"), "a"),
        (1, "1"),
        (np.int8(1), "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (np.float64(2.5), "2.5"),
        (1e300, "1e+300"),
        (np.inf, "inf"),
        (True, "True"),
        (np.bool_(False), "False"),
        (b"a\xff", "a\\xff"),
        (dt.date(2020, 1, 2), "2020-01-02T00:00:00"),
        (np.datetime64("2020-01-02", "s"), "2020-01-02T00:00:00"),
        (pd.Timestamp("2020-01-02"), "2020-01-02T00:00:00"),
        (dt.timedelta(days=1), "P1DT0H0M0S"),
        (np.timedelta64(1, "D"), "P1DT0H0M0S"),
        (("a", 1), "('a', 1)"),
    ],
)
def test_text_of_a_level(value, text):
    assert reading.level_text(value, "c") == text


@pytest.mark.parametrize(
    "value", [None, np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), np.float32("nan")]
)
def test_only_null_values_are_missing(value):
    assert reading.level_text(value, "c") is None


@pytest.mark.parametrize("value", [["a"], {"a": 1}, {1}, np.arange(2)])
def test_a_container_is_no_level(value):
    with pytest.raises(TypeError, match="Column 'c' must hold single values.*Got .*Convert"):
        reading.level_text(value, "c")


@pytest.mark.parametrize(
    "values",
    [
        objects("b", None, "a", "b", np.nan),
        objects(True, 1, 1.0, "1", "True", None, 2.5),
        objects(1, 1.0, True),
        np.array([2.0, np.nan, 1.5, 2.0]),
        np.array([True, False]),
        np.array(["nan", "b"]),
        np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
        pd.array(["x", None, "y"], dtype="string"),
        pd.array([3, None], dtype="Int64"),
        pd.Categorical(["b", None], categories=["c", "b", "a"]),
    ],
)
def test_factorise_gives_the_text_of_every_value(values):
    codes, texts = reading.factorise(values, "c")
    got = [None if code < 0 else texts[code] for code in codes]
    assert got == [reading.level_text(v, "c") for v in values]


def test_declared_order():
    ordered = pd.Categorical(["low"], categories=["low", "high"], ordered=True)
    assert reading.declared_order(ordered, "c") == ["low", "high"]
    assert reading.declared_order(pd.Categorical(["low"]), "c") is None
    assert reading.declared_order(np.array(["low"]), "c") is None


# ------------------------------------------------------------------ containers


def test_polars_columns():
    polars = pytest.importorskip("polars")
    text = polars.Series(["x", None, "y"])
    frame = polars.DataFrame(
        {
            "whole": [1, None, 3],
            "decimal": [Decimal("1.5"), None, Decimal("2")],
            "flag": [True, None, False],
            "text": text,
            "category": text.cast(polars.Categorical),
            "enum": text.cast(polars.Enum(["y", "z", "x"])),
            "date": [dt.date(2020, 1, 1), None, None],
            "null": [None, None, None],
        }
    )
    columns = [reading.column(frame, i) for i in range(frame.width)]
    kinds = [reading.column_kind(values) for values in columns]
    assert kinds == ["numeric", "numeric", "boolean", *["categorical"] * 3, "datetime", "missing"]
    assert reading.declared_order(columns[5], "enum") == ["y", "z", "x"]
    assert [reading.level_text(v, "c") for v in columns[5]] == ["x", None, "y"]


def test_nested_polars_columns_are_refused():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"Column 'l' must hold single values.*List.*leave it out"):
        reading.column(polars.DataFrame({"l": [[1], [2]]}), 0)


def test_levels_of_polars_times_keep_their_zone():
    polars = pytest.importorskip("polars")
    zoned = pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None]).tz_localize("Asia/Tokyo")})
    for values in (reading.column(zoned, 0), reading.column(polars.from_pandas(zoned), 0)):
        _, texts = reading.factorise(values, "t")
        assert texts == ["2020-01-01T00:00:00+09:00"]


def test_polars_extensions_are_read_as_what_they_store():
    polars = pytest.importorskip("polars", minversion="1.36")
    months = pd.DataFrame({"month": pd.period_range("2000-01", periods=3, freq="M")})
    np.testing.assert_array_equal(reading.column(polars.from_pandas(months), 0), [360, 361, 362])
    cuts = polars.from_pandas(pd.DataFrame({"cut": pd.cut([1.0, 2.0, 3.0], 2)}))
    with pytest.raises(TypeError, match=r"Column 'cut' must hold single values.*Struct"):
        reading.column(cuts, 0)


def test_block_of_numbers_is_the_columns_side_by_side():
    polars = pytest.importorskip("polars")
    frame = pd.DataFrame(
        {
            "a": [1, 2, 3],
            "text": ["x", "y", "z"],
            "b": [0.5, np.nan, 2.0],
            "c": [True, False, True],
            "d": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    wanted = [[1, 0.5, 1, 1], [2, np.nan, 0, np.nan], [3, 2.0, 1, 3]]
    from_dict = polars.DataFrame({name: frame[name].tolist() for name in "abc"})
    from_dict = from_dict.with_columns(d=polars.Series([1, None, 3])).insert_column(
        1, polars.Series("text", ["x", "y", "z"])
    )
    for X in (frame, from_dict, reading.cells(frame), reading.cells(from_dict)):
        block = reading.number_block(X, np.array([0, 2, 3, 4]))
        assert block.dtype == np.float64
        np.testing.assert_array_equal(block, wanted)
        assert reading.number_block(X, np.array([0, 1])) is None


def test_text_in_a_block_is_not_parsed():
    frame = pd.DataFrame({"a": ["1"], "b": [2.0]})
    assert reading.number_block(frame, np.array([0, 1])) is None
    assert reading.number_block(np.array([["1", "2"]]), np.array([0, 1])) is None
    assert reading.number_block(reading.cells(frame), np.array([0, 1])) is None

"""New columns: copies and drawn numbers, of the same type, in range and on the column's grid."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.distillation.extra_rows._columns import read_columns, write_table

CAN_BE_DRAWN = {
    "float", "single", "gaps", "infinite", "count", "tens", "whole", "nullable", "huge",
    "objects", "day", "zoned", "hours", "constant",
}  # fmt: skip


@pytest.fixture
def X(mixed_table):
    return mixed_table(0, 60)


def test_numbers_can_be_drawn_and_the_rest_only_copied(X):
    columns = dict(zip(X.columns, read_columns(X), strict=True))
    assert {name for name, c in columns.items() if c.numbers is not None} == CAN_BE_DRAWN
    assert np.array_equal(np.isnan(columns["gaps"].numbers), X["gaps"].isna())
    assert np.array_equal(np.isnan(columns["infinite"].numbers), np.isinf(X["infinite"]))


def test_copies_are_exact(X):
    rows = np.array([3, 3, 0, 59])
    columns = read_columns(X)
    copies = write_table([column.new(rows) for column in columns], X)
    pd.testing.assert_frame_equal(copies, X.iloc[rows].reset_index(drop=True))
    # what is drawn at the numbers of the cells themselves gives the cells
    again = write_table([column.new(rows[::-1], at(column, rows)) for column in columns], X)
    for name in sorted(CAN_BE_DRAWN - {"gaps", "infinite", "whole", "nullable"}):
        assert again[name].tolist() == X[name].iloc[rows].tolist()
    assert (again.dtypes == X.dtypes).all()


def at(column, rows):
    return None if column.numbers is None else column.numbers[rows]


@pytest.mark.parametrize("name", sorted(CAN_BE_DRAWN))
def test_drawn_values_stay_in_the_range_and_on_the_grid(X, name):
    column = read_columns(X[[name]])[0]
    rows = np.arange(60)
    drawn = np.random.default_rng(0).normal(0, 1e4, 60) * np.nanstd(column.numbers)
    new = write_table([column.new(rows, drawn)], X[[name]])[name]
    finite = X[name][~X[name].isin([np.inf]) & X[name].notna()]
    assert new.dtype == X[name].dtype
    assert finite.min() <= new.min()
    assert new.max() <= finite.max()
    if name == "tens":
        assert (new % 10 == 0).all()
    if name == "day":
        assert (new.dt.normalize() == new).all()
    if name == "objects":
        assert {type(v) for v in new} == {int}


def test_a_whole_float_among_objects_stays_a_float():
    X = pd.DataFrame({"a": np.array([1.0, 2.0, 5.0, None], dtype=object)})
    new = read_columns(X)[0].new(np.arange(4), np.array([1.2, np.nan, 3.0, np.nan]))
    assert [type(v) for v in new] == [float, float, float, type(None)]
    assert new.tolist() == [2.0, 2.0, 4.0, None]


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, 2, None, 4], dtype="int64[pyarrow]"),
        pd.array([1.5, 2.0, None, 4.0], dtype="double[pyarrow]"),
        pd.array(pd.to_datetime(["2020-01-01", "2021-01-01", None, "2022-03-01"])).astype(
            "timestamp[us][pyarrow]"
        ),
        pd.array(pd.to_timedelta([1, 2, None, 4], "h")),
        pd.arrays.SparseArray([0.0, 0.0, 1.0, 2.5]),
        pd.date_range("2020-01-01", periods=4, tz="Europe/Zurich").array,
    ],
    ids=lambda values: str(values.dtype),
)
def test_extension_types_are_kept(values):
    X = pd.DataFrame({"a": values})
    column = read_columns(X)[0]
    new = write_table([column.new(np.array([0, 1, 3]), np.array([0.4, np.nan, 1e30]))], X)
    assert new["a"].dtype == X["a"].dtype
    assert new["a"].tolist() == expected(X)


def expected(X):
    first = 0.4 if X["a"].dtype.name.startswith("Sparse") else X["a"][0]
    return [first, X["a"][1], X["a"][3]]


def test_decimals_and_mixed_objects_are_copied():
    X = pd.DataFrame({"d": [Decimal("1.10"), Decimal(2)], "m": np.array([1, "a"], dtype=object)})
    assert [c.numbers for c in read_columns(X)] == [None, None]
    frame = pl.DataFrame({"d": [Decimal("1.10"), Decimal(2)]}, schema={"d": pl.Decimal(10, 2)})
    assert write_table([c.new(np.array([1, 1])) for c in read_columns(frame)], frame).equals(
        frame[[1, 1]]
    )


def test_polars_columns(mixed_table):
    X = pl.from_pandas(mixed_table(1, 40).drop(columns="objects")).with_columns(
        pl.col("category").cast(pl.Enum(["b", "a", "never"])),
        date=pl.col("day").cast(pl.Date),
        clock=pl.col("zoned").dt.time(),
    )
    rows = np.array([5, 5, 0, 39])
    copies = write_table([c.new(rows) for c in read_columns(X)], X)
    assert copies.equals(X[rows])
    assert copies.schema == X.schema
    days = read_columns(X[["date"]])[0]
    new = days.new(rows, np.array([-1e9, 1e9, np.nan, days.numbers[7]]))
    assert new.to_list() == [X["date"].min(), X["date"].max(), X["date"][0], X["date"][7]]


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "int8", "uint8", ">f8", "bool", "U3", "M8[D]"]
)
def test_arrays_keep_their_type(dtype):
    X = np.arange(12).reshape(6, 2).astype(dtype)
    columns = read_columns(X)
    new = write_table([c.new(np.array([5, 0]), np.array([3.0, np.nan])) for c in columns], X)
    assert new.dtype == X.dtype
    assert new.shape == (2, 2)
    assert np.array_equal(new[1], X[0])

"""Columns of unlabeled rows take the known type; nothing is lost without a word."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.distillation.extra_rows._cast import cast_array, cast_pandas, cast_polars

TEXTS = pd.Series(["x", "y"])
DAYS = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"]))


@pytest.mark.parametrize(
    ("values", "like"),
    [
        ([1, 2], pd.Series([0.5])),
        ([1.0, 2.0], pd.Series([3])),
        ([1.0, 2.0], pd.Series([3], dtype="int8")),
        (["1", "2"], pd.Series([3])),
        (["1", "2"], pd.Series([1, 2, 3], dtype="category")),
        ([1, 0], pd.Series([True])),
        ([True, False], pd.Series([3])),
        ([1, None], pd.Series([3, 4], dtype="Int64")),
        ([1, None], pd.Series([True], dtype="boolean")),
        ([1, 2], TEXTS),
        (["2020-05-01", "2020-05-02T10:00"], DAYS),
        ([datetime.date(2020, 1, 1), None], DAYS),
        (pd.to_datetime(["2020-05-01"]).tz_localize("Europe/Zurich"), DAYS),
        (["2020-05-01"], DAYS.dt.tz_localize("Asia/Tokyo")),
        (["2 days", "3h"], pd.Series(pd.to_timedelta([1], "h"))),
        (pd.Categorical(["p", None]), TEXTS),
        (pd.Categorical([1, 2]), pd.Series([0.5])),
        ([5, 6], pd.Series([1, 2], dtype=object)),
    ],
    ids=str,
)
def test_types_are_taken_over(values, like):
    values = pd.Series(values)
    cast = cast_pandas(values, like, "Column 'a'")
    assert cast.dtype == like.dtype
    assert cast.isna().tolist() == values.isna().tolist()


def test_arrays_take_the_type_where_nothing_is_lost():
    one = np.dtype(np.float32)
    assert cast_array(np.array([[1.5, np.nan]]), one, "X").dtype == one
    assert cast_array(np.array([[1, True]], dtype=object), one, "X").dtype == one
    objects = np.array([[1, pd.NA, "x"]], dtype=object)
    assert cast_array(objects, objects.dtype, "X").tolist() == objects.tolist()
    assert cast_array(np.array([[1, 2]]), np.dtype(np.int8), "X").dtype == np.int8
    for values in (np.array([[300]]), np.array([[0.5]]), np.array([[np.nan]])):
        np.testing.assert_array_equal(cast_array(values, np.dtype(np.int8), "X"), values)
    assert cast_array(np.array([["long"]]), np.dtype("U1"), "X").tolist() == [["long"]]
    with pytest.raises(ValueError, match=r"^X must hold values of type float32.*'many'"):
        cast_array(np.array([["many"]], dtype=object), one, "X")


def test_values_survive():
    assert cast_pandas(pd.Series([8001, 3000.0]), TEXTS, "a").tolist() == ["8001", "3000"]
    assert cast_pandas(pd.Series(["3", "4.0"]), pd.Series([1]), "a").tolist() == [3, 4]
    tokyo = DAYS.dt.tz_localize("Asia/Tokyo")
    hours = cast_pandas(pd.Series(["2020-05-01T00:00Z"]), tokyo, "a").dt.hour
    assert hours.tolist() == [9]


def test_levels_are_matched_by_their_text():
    like = pd.Series(pd.Categorical([1, 2], categories=[2, 1], ordered=True))
    cast = cast_pandas(pd.Series(["1", "2", "3", None]), like, "a")
    assert cast.dtype == like.dtype
    assert cast.tolist()[:2] == [1, 2]
    assert cast.isna().tolist() == [False, False, True, True]
    frame = cast_polars(pl.Series(["x", "z"]), pl.Series(["x"], dtype=pl.Enum(["x", "y"])), "a")
    assert frame.to_list() == ["x", None]


def test_whole_numbers_with_missing_values_or_fractions_stay_floats():
    for values in ([1.0, np.nan], [1.0, 2.5]):
        cast = cast_pandas(pd.Series(values), pd.Series([3]), "a")
        np.testing.assert_array_equal(cast, values)
        cast = cast_polars(pl.Series(values), pl.Series([3]), "a")
        np.testing.assert_array_equal(cast, values)
    assert cast_pandas(pd.Series([300]), pd.Series([3], dtype="int8"), "a").tolist() == [300]
    assert cast_pandas(pd.Series([True, None]), pd.Series([True]), "a").tolist() == [True, None]


@pytest.mark.parametrize(
    ("values", "like"),
    [
        (["many"], pd.Series([1.0])),
        (["yes"], pd.Series([True])),
        ([2], pd.Series([True])),
        (["01.05.2020"], DAYS),
        ([17], DAYS),
        ([17], pd.Series(pd.to_timedelta([1], "h"))),
    ],
)
def test_other_values(values, like):
    with pytest.raises(ValueError, match=r"^Column 'a' must hold values of type .* as X was read"):
        cast_pandas(pd.Series(values), like, "Column 'a'")


@pytest.mark.parametrize(
    ("values", "dtype"), [(["many"], pl.Float64), ([17], pl.Date), ([300], pl.Int8)]
)
def test_other_values_in_polars(values, dtype):
    with pytest.raises(ValueError, match=r"^Column 'a' must hold values of type"):
        cast_polars(pl.Series(values), pl.Series([None], dtype=dtype), "Column 'a'")


def test_types_are_taken_over_in_polars():
    for values, dtype in [
        ([1], pl.String),
        (["1"], pl.Int64),
        ([1.0], pl.Int16),
        (["x"], pl.Categorical),
        (["x"], pl.Enum(["x"])),
    ]:
        cast = cast_polars(pl.Series(values), pl.Series([None], dtype=dtype), "a")
        assert cast.dtype == dtype
        assert cast.null_count() == 0


@pytest.mark.parametrize("n", [19, 20])
def test_a_column_without_a_known_level(n):
    like = pd.Series(["Bern", "Rome"], dtype="category")
    unknown = pd.Series(["BERN"] * n)
    enum = pl.Series(["Bern"], dtype=pl.Enum(["Bern", "Rome"]))
    if n < 20:
        assert cast_pandas(unknown, like, "a").isna().all()
        assert cast_polars(pl.from_pandas(unknown), enum, "a").null_count() == n
        return
    with pytest.raises(ValueError, match=r"levels that occur in X, such as \['Bern', 'Rome'\]"):
        cast_pandas(unknown, like, "a")
    with pytest.raises(ValueError, match=r"levels that occur in X, such as \['Bern'"):
        cast_polars(pl.from_pandas(unknown), enum, "a")


def test_a_column_that_is_empty_in_x_takes_anything():
    empty = pd.Series([None, None], dtype=object)
    assert cast_pandas(pd.Series([1, 2]), empty, "a").tolist() == [1, 2]

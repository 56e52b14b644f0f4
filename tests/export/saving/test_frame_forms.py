"""Tests of the forms of pandas' and polars' containers: dtypes, names and missing values stay."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.preprocessing import FunctionTransformer

import stackens as se
from stackens.exceptions import DamagedFileError, MissingExtraError
from tests.export.saving.crafted import edited, edited_graph, form_node, in_place_of_object


def round_trip(value, folder):
    path = folder / "value.stackens"
    se.save(FunctionTransformer(kw_args={"value": value}), path)
    return se.load(path).kw_args["value"]


COLUMNS = {
    "int": [1, 2],
    "float": [0.5, None],
    "text": ["a", None],
    "objects": pd.Series(["a", 1], dtype=object),
    "python text": pd.Series(["a", None], dtype="string"),
    "Int64": pd.Series([1, None], dtype="Int64"),
    "Float32": pd.Series([1.5, None], dtype="Float32"),
    "boolean": pd.Series([True, None], dtype="boolean"),
    "ordered": pd.Categorical(["a", None], categories=["b", "a"], ordered=True),
    "numbers": pd.Categorical([3, 1]),
    "dates": pd.date_range("2020-10-25", periods=2, freq="h"),
    "zoned": pd.date_range("2020-10-25", periods=2, freq="h", tz="Europe/Berlin"),
    "lengths": pd.to_timedelta([1, None], unit="s"),
    "periods": pd.period_range("2020", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2, closed="left"),
    "sparse": pd.arrays.SparseArray([0.0, 1.0]),
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_comes_back(name, tmp_path):
    column = pd.Series(COLUMNS[name], name=name)
    pd.testing.assert_series_equal(round_trip(column, tmp_path), column)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(COLUMNS, index=["p", "q"]),
        pd.DataFrame(np.eye(3)),
        pd.DataFrame([[1, "a"]], columns=["twice", "twice"]),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame({"a": np.arange(20_000.0), "b": np.arange(20_000)}),
        pd.DataFrame({("a", 1): [1], ("b", 2): ["x"]}),
    ],
    ids=["all kinds", "one block", "same names", "no columns", "large", "two levels"],
)
def test_a_frame_comes_back(frame, tmp_path):
    pd.testing.assert_frame_equal(round_trip(frame, tmp_path), frame)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(1, 9, 2, name="q"),
        pd.Index(["a", "b"], name=("t", 1)),
        pd.Index([1, "a", None], dtype=object),
        pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]),
        pd.date_range("2020", periods=3, freq="D", tz="UTC"),
        pd.timedelta_range("1D", periods=3),
        pd.CategoricalIndex(["a", "b"]),
    ],
    ids=lambda index: type(index).__name__,
)
def test_an_index_comes_back(index, tmp_path):
    back = round_trip(index, tmp_path)
    pd.testing.assert_index_equal(back, index, exact=True)
    assert getattr(back, "freq", None) == getattr(index, "freq", None)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2020-01-01 02:03:04.123456789"),
        pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.NaT,
        pd.NA,
        pd.Timedelta("1 days 3 ns"),
        pd.Period("2020-01", "M"),
        pd.Interval(1, 2, closed="both"),
        pd.CategoricalDtype(["a", "b"], ordered=True),
        pd.Int64Dtype(),
        pd.DatetimeTZDtype(tz="UTC"),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_dates_and_dtypes_come_back(value, tmp_path):
    back = round_trip(value, tmp_path)
    assert type(back) is type(value)
    assert back is value or (back == value and repr(back) == repr(value))


def test_polars_frames_and_series_come_back(tmp_path):
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    assert round_trip(frame, tmp_path).equals(frame)
    back = round_trip(frame["b"], tmp_path)
    assert isinstance(back, pl.Series)
    assert back.to_list() == ["x", "y"]


def test_without_polars_the_file_says_what_is_missing(tmp_path, monkeypatch):
    se.save(FunctionTransformer(kw_args={"value": pl.Series([1])}), tmp_path / "file")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match="pip install polars"):
        se.load(tmp_path / "file")


@pytest.mark.parametrize(
    ("form", "told"),
    [
        # zones that dateutil takes for the names of files, which it reads
        (
            form_node("pandas_dtype", "datetime64[ns, dateutil//etc/hostname]"),
            "no type of a column",
        ),
        (form_node("timestamp", 0, "dateutil//etc/hostname"), "no time zone"),
        (form_node("index", "text", None, None), "no array of values"),
        (form_node("series", "text", None, None), "no array of values"),
    ],
    ids=["dtype", "timestamp", "index", "series"],
)
def test_forms_of_other_values_are_refused(form, told, tmp_path):
    se.save({"any": 1}, tmp_path / "file")
    path = edited_graph(tmp_path / "file", tmp_path / "other", in_place_of_object(form))
    with pytest.raises(DamagedFileError, match=told):
        se.load(path)


def test_a_column_of_addresses_is_not_read(tmp_path):
    se.save({"frame": pl.DataFrame({"a": [1]})}, tmp_path / "file")

    def edit(parts, manifest):
        (name,) = (name for name in parts if name.startswith("polars/"))
        parts[name] += b"POLARS_EXTENSION_TYPE"

    with pytest.raises(DamagedFileError, match="not written to files"):
        se.load(edited(tmp_path / "file", tmp_path / "other", edit))

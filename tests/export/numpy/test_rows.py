"""Tests for turning rows into columns: all forms give what reading value by value gives."""

import datetime as dt
from collections import ChainMap, UserDict
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from stackens.export.numpy import columns_of, row_reader, rows_of

KINDS = ("number", "category", "datetime", "timedelta", "unread")
COLUMNS = [(kind[0], kind) for kind in KINDS]


def frame():
    return pd.DataFrame(
        {
            "d": [dt.datetime(2024, 2, 29, 12, 0, 0, 5), None, dt.datetime(1960, 1, 1)],
            "t": [dt.timedelta(seconds=1.5), None, dt.timedelta(days=-3)],
            "n": [1.5, None, 7.0],
            "c": ["x", None, "y"],
        }
    )


FORMS = {
    "pandas": frame,
    "nullable": lambda: frame().convert_dtypes(),
    "arrow": lambda: frame().convert_dtypes(dtype_backend="pyarrow"),
    "categorical": lambda: frame().astype({"c": "category"}),
    "aware": lambda: frame().assign(d=frame()["d"].dt.tz_localize("UTC").dt.tz_convert("Japan")),
    "objects": lambda: frame().astype(object),
    "polars": lambda: pl.from_pandas(frame()),
    "polars categorical": lambda: pl.from_pandas(frame().astype({"c": "category"})),
    "dicts": lambda: frame().to_dict("records"),
    "lists": lambda: frame()[list("ncdt")].assign(u=0).to_numpy(dtype=object).tolist(),
    "array": lambda: frame()[list("ncdt")].assign(u="?").to_numpy(dtype=object),
}
WANTED = [
    [1.5, np.nan, 7.0],
    ["x", None, "y"],
    [1709208000000005.0, np.nan, -315619200000000.0],
    [1.5, np.nan, -259200.0],
]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_rows(form):
    columns, one = columns_of(FORMS[form](), COLUMNS)
    assert not one
    for column, wanted, kind in zip(columns[:4], WANTED, KINDS, strict=False):
        assert column.dtype == (object if kind == "category" else np.float64)
        np.testing.assert_array_equal(column, np.array(wanted, dtype=column.dtype))
    assert columns[4].shape == (3,)


@pytest.mark.parametrize("form", ["pandas", "polars", "dicts", "array"])
def test_reading_value_by_value_gives_the_same(form):
    rows = FORMS[form]()
    columns, _ = columns_of(rows, COLUMNS)
    one_by_one, _ = rows_of(rows, COLUMNS, True, row_reader(COLUMNS))
    for column, values in zip(columns[:4], list(zip(*one_by_one, strict=True))[:4], strict=True):
        np.testing.assert_array_equal(column, np.array(values, dtype=column.dtype))


def test_one_row():
    row = {"c": 3, "n": True, "d": dt.date(1970, 1, 2), "t": None}
    columns, one = columns_of(row, COLUMNS)
    assert one
    assert [column.tolist() for column in columns[:3]] == [[1.0], ["3"], [86_400e6]]
    assert [column.shape for column in columns] == [(1,)] * 5
    assert np.isnan(columns[3][0])


@pytest.mark.parametrize("row", [[1, None, True], np.array([1.0, np.nan, 1.0])])
def test_one_row_of_numbers(row):
    columns, one = columns_of(row, [(name, "number") for name in "abc"])
    assert one
    np.testing.assert_array_equal(np.concatenate(columns), [1.0, np.nan, 1.0])


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u8", "?"])
def test_arrays_of_numbers_as_numbers_and_as_categories(dtype):
    X = np.array([[0, 1], [1, 1]]).astype(dtype)
    columns, _ = columns_of(X, [("a", "number"), ("b", "category")])
    assert columns[0].dtype == np.float64
    assert columns[0].tolist() == [0.0, 1.0]
    assert columns[1].tolist() == (["True", "True"] if dtype == "?" else ["1", "1"])


def test_numbers_as_categories_keep_all_their_digits():
    pair = [("c", "category")]
    big = 2**60 + 1
    for rows in (
        pl.DataFrame({"c": [big, None]}),
        pd.DataFrame({"c": pd.array([big, None], dtype="Int64")}),
        [[big], [None]],
    ):
        assert columns_of(rows, pair)[0][0].tolist() == [str(big), None]
    floats = np.array([[0.1], [np.nan], [-0.0], [1e16]])
    assert columns_of(floats, pair)[0][0].tolist() == ["0.1", None, "0", "1e+16"]


def test_no_rows():
    columns, one = columns_of([], COLUMNS)
    assert not one
    assert [len(column) for column in columns] == [0] * 5


def test_the_order_of_rows_without_names():
    frame = pd.DataFrame([[1.0, 2.0]], columns=["b", "a"])
    pairs = [("a", "number"), ("b", "number")]
    assert np.concatenate(columns_of(frame, pairs)[0]).tolist() == [2.0, 1.0]
    assert np.concatenate(columns_of(frame, pairs, named=False)[0]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "rows",
    [
        [["x"]],
        ["3"],
        {"age": "3"},
        np.array([["3"]]),
        np.array([["3"]], dtype=object),
        pd.DataFrame({"age": ["3"]}),
        pl.DataFrame({"age": ["3"]}),
        np.array([["2024-01-01"]], dtype="M8[D]"),
        pd.DataFrame({"age": pd.to_datetime(["2024-01-01"])}),
        [10**400],
        [[10**400]],
        np.array([[1j]]),
    ],
)
def test_a_value_that_is_no_number_is_refused_with_its_column(rows):
    with pytest.raises(ValueError, match="Column 'age' must hold numbers"):
        columns_of(rows, [("age", "number")])


@pytest.mark.parametrize(
    "rows",
    [
        [1.5e9],
        [[0]],
        {"seen": True},
        np.array([[1.5e9]]),
        np.array([[3]], dtype=object),
        pd.DataFrame({"seen": pd.to_datetime(["2024-01-01"]).astype("int64")}),
        pl.DataFrame({"seen": [1.5e9]}),
        pd.Series({"seen": 1.5e9}),
    ],
)
def test_a_number_is_no_moment(rows):
    with pytest.raises(ValueError, match="Column 'seen' must hold moments"):
        columns_of(rows, [("seen", "datetime")])


@pytest.mark.parametrize("named", [True, False])
def test_tables_of_arrow(named):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1, None], "c": ["x", None], "u": [[], []]})
    batch = table.to_batches()[0]
    kinds = [("a", "number"), ("c", "category"), ("u", "unread")]
    for rows in (table, batch):
        (a, c, _), one = columns_of(rows, kinds, named)
        np.testing.assert_array_equal(a, [1.0, np.nan])
        assert c.tolist() == ["x", None]
        assert not one
        read, _ = rows_of(rows, kinds, named, row_reader(kinds))
        assert read[0][:2] == [1.0, "x"]
    with pytest.raises(ValueError, match="lacks the column 'b'"):
        columns_of(table, [("b", "number")])


def test_rows_of_any_mapping():
    pair = [("a", "number"), ("c", "category")]
    for kind in (MappingProxyType, UserDict, ChainMap):
        row = kind({"c": "x", "a": 1})
        assert columns_of(row, pair) == ([np.array([1.0]), np.array(["x"], dtype=object)], True)
        columns, one = columns_of([row, row], pair)
        assert (columns[0].tolist(), one) == ([1.0, 1.0], False)


def test_missing_moments_of_any_form():
    for rows in (
        [[None], [np.nan]],
        np.full((2, 1), np.nan),
        pd.DataFrame({"seen": [None, pd.NaT]}),
    ):
        assert np.isnan(columns_of(rows, [("seen", "datetime")])[0][0]).all()


@pytest.mark.parametrize("rows", [np.zeros((2, 3)), [[1.0, 2.0, 3.0]], np.zeros((0, 3))])
def test_rows_of_another_width_are_refused(rows):
    with pytest.raises(ValueError, match="must have 2 values"):
        columns_of(rows, [("a", "number"), ("b", "number")])


def test_sparse_matrices_are_refused():
    with pytest.raises(TypeError, match=r"Got csr_array.*toarray"):
        columns_of(csr_array(np.eye(2)), [("a", "number"), ("b", "number")])


def test_columns_of_an_array_are_views():
    X = np.zeros((3, 2))
    columns, _ = columns_of(X, [("a", "number"), ("b", "number")])
    assert all(np.shares_memory(column, X) for column in columns)

"""Tests of rows: how many there are, and taking some of them from any container."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.utils.estimator_checks import _NotAnArray

from stackens._core._rows import (
    as_array,
    as_features,
    check_columns,
    check_same_rows,
    is_frame,
    is_sized_like,
    n_rows,
    take_rows,
)

ARRAY = np.arange(12.0).reshape(4, 3)
CONTAINERS = {
    "array": ARRAY,
    "pandas": pd.DataFrame(ARRAY, columns=list("abc"), index=[7, 7, 8, 9]),
    "polars": pl.DataFrame(ARRAY, schema=list("abc")),
    "csr": sparse.csr_matrix(ARRAY),
    "csc": sparse.csc_array(ARRAY),
    "list": ARRAY.tolist(),
}


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("index", [np.array([2, 0]), np.array([True, False, True, False])])
def test_take_rows(name, index):
    X = CONTAINERS[name]
    taken = take_rows(X, index)
    assert type(taken) is type(X)
    assert n_rows(X) == 4
    assert n_rows(taken) == 2
    np.testing.assert_array_equal(dense(taken), ARRAY[index])


def test_tensors_of_any_kind_become_arrays():
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16):
        assert as_array(torch.ones(2, dtype=dtype, requires_grad=True)).tolist() == [1.0, 1.0]
    assert as_array([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize("kind", [list, tuple])
def test_numbers_beside_text_in_a_list_stay_numbers(kind):
    X = as_features(kind([[1.5, "a"], [2, "b"]]))
    assert X.tolist() == [[1.5, "a"], [2, "b"]]
    assert as_features(kind([["c", "a"], ["d", "b"]])).tolist() == [["c", "a"], ["d", "b"]]


def test_frames_keep_types_and_index():
    X = pd.DataFrame({"c": pd.Categorical(["x", "y", "x"]), "n": [1, 2, 3]}, index=[5, 6, 7])
    taken = take_rows(X, np.array([2, 1]))
    assert taken.index.tolist() == [7, 6]
    assert taken["c"].dtype == X["c"].dtype
    assert taken["n"].dtype == X["n"].dtype


@pytest.mark.parametrize(
    "y", [pd.Series([1, 2, 3]), pl.Series([1, 2, 3]), pd.Categorical([1, 2, 3])]
)
def test_take_rows_of_one_column(y):
    assert list(take_rows(y, np.array([2, 0]))) == [3, 1]


def test_is_frame():
    assert is_frame(CONTAINERS["pandas"])
    assert is_frame(CONTAINERS["polars"])
    assert not any(is_frame(CONTAINERS[name]) for name in ("array", "csr", "list"))


@pytest.mark.parametrize("name", ["array", "pandas", "polars", "csr", "csc"])
def test_as_features_leaves_data_alone(name):
    assert as_features(CONTAINERS[name]) is CONTAINERS[name]


def test_as_features_makes_rows_accessible():
    assert isinstance(as_features(ARRAY.tolist()), np.ndarray)
    assert as_features(sparse.coo_matrix(ARRAY)).format == "csr"
    assert as_features([["a", 1], ["b", None]]).shape == (2, 2)


def test_as_features_of_arrow():
    arrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "t": pd.to_timedelta([1, 2], unit="s")})
    for table in (arrow.Table.from_pandas(frame), arrow.RecordBatch.from_pandas(frame)):
        pd.testing.assert_frame_equal(as_features(table), table.to_pandas())
    cuts = arrow.Table.from_pandas(pd.DataFrame({"c": pd.cut([1.0, 2.0, 3.0], 2)}))
    with pytest.raises(TypeError, match=r"pandas knows. Got a Table with .*Spread nested"):
        as_features(cuts)


class OnlyAnArray:
    """Knows how to become an array and nothing else."""

    def __array__(self, dtype=None, copy=None):
        return ARRAY.astype(dtype) if dtype else ARRAY.copy()


def test_as_features_of_what_can_become_an_array():
    assert n_rows(OnlyAnArray()) == 4
    np.testing.assert_array_equal(as_features(OnlyAnArray()), ARRAY)


@pytest.mark.parametrize("rows", [["one text", "two"], [{"a": 1}, {"b": 2}], pd.Series(["p", "q"])])
def test_as_features_keeps_texts_and_dicts(rows):
    assert as_features(rows) is rows


class NoArray(list):
    """A list that must not be turned into an array."""

    def __array__(self, *args, **kwargs):
        raise AssertionError("made an array of all texts")


def test_as_features_makes_no_array_of_texts():
    assert len(as_features(NoArray(["short", "long" * 1000]))) == 2


@pytest.mark.parametrize("X", [[1, 2, 3], np.arange(3), "text"])
def test_as_features_refuses_one_dimension(X):
    with pytest.raises(ValueError, match="Expected 2D array"):
        as_features(X)


def test_rows_that_are_not_there_yet():
    with pytest.raises(TypeError, match=r"in memory. Got a LazyFrame. Pass X.collect\(\)"):
        as_features(pl.DataFrame(ARRAY).lazy())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2, 3], True),
        (np.ones(3), True),
        (pd.Series([1, 2, 3]), True),
        (np.ones(4), False),
        ("abc", False),
        ({"a": 1, "b": 2, "c": 3}, False),
        (3, False),
        (np.array(3), False),
        (None, False),
    ],
)
def test_is_sized_like(value, expected):
    assert is_sized_like(value, 3) is expected


def test_parts_of_the_same_rows():
    for X in (*CONTAINERS.values(), _NotAnArray(ARRAY)):
        assert check_same_rows(X=X, y=["a"] * 4, groups=pl.Series([1] * 4), weight=None) is None
    with pytest.raises(ValueError, match=r"X, y must have the same.*'X': 4, 'y': 3}. Pass what"):
        check_same_rows(X=ARRAY, y=np.zeros(3))
    with pytest.raises(ValueError, match=r"X must have at least one row. Got 0 sample\(s\).*Check"):
        check_same_rows(X=ARRAY[:0], y=[])


@pytest.mark.parametrize("value", [2.0, "abcd", np.float64(2), np.array(3), {"a": 1}, len])
def test_a_single_value_is_not_an_entry_for_each_row(value):
    with pytest.raises(ValueError, match="groups must hold one entry for each row. Got .*Pass an"):
        check_same_rows(X=ARRAY, groups=value)


def test_columns():
    for X in (*CONTAINERS.values(), ["text", "more text"], ARRAY.reshape(4, 3, 1)):
        assert check_columns(X) is None
    for X in (ARRAY[:, :0], CONTAINERS["pandas"].iloc[:, :0], CONTAINERS["csr"][:, :0]):
        with pytest.raises(ValueError, match=r"one column. Got 0 feature\(s\) \(shape=\(4"):
            check_columns(X)
    with pytest.raises(ValueError, match=r"different names. Got \['a'\] more than once. Rename"):
        check_columns(CONTAINERS["pandas"].set_axis(list("aba"), axis=1))

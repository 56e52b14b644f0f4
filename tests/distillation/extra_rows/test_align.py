"""Chunks take the form of the known rows, or the error says what is in the way."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.extra_rows._align import aligned, is_table

FRAME = pd.DataFrame({"a": [1.0], "k": ["x"]})


@pytest.mark.parametrize(
    ("source", "like", "answer"),
    [
        (FRAME, FRAME, True),
        (pl.from_pandas(FRAME), FRAME, True),
        ([FRAME, FRAME], FRAME, False),
        (iter([FRAME]), FRAME, False),
        ([], FRAME, False),
        (np.ones((2, 2)), np.ones((2, 2)), True),
        ([[1.0, 2.0], [3.0, 4.0]], np.ones((2, 2)), True),
        ([np.ones(2), np.ones(2)], np.ones((2, 2)), True),
        ([np.ones((3, 2)), np.ones((3, 2))], np.ones((2, 2)), False),
        ([[[1.0, 2.0]], [[3.0, 4.0]]], np.ones((2, 2)), False),
        ([np.ones((3, 2))], np.ones((1, 3, 2)), True),
        (["a", "b"], ["c"], True),
        ([["a"], ["b"]], ["c"], False),
        ([sparse.eye_array(2)], sparse.eye_array(2, format="csr"), False),
    ],
)
def test_tables_and_chunks_are_told_apart(source, like, answer):
    assert is_table(source, like) is answer


def test_columns_are_put_in_order():
    rows = aligned(FRAME[["k", "a"]], FRAME, "X_unlabeled")
    pd.testing.assert_frame_equal(rows, FRAME)
    rows = aligned(pl.from_pandas(FRAME[["k", "a"]]), FRAME, "X_unlabeled")
    assert rows.columns.tolist() == ["a", "k"]
    rows = aligned(FRAME[["k", "a"]], pl.from_pandas(FRAME), "X_unlabeled")
    assert rows.schema == pl.from_pandas(FRAME).schema


def test_an_index_and_names_of_any_kind_are_no_matter():
    like = pd.DataFrame({0: [1], 1: [2]})
    rows = aligned(pd.DataFrame({1: [5, 6], 0: [7, 8]}, index=[4, 4]), like, "X_unlabeled")
    pd.testing.assert_frame_equal(rows, pd.DataFrame({0: [7, 8], 1: [5, 6]}))


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (FRAME[["a"]], r"without \['k'\]\."),
        (FRAME.assign(y=1, id=2), r"with \['y', 'id'\]\."),
        (FRAME.rename(columns={"k": "K"}), r"without \['k'\] and with \['K'\]"),
        (FRAME[["a", "k", "a"]], "more than once"),
    ],
)
def test_other_columns(chunk, message):
    with pytest.raises(ValueError, match=message):
        aligned(chunk, FRAME, "X_unlabeled")
    with pytest.raises(ValueError, match="Column 'a' of chunk 3"):
        aligned(pd.DataFrame({"a": ["text"], "k": ["x"]}), FRAME, "chunk 3")


@pytest.mark.parametrize(
    "chunk", [np.ones((2, 3)), np.ones(2), np.ones((2, 2, 2)), sparse.eye_array(3)]
)
@pytest.mark.parametrize("like", [np.ones((1, 2)), sparse.eye_array(2, format="csr")])
def test_other_shapes(chunk, like):
    with pytest.raises(ValueError, match=r"of shape \(n_rows, 2\).*Got"):
        aligned(chunk, like, "X_unlabeled")


def test_types_of_arrays():
    like = np.zeros((1, 2), dtype=np.float32)
    assert aligned(np.ones((1, 2)), like, "").dtype == np.float32
    assert aligned(np.ones((1, 2), dtype=int), like, "").dtype == np.float32
    assert aligned(pd.DataFrame({"a": [1], "b": [2]}), like, "").dtype == np.float32
    assert aligned(sparse.eye_array(2), like, "").dtype == np.float32
    # nothing is lost: fractions and missing values stay
    whole = np.zeros((1, 2), dtype=int)
    assert np.isnan(aligned(np.array([[0.5, np.nan]]), whole, "")[0, 1])


@pytest.mark.parametrize(
    ("chunk", "like"),
    [(np.ones((1, 2)), FRAME), (5, np.ones((1, 2))), (None, ["text"]), (3.5, FRAME)],
)
def test_other_kinds(chunk, like):
    with pytest.raises(TypeError, match="as X is. Got"):
        aligned(chunk, like, "X_unlabeled")

"""Tests of predictions that exist already: every form of them in one layout."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from stackens._core._task import Task
from stackens.out_of_fold._given import given_values

TWO = Task("binary", 2, np.array(["no", "yes"]))
THREE = Task("multiclass", 3, np.array([10, 20, 30]))
LABELS = Task("multilabel", 3, y_ndim=2)
NUMBERS = Task("regression", 1)
P = np.array([0.25, 0.5, 1.0, 0.0])
P3 = np.random.default_rng(0).dirichlet(np.ones(3), 4)


@pytest.mark.parametrize("read", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_columns_of_models(read):
    found = given_values(read({"a": P, "b": 1 - P}), TWO)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], np.column_stack([1 - P, P]))
    np.testing.assert_array_equal(found["b"], np.column_stack([P, 1 - P]))
    numbers = given_values(read({"a": 9 * P}), NUMBERS)
    np.testing.assert_array_equal(numbers["a"], 9 * P[:, None])


def test_columns_of_classes_are_found_by_name():
    expected = {"a": P3}
    turned = pd.DataFrame(P3[:, ::-1], columns=[30, 20, 10])
    for given in (P3, P3.tolist(), turned, pd.DataFrame(P3), turned[[20, 10, 30]]):
        np.testing.assert_array_equal(given_values({"a": given}, THREE)["a"], expected["a"])
    two_levels = pd.concat({"b": turned, "a": pd.DataFrame(P3, columns=[10, 20, 30])}, axis=1)
    found = given_values(two_levels, THREE)
    assert list(found) == ["b", "a"]
    np.testing.assert_array_equal(found["b"], P3)
    np.testing.assert_array_equal(given_values({"a": P3}, LABELS)["a"], P3)


def test_a_single_column_is_that_of_the_class_it_is_called_like():
    expected = np.column_stack([1 - P, P])
    for first in (pd.DataFrame({"no": 1 - P}), pl.DataFrame({"no": 1 - P})):
        np.testing.assert_array_equal(given_values({"a": first}, TWO)["a"], expected)
    for second in (pd.DataFrame({"yes": P}), pd.DataFrame(P), pd.DataFrame({"score": P})):
        np.testing.assert_array_equal(given_values({"a": second}, TWO)["a"], expected)
    zero_one = Task("binary", 2, np.array([0, 1]))
    np.testing.assert_array_equal(given_values({"a": pd.DataFrame(P)}, zero_one)["a"], expected)
    two_levels = pd.concat({"a": pd.DataFrame({0: 1 - P})}, axis=1)
    np.testing.assert_array_equal(given_values(two_levels, zero_one)["a"], expected)


def test_classes_of_a_file_are_text():
    turned = pd.DataFrame(P3[:, ::-1], columns=["30", "20", "10"])
    np.testing.assert_array_equal(given_values({"a": turned}, THREE)["a"], P3)


def test_numbers_of_every_kind():
    for given in (torch.tensor(P, requires_grad=True), torch.tensor(P).bfloat16()):
        np.testing.assert_array_equal(given_values({"a": given}, TWO)["a"][:, 1], P)
    nullable = pd.DataFrame({"no": 1 - P, "yes": P}).convert_dtypes()
    nullable.iloc[2] = pd.NA
    values = given_values({"a": nullable}, TWO)["a"]
    np.testing.assert_array_equal(values[:, 1], [0.25, 0.5, np.nan, 0.0])
    assert given_values({"a": []}, TWO)["a"].shape == (0, 2)


def test_only_the_models_asked_for_are_read():
    given = {"a": P, "id": list("wxyz")}
    assert list(given_values(given, TWO, only=["a"])) == ["a"]
    with pytest.raises(ValueError, match=r"Got \['a'\], without \['b'\]. Add them"):
        given_values(given, TWO, only=["b", "a"])


def test_names_that_are_one_as_text_are_refused():
    with pytest.raises(ValueError, match="different names. Got '1' twice"):
        given_values(pd.DataFrame({1: P, "1": P}), TWO)


def test_rows_labelled_in_another_order_are_refused():
    y = pd.Series(["no", "no", "yes", "no"], index=list("wxyz"))
    kept = pd.DataFrame({"a": P}, index=list("zyxw"))
    for given in (kept, {"a": kept["a"]}):
        with pytest.raises(ValueError, match="order of y. Got \\['z', 'y', 'x'\\], ... from 'a'"):
            given_values(given, TWO, like=y)
    given_values(kept.loc[y.index], TWO, like=y)
    given_values(kept.reset_index(drop=True), TWO, like=y)
    given_values(kept, TWO, like=y.reset_index(drop=True))
    given_values(kept.set_axis([5, 6, 7, 8]), TWO, like=y)
    given_values(pd.DataFrame({"a": P}), TWO, like=y.set_axis([3, 2, 1, 0]))


def test_rows_that_were_not_held_out_are_missing():
    values = given_values({"a": np.where(P == 0, np.nan, P)}, TWO)["a"]
    assert np.isnan(values).all(axis=1).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("given", "task", "message"),
    [
        ({"a": P3[:, :2]}, THREE, r"one column for each of \[10, 20, 30\]. Got 2 columns from 'a'"),
        ({"a": pd.DataFrame(P3, columns=[1, 2, 3])}, THREE, r"called \[1, 2, 3\]. Name them"),
        ({"a": P3}, TWO, "Got 3 columns from 'a'"),
        ({"a": P * 2}, TWO, "must be probabilities, .* values from 0 to 2 from 'a'"),
        ({"a": P - 1}, TWO, "must be probabilities, .* values from -1 to 0 from 'a'"),
        ({"a": np.where(P == 0, np.inf, P)}, NUMBERS, "must be finite numbers"),
        ({"a": np.where(P3 < 0.1, np.nan, P3)}, THREE, "or missing for a whole row"),
        ({"a": P, "b": P[:2]}, TWO, r"all for the same rows. Got {'a': 4, 'b': 2} rows"),
        ({"a": ["x", "y"]}, NUMBERS, "could not convert .*'x' for 'a'. Leave out"),
        ({"a": 0.5}, TWO, "must be columns of numbers. Got .* for 'a'"),
        ({}, TWO, "at least one model"),
    ],
)
def test_what_is_refused(given, task, message):
    with pytest.raises(ValueError, match=message):
        given_values(given, task)


def test_models_need_names():
    with pytest.raises(TypeError, match="DataFrame with a column for each model.* Got ndarray"):
        given_values(P3, TWO)

"""What is learnt about a column: fill values, scales, codes, the rare group."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

from stackens.preprocessing._columns import LARGEST, learn_levels, learn_numeric
from stackens.preprocessing._reading import FEW_ROWS


def numeric(values, kind="numeric", impute="median", scale=False, indicator=False):
    values = np.array(values, dtype=float).reshape(len(values), -1)
    return learn_numeric("c", kind, values, impute=impute, scale=scale, indicator=indicator)


def levels(values, one_hot=False, min_frequency=None, max_categories=None):
    if isinstance(values, (list, tuple)):
        values = pd.Series(values, dtype=object).to_numpy()
    return learn_levels(
        "c", values, one_hot=one_hot, min_frequency=min_frequency, max_categories=max_categories
    )


def test_numeric_statistics():
    values = [1.0, 2.0, 6.0, np.nan]
    (plain,) = numeric(values).features
    assert (plain.low, plain.high, plain.fill, plain.mean, plain.scale) == (1, 6, 2, 0, 1)
    (scaled,) = numeric(values, impute="mean", scale=True).features
    assert (scaled.fill, scaled.mean) == (3, 3)
    assert scaled.scale == np.std([1, 2, 6])
    (kept,) = numeric(values, impute=None).features
    assert np.isnan(kept.fill)


@pytest.mark.parametrize("values", [[np.nan, np.nan], [np.inf, -np.inf], [np.nan, np.inf]])
def test_a_column_without_a_finite_value_becomes_zero(values):
    (feature,) = numeric(values, scale=True).features
    assert (feature.low, feature.high, feature.fill, feature.mean, feature.scale) == (0, 0, 0, 0, 1)


def test_a_constant_column_is_centred_and_not_divided():
    (feature,) = numeric([0.1] * 7, scale=True).features
    assert (feature.mean, feature.scale) == (0.1, 1.0)


def test_robust_takes_the_quartiles_where_outliers_make_the_deviation():
    values = np.random.default_rng(0).normal(50.0, 20.0, 2_000)
    assert numeric(values, scale="robust") == numeric(values, scale=True)
    (coded,) = numeric([*values, *[9_999_999_999] * 20], scale="robust").features
    assert (coded.mean, coded.scale) == pytest.approx((50.0, 20.0), rel=0.05)


def test_robust_where_the_quartiles_are_equal():
    values = [0.0] * 90 + [1.0, 2.0, 3.0]
    assert numeric(values, scale="robust") == numeric(values, scale=True)
    (coded,) = numeric([*values, 1e10, 1e10], scale="robust").features
    assert (coded.mean, coded.scale) == (0.0, 3.0)


def test_robust_leaves_no_number_too_large_to_square_in_single_precision():
    (feature,) = numeric([*np.linspace(0, 1, 99), LARGEST], scale="robust").features
    assert np.isfinite(np.square(np.float32((LARGEST - feature.mean) / feature.scale)))


def test_the_mean_of_huge_numbers_is_the_same_in_every_order():
    values = 2.0**53 - np.arange(45)
    features = {
        numeric(v, scale=True).features[0]
        for v in (values, values[::-1], values[[*range(1, 45, 2), *range(0, 45, 2)]])
    }
    assert [f.mean for f in features] == [2.0**53 - 22]


def test_numbers_so_small_that_their_spread_is_zero():
    (feature,) = numeric([1e-320, 0.0], scale=True).features
    assert feature.scale == 1.0


def test_infinite_and_larger_than_single_precision_do_not_count():
    (feature,) = numeric([np.inf, 1e39, -1e39, LARGEST, -3.0], scale=True).features
    assert (feature.low, feature.high) == (-3.0, LARGEST)
    assert np.isfinite([feature.mean, feature.scale]).all()


def test_indicator_only_when_missing_and_imputing():
    assert numeric([1, np.nan], indicator=True).indicator
    assert not numeric([1, 2], indicator=True).indicator
    assert not numeric([1, np.nan], indicator=True, impute=None).indicator
    assert not numeric([1, np.nan]).indicator


def test_a_date_keeps_the_parts_that_vary():
    parts = [[1.0, 2020, 1, 3, 0], [2.0, 2020, 2, 4, 0], [np.nan] * 5]
    column = numeric(parts, kind="datetime", indicator=True)
    assert [f.part for f in column.features] == ["days", "month", "weekday"]
    assert column.output_names("t") == ["t_days", "t_month", "t_weekday", "t_missing"]
    assert column.width == 4
    constant = numeric(parts[:1] * 2, kind="datetime")
    assert [f.part for f in constant.features] == ["days"]


# ------------------------------------------------------------------ levels


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        ([10, 2, 1.5, "x", "-3", True], ("-3", "1.5", "2", "10", "True", "x")),
        (["nan", "inf", "1"], ("1", "inf", "nan")),
        ([1, 1.0, "1"], ("1",)),
        ([None, np.nan, pd.NA], ()),
        (pd.Categorical(["hi", "lo"], categories=["lo", "mid", "hi"], ordered=True), ("lo", "hi")),
        (pd.Categorical(["hi", "lo"], categories=["lo", "mid", "hi"]), ("hi", "lo")),
    ],
)
def test_order_of_levels(values, order):
    assert levels(values).levels == order


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(0)
    values = [True, 1, 1.0, "1", "True", "b", "b", "a", "a", None, 7.5] * 3
    wanted = levels(values, max_categories=4)
    for _ in range(20):
        shuffled = [values[i] for i in rng.permutation(len(values))]
        assert levels(shuffled, max_categories=4) == wanted


def test_ordinal_codes():
    column = levels(["b", "a", None])
    assert (column.rare_code, column.missing_code, column.unknown_code) == (None, -1, -2)
    assert column.width == 1
    assert column.output_names("c") == ["c"]
    new = pd.Series(["a", "b", "z", None], dtype=object).to_numpy()
    assert column.codes(new).tolist() == [0, 1, -2, -1]


def test_one_hot_codes():
    column = levels(["b", "a", None], one_hot=True)
    assert (column.rare_code, column.missing_code, column.unknown_code) == (None, 2, -1)
    assert column.output_names("c") == ["c_a", "c_b", "c_missing"]
    never_missing = levels(["b", "a"], one_hot=True)
    assert (never_missing.missing_code, never_missing.width) == (-1, 2)


TEXT = ["a"] * 5 + ["b"] * 3 + ["c"] * 3 + ["d"] + [None] * 2


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"min_frequency": 1}, "abcd"),
        ({"min_frequency": 2}, "abc"),
        ({"min_frequency": 3 / 14}, "abc"),
        ({"min_frequency": 0.22}, "a"),
        ({"min_frequency": 6}, ""),
        ({"max_categories": 4}, "abcd"),
        ({"max_categories": 3}, "ab"),
        ({"max_categories": 1}, ""),
        ({"max_categories": 4, "min_frequency": 2}, "abc"),
        ({"max_categories": 3, "min_frequency": 2}, "ab"),
    ],
)
@pytest.mark.parametrize("one_hot", [False, True])
def test_rare_levels_are_grouped(limits, kept, one_hot):
    column = levels(TEXT, one_hot, **limits)
    assert column.levels == tuple(kept)
    if kept == "abcd":
        assert column.rare_code is None
        return
    assert column.rare_code == column.unknown_code == len(kept)
    new = pd.Series(["d", "never seen"], dtype=object).to_numpy()
    assert column.codes(new).tolist() == [len(kept)] * 2
    if one_hot:
        assert column.output_names("c")[-2:] == ["c_rare", "c_missing"]
        assert column.missing_code == len(kept) + 1


@pytest.mark.parametrize(
    "values",
    [
        [True, 1, 1.0, "1", None, "x", 2.5, "unknown", np.nan],
        ["a", "b", None, "NA", "z"],
        pd.Categorical(["a", None, "q"], categories=["q", "b", "a"]),
        pd.array(["a", None, "q"], dtype="string"),
        np.array([1.0, np.nan, 5.0]),
    ],
)
def test_few_rows_and_many_rows_get_the_same_codes(values):
    column = levels([True, 1, "x", "a", "NA", "b", "b", 5])
    few = pd.Series(values)
    many = pd.concat([few] * FEW_ROWS, ignore_index=True)
    small, large = (s.to_numpy() if s.dtype == object else s.array for s in (few, many))
    assert column.codes(large).tolist() == column.codes(small).tolist() * FEW_ROWS


def test_records_are_frozen_small_and_survive_pickle():
    for column in (levels(TEXT), numeric([1.0, 2.0])):
        with pytest.raises(dataclasses.FrozenInstanceError):
            column.name = "other"
        assert pickle.loads(pickle.dumps(column)) == column


def test_use_does_not_change_the_pickle():
    column = levels(TEXT)
    before = pickle.dumps(column)
    codes = column.codes(np.array(["a", "b"]))
    assert pickle.dumps(column) == before
    assert pickle.loads(before).codes(np.array(["a", "b"])).tolist() == codes.tolist()

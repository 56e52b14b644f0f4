"""Made rows: types, levels, ranges and gaps as in the real ones, whatever the method."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.extra_rows import _source_table, make_rows
from stackens.distillation.extra_rows._make_rows import METHODS

methods = pytest.mark.parametrize("method", sorted(METHODS))


@methods
@pytest.mark.parametrize("seed", range(4))
def test_mixed_tables(mixed_table, method, seed):
    X = mixed_table(seed, 20 + 40 * seed)
    before = X.copy()
    new = make_rows(method, X, 101, random_state=seed)
    pd.testing.assert_frame_equal(X, before)
    assert 90 < len(new) <= 101
    assert new.columns.tolist() == X.columns.tolist()
    assert new.dtypes.tolist() == X.dtypes.tolist()
    assert new.index.tolist() == list(range(len(new)))
    for name in X.columns:
        assert not (new[name].isna().any() and not X[name].isna().any()), name
        seen, made = X[name].dropna(), new[name].dropna()
        if name in ("category", "text", "flag", "maybe", "wide"):
            assert set(made) <= set(seen)
        elif len(made):
            assert seen.min() <= made.min()
            assert made.max() <= seen.max()
    assert not new["empty"].notna().any()
    assert (new["constant"] == 7).all()


@methods
def test_rows_are_new_but_alike(method):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=3000), "k": rng.choice(list("aab"), 3000)})
    X["y"] = X["x"] + 0.1 * rng.normal(size=3000)
    new = make_rows(method, X, 6000, random_state=0)
    assert 5900 < len(new) <= 6000
    assert new["x"].mean() == pytest.approx(X["x"].mean(), abs=0.05)
    # a mean of two rows deviates less: with shares of Beta(0.4, 0.4) by a factor of 0.88
    expected = 0.88 if method == "mixup" else 1.0
    assert new["x"].std() == pytest.approx(expected * X["x"].std(), rel=0.1)
    # rows that keep their level are copies more often, and copies are left out
    assert (new["k"] == "a").mean() == pytest.approx((X["k"] == "a").mean(), abs=0.05)


@methods
def test_the_seed_decides(mixed_table, method):
    X = mixed_table(0, 50)
    first, again, other = (make_rows(method, X, 40, random_state=s) for s in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    generator = np.random.default_rng(3)
    pd.testing.assert_frame_equal(first, make_rows(method, X, 40, random_state=generator))


@methods
def test_polars_gives_what_pandas_gives(mixed_table, method):
    X = mixed_table(2, 60)[["float", "gaps", "count", "flag", "text", "day", "nullable"]]
    frame = pl.from_pandas(X)
    new = make_rows(method, frame, 70, random_state=0)
    assert new.schema == frame.schema
    expected = make_rows(method, X, 70, random_state=0)
    assert new["float"].to_list() == expected["float"].tolist()
    assert (
        new["text"].to_list()
        == expected["text"].astype(object).where(expected["text"].notna(), None).tolist()
    )
    assert new["day"].to_list() == expected["day"].tolist()


@methods
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "uint8", "bool", "object"])
def test_arrays(method, dtype):
    X = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 99, (30, 12)).astype(dtype)
    new = make_rows(method, X, 45, random_state=0)
    assert new.dtype == X.dtype
    assert new.shape[1] == 12
    assert 30 <= len(new) <= 45
    assert len(new) == 45 or dtype == "bool"
    assert new.min() >= X.min()
    assert new.max() <= X.max()
    if dtype == "object":
        assert {type(v) for v in new.ravel()} == {int}


def test_lists_and_names_of_any_kind():
    assert make_rows("spunge", [[1, 2.5], [3, 4.5]], 2, random_state=0).shape == (2, 2)
    X = pd.DataFrame({0: [1, 2, 5], 1: [0.5, 2.5, 4.0]}, index=[9, 4, 2])
    assert make_rows("spunge", X, 4, random_state=0).columns.tolist() == [0, 1]


@methods
def test_no_row_is_a_copy(method):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 3, (40, 6)).astype(str)).add_prefix("k")
    new = make_rows(method, X, 60, random_state=0)
    assert 20 < len(new) <= 60
    assert not pd.concat([X.drop_duplicates(), new]).duplicated().any()


@methods
@pytest.mark.parametrize("levels", [["x"], ["x", "y"]])
def test_where_no_other_rows_exist(method, levels):
    X = pd.DataFrame({"a": levels})
    new = make_rows(method, X, 5, random_state=0)
    assert new.dtypes.tolist() == X.dtypes.tolist()
    assert len(new) == 0


def test_large_tables_are_read_in_part(monkeypatch):
    monkeypatch.setattr(_source_table, "MOST_ROWS", 40)
    X = np.random.default_rng(0).normal(size=(1000, 2))
    new = make_rows("resample", X, 200, random_state=0)
    assert len(np.unique(new[:, 0])) <= 40


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((4, 8, 8)), ValueError, r"tables only.*\(4, 8, 8\).*X_unlabeled"),
        (["a text", "another"], ValueError, r"tables only.*\(2,\)"),
        (sparse.eye_array(3, format="csr"), TypeError, "sparse csr matrix.*toarray"),
        (pd.DataFrame({"a": []}), ValueError, "at least one row"),
    ],
    ids=["images", "texts", "sparse", "empty"],
)
def test_what_cannot_be_made(X, error, message):
    with pytest.raises(error, match=message):
        make_rows("munge", X, 5)


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (("smote", 5), {}, ValueError, "'munge', 'resample', 'spunge'"),
        (("munge", 0), {}, ValueError, "whole number from 1"),
        (("munge", 2.5), {}, ValueError, "whole number from 1"),
        (("munge", 5), {"q": 1}, TypeError, "unexpected keyword"),
    ],
)
def test_arguments_are_checked(arguments, settings, error, message):
    method, n_new = arguments
    with pytest.raises(error, match=message):
        make_rows(method, np.ones((3, 2)), n_new, **settings)

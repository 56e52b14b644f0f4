"""The filter: what lies as near as real rows do stays, what lies farther goes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.distillation.extra_rows import _source_table, keep_near, make_rows


def test_distances_decide():
    X = np.arange(100.0)[:, None]
    X_new = np.array([[0.5], [99.9], [-0.9], [-1.1], [250.0]])
    assert keep_near(X_new, X).ravel().tolist() == [0.5, 99.9, -0.9]


def test_real_rows_stay_as_the_quantile_says():
    rng = np.random.default_rng(0)
    X, fresh = rng.normal(size=(2000, 3)), rng.normal(size=(2000, 3))
    for quantile in (0.5, 0.95):
        share = len(keep_near(fresh, X, quantile=quantile)) / 2000
        assert share == pytest.approx(quantile, abs=0.04)
    assert len(keep_near(X, X, quantile=0.0)) == 2000


def test_copies_among_the_real_rows_do_not_narrow_it():
    X = np.arange(50.0)[:, None]
    assert len(keep_near(X + 0.5, np.concatenate([X, X]))) == 50


def test_rows_far_from_all_go_and_the_container_stays(mixed_table):
    X = mixed_table(0, 200)[["float", "gaps", "text", "flag", "day"]]
    made = make_rows("munge", X, 300, random_state=0)
    far = made.copy()
    far["float"] += 1000
    kept = keep_near(pd.concat([made, far], ignore_index=True), X)
    assert 200 < len(kept) <= 300
    assert kept.index.max() < 300
    assert kept.dtypes.tolist() == X.dtypes.tolist()
    frame = pl.from_pandas(made)
    assert keep_near(frame, pl.from_pandas(X)).equals(frame[kept.index.to_numpy()])


def test_possibly_none_stays():
    none = keep_near(np.array([[1e6, 0.0]]), np.eye(2) * 3)
    assert none.shape == (0, 2)
    assert keep_near(none, np.eye(2)).shape == (0, 2)


def test_large_tables_are_read_in_part(monkeypatch):
    monkeypatch.setattr(_source_table, "MOST_ROWS", 50)
    X = np.arange(1000.0)[:, None]
    kept = keep_near(X, X, random_state=0)
    assert 700 < len(kept) < 1000
    assert np.array_equal(kept, keep_near(X, X, random_state=0))


@pytest.mark.parametrize("quantile", [-0.1, 1.5])
def test_the_quantile_is_checked(quantile):
    with pytest.raises(ValueError, match="between 0 and 1"):
        keep_near(np.ones((1, 1)), np.ones((2, 1)), quantile=quantile)

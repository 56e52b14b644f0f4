"""MUNGE: pairs exchange values as Algorithm 1 says."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.extra_rows._munge import munge
from stackens.distillation.extra_rows._source_table import SourceTable


def new_rows(X, n_new, seed=0, **settings):
    table = SourceTable(X)
    cells = munge(table, n_new, np.random.default_rng(seed), **settings)
    return [(rows, drawn) for rows, drawn in cells]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"x": rng.normal(size=200), "k": rng.choice(list("abc"), 200), "y": rng.normal(size=200)}
    )


def test_without_exchange_rows_are_real(X):
    (x, drawn_x), (k, drawn_k), _ = new_rows(X, 400, p=0.0)
    assert np.array_equal(x, k)
    assert np.isnan(drawn_x).all()
    assert drawn_k is None
    # every row as often as the first of a pair
    assert np.array_equal(np.sort(x[::2]), np.arange(200))


def test_with_certain_exchange_partners_swap(X):
    plain = new_rows(X, 400, p=0.0)[0][0]
    (x, drawn_x), (k, _), _ = new_rows(X, 400, p=1.0, s=1e9)
    partner = plain.reshape(-1, 2)[:, ::-1].ravel()
    assert np.array_equal(k, partner)
    assert np.array_equal(x, partner)
    np.testing.assert_allclose(drawn_x, X["x"][partner], atol=1e-6)


def test_levels_are_kept_within_pairs(X):
    k = X["k"].to_numpy()
    rows = new_rows(X, 400, p=0.5)[1][0]
    plain = new_rows(X, 400, p=0.0)[1][0]
    for pair, real in zip(rows.reshape(-1, 2), plain.reshape(-1, 2), strict=True):
        assert sorted(k[pair]) == sorted(k[real])


@pytest.mark.parametrize(("p", "s"), [(0.5, 1.0), (0.2, 4.0)])
def test_draws_have_the_mean_and_the_deviation_of_the_formula(p, s):
    # two rows: each is the other's neighbour
    rows, drawn = new_rows(np.array([[0.25], [6.5]]), 20_000, p=p, s=s)[0]
    there = np.array([0.25, 6.5])[rows]
    exchanged = np.isfinite(drawn)
    assert exchanged.mean() == pytest.approx(p, abs=0.02)
    errors = (drawn - there)[exchanged]
    assert errors.mean() == pytest.approx(0.0, abs=0.15)
    assert errors.std() == pytest.approx(6.25 / s, rel=0.03)


def test_where_one_is_missing_the_cell_is_swapped_as_it_is():
    rows, drawn = new_rows(np.array([[np.nan, 1.0], [2.0, 1.0]]), 1000, p=1.0)[0]
    assert np.isnan(drawn).all()
    assert np.bincount(rows).tolist() == [500, 500]


def test_partners_are_the_nearest(X):
    points = SourceTable(X).points
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    first, second = new_rows(X, 400, p=0.0)[0][0].reshape(-1, 2).T
    np.testing.assert_allclose(distances[first, second], distances.min(axis=1)[first])


def test_odd_numbers(X):
    assert [len(rows) for rows, _ in new_rows(X, 3)] == [3, 3, 3]


@pytest.mark.parametrize("settings", [{"p": 1.5}, {"s": 0.0}])
def test_settings_are_checked(X, settings):
    with pytest.raises(ValueError, match="The defaults are 0.5 and 1"):
        new_rows(X, 2, **settings)

"""Distances of mixed rows: against a formula, and the nearest neighbour by brute force."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.extra_rows._metric import RowSpace, nearest, nearest_others


def squared_distances(X):
    """Column by column, in plain pandas."""
    total = np.zeros((len(X), len(X)))
    for name in ("number", "gaps"):
        mean, deviation = X[name].mean(), X[name].std(ddof=0)
        z, absent = ((X[name] - mean) / deviation).fillna(0), X[name].isna()
        # the deviation is taken before the fill
        total += np.subtract.outer(z.to_numpy(), z.to_numpy()) ** 2
        total += np.not_equal.outer(absent.to_numpy(), absent.to_numpy())
    for name in ("flag", "text"):
        values = X[name].astype(object).where(X[name].notna(), "missing").to_numpy()
        total += np.not_equal.outer(values, values)
    return total


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    n = 80
    return pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.normal(5, 3, n)),
            "flag": rng.random(n) < 0.2,
            "text": rng.choice(["a", "b", "c", None], n),
        }
    )


def test_distances_follow_the_formula(X):
    points = RowSpace(X).points(X)
    gram = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(gram, squared_distances(X), atol=1e-9)


def test_owner_names_the_column_of_each_dimension(X):
    space = RowSpace(X)
    # gaps has an indicator, text a dimension for each of three levels and for missing
    assert space.owner.tolist() == [0, 1, 1, 2, 3, 3, 3, 3]


def test_a_date_counts_as_one_column():
    days = pd.DataFrame({"d": pd.date_range("2020-01-01", periods=500, freq="37h")})
    points = RowSpace(days).points(days)
    # two random rows differ by 2 in the mean, as standardised numbers do
    assert 2 * points.var(axis=0).sum() == pytest.approx(2.0)


def test_the_neighbour_is_the_true_nearest(X):
    exact = squared_distances(X)
    np.fill_diagonal(exact, np.inf)
    distances, neighbours = nearest_others(
        RowSpace(X).points(X), np.arange(len(X)), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(neighbours, exact.argmin(axis=1))
    np.testing.assert_allclose(distances**2, exact.min(axis=1), atol=1e-6)


def test_copies_of_a_row_are_not_its_neighbours(X):
    twice = pd.concat([X, X, X.iloc[:10]], ignore_index=True)
    points = RowSpace(twice).points(twice)
    distances, neighbours = nearest_others(points, np.arange(len(twice)))
    assert (distances > 0).all()
    exact = squared_distances(twice)
    exact[exact < 1e-12] = np.inf
    np.testing.assert_allclose(exact[np.arange(len(twice)), neighbours], exact.min(axis=1))


def test_equal_rows_have_only_each_other():
    distances, neighbours = nearest_others(np.ones((4, 2)), np.arange(4))
    assert distances.tolist() == [0.0] * 4
    assert neighbours.tolist() == [0] * 4


def test_ties_are_drawn():
    # every level is as far from every other: without a draw all would choose the first
    X = pd.DataFrame({"level": [f"l{i:02}" for i in range(30)]})
    points = RowSpace(X).points(X)
    rng = np.random.default_rng(0)
    chosen = nearest_others(points, np.zeros(300, dtype=int), rng)[1]
    drawn = nearest_others(points, np.arange(30), rng)[1]
    assert 0 not in chosen
    assert len(np.unique(drawn)) > 10
    assert (drawn != np.arange(30)).all()


def test_nearest_first():
    distances, rows = nearest(np.array([[0.0], [3.0], [1.0]]), np.array([[0.9]]), 3)
    assert rows.tolist() == [[2, 0, 1]]
    np.testing.assert_allclose(distances, [[0.1, 0.9, 2.1]])

"""Tests of the way from a user's rows to a network's: encoding, merging, holding out, bins."""

import numpy as np
import pandas as pd
import pytest

from stackens.neural._table import (
    TargetRows,
    bin_edges,
    code_columns,
    encoded,
    fit_encoder,
    held_out,
)


def frame(n_levels, n=200):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": np.where(random.random(n) < 0.1, np.nan, random.normal(size=n)),
            "level": [f"level {i % n_levels}" for i in range(n)],
        }
    )


@pytest.mark.parametrize(
    ("categories", "n_levels", "codes"),
    [
        ("auto", 5, []),
        ("auto", 50, []),
        ("auto", 51, [(2, 53)]),
        ("one_hot", 60, []),
        ("embedding", 5, [(2, 7)]),
    ],
)
def test_codes_are_embedded_where_there_are_many(categories, n_levels, codes):
    X = frame(n_levels)
    encoder = fit_encoder(X, np.ones(len(X)), categories)
    assert code_columns(encoder) == codes  # behind the number and its indicator
    table = encoded(encoder, X)
    assert table.dtype == np.float32
    assert table.shape[1] == 3 if codes else 2 + min(n_levels, 50)


def test_codes_count_unknown_missing_and_rare():
    X = pd.DataFrame({"level": [f"level {i % 300}" for i in range(600)]})
    encoder = fit_encoder(X, np.ones(len(X)), "embedding")
    assert code_columns(encoder) == [(0, 254 + 1 + 2)]
    new = encoded(encoder, pd.DataFrame({"level": ["level 0", None, "new"]}))
    assert new.min() == -1
    assert new.max() < 255


def test_a_long_table_is_encoded_in_pieces():
    X = np.random.default_rng(0).normal(size=(40_000, 2))
    encoder = fit_encoder(X, np.ones(len(X)), "auto")
    np.testing.assert_array_equal(encoded(encoder, X), encoder.transform(X).astype(np.float32))


def rows(table, target, weights=None):
    table = np.asarray(table, dtype=np.float32).reshape(len(table), -1)
    target = np.asarray(target)
    return TargetRows(
        table, target, np.ones(len(table)) if weights is None else np.asarray(weights)
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("table", "target", "weights")
    )


def test_merging_makes_weights_of_repetitions():
    merged = rows([1, 2, 1, 1, -0.0, 0.0], [0, 0, 0, 1, 1, 1]).merged()
    found = dict(
        zip(zip(merged.table[:, 0], merged.target, strict=True), merged.weights, strict=True)
    )
    assert found == {(1, 0): 2, (2, 0): 1, (1, 1): 1, (0, 1): 2}


@pytest.mark.parametrize("target", [[0, 1, 1, 0], [[0.5], [1.5], [1.5], [0.0]]])
def test_merging_forgets_order_and_rows_of_no_weight(target):
    given = rows([[1, 5], [2, 6], [2, 6], [3, 7]], target, [1.0, 2.0, 0.5, 0.0])
    assert same(given.merged(), given.take(np.array([3, 2, 1, 0])).merged())
    assert same(given.merged(), given.take(np.array([0, 1, 2])).merged())
    assert len(given.merged()) == 2
    assert sorted(given.merged().weights) == [1.0, 2.5]


def test_each_class_gives_its_share_to_hold_out():
    given = rows(np.arange(113), [0] * 100 + [1] * 10 + [2] * 2 + [3])
    chosen = held_out(given, 0.3, np.random.RandomState(0))
    assert np.bincount(given.target[chosen], minlength=4).tolist() == [30, 3, 1, 0]
    nearly_all = held_out(given, 0.999, np.random.RandomState(0))
    assert np.bincount(given.target[~nearly_all]).tolist() == [1, 1, 1, 1]
    assert not held_out(given, 0.0, np.random.RandomState(0)).any()


def test_numbers_are_held_out_at_random():
    given = rows(np.arange(100), np.arange(100.0)[:, None])
    chosen = held_out(given, 0.2, np.random.RandomState(0))
    assert chosen.sum() == 20
    assert not chosen[-20:].all()


def test_edges_are_quantiles():
    column = np.arange(100, dtype=np.float32)
    [(position, edges)] = bin_edges(column[:, None], np.ones(100), 4, set())
    assert position == 0
    assert edges.tolist() == [0, 24, 49, 74, 99]
    weighted = bin_edges(column[:, None], np.where(column < 50, 3.0, 1.0), 4, set())
    assert weighted[0][1].tolist() == [0, 16, 33, 49, 99]


def test_columns_without_bins():
    table = np.column_stack([np.zeros(50), np.arange(50) % 2, np.arange(50), np.arange(50) % 3])
    found = bin_edges(table.astype(np.float32), np.ones(50), 8, {2})
    assert [position for position, _ in found] == [3]
    assert found[0][1].tolist() == [0, 1, 2]
    assert bin_edges(table.astype(np.float32), np.ones(50), 0, set()) == []


def test_bins_are_wide_enough_to_divide_by():
    tiny = np.float32(1e-44)
    table = np.array([0, tiny, 2 * tiny, 1], dtype=np.float32)[:, None]
    for _, edges in bin_edges(table, np.ones(4), 4, set()):
        assert np.isfinite(1 / np.diff(edges)).all()

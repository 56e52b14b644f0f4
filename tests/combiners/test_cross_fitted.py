"""Cross-fitted predictions use the table's splits and never a row's own fold."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from stackens.combiners import (
    AutoCombiner,
    RidgeLeaveOneOut,
    SimplexWeights,
    cross_fitted_predictions,
)
from stackens.combiners._cross_fitted import place_rows, table_splits


def test_each_fold_is_combined_by_a_fit_on_the_others(make_table):
    table = make_table("multiclass", weighted=True)
    found = cross_fitted_predictions(SimplexWeights(), table)
    for train, test in table.splits:
        fitted = SimplexWeights().fit(table.rows(train))
        np.testing.assert_allclose(found[test], fitted.combine(table.rows(test)))


@pytest.mark.parametrize("combiner", [RidgeLeaveOneOut(), SimplexWeights()])
def test_a_row_does_not_see_its_own_target(make_table, combiner):
    table = make_table("regression", seed=1)
    y = table.y.copy()
    test = table.splits[2][1]
    y[test] = 1e3
    before = cross_fitted_predictions(combiner, table)
    after = cross_fitted_predictions(combiner, replace(table, y=y))
    np.testing.assert_array_equal(before[test], after[test])
    others = np.setdiff1d(np.arange(60), test)
    assert not np.allclose(before[others], after[others])


def time_ordered(table):
    """Four splits of past against future; the first third is never held out."""
    blocks = np.array_split(np.arange(table.n_samples), 6)
    splits = tuple((np.concatenate(blocks[:k]), blocks[k]) for k in range(2, 6))
    covered = np.zeros(table.n_samples, dtype=bool)
    covered[np.concatenate(blocks[2:])] = True
    values = table.values.copy()
    values[~covered] = np.nan
    return replace(table, values=values, splits=splits, covered=covered), blocks


@pytest.mark.parametrize("combiner", [SimplexWeights(), AutoCombiner()])
def test_time_order(make_table, combiner):
    table, blocks = time_ordered(make_table("binary"))
    found = cross_fitted_predictions(combiner, table)
    # The first split that tests anything has no covered rows to learn from.
    missing = np.concatenate(blocks[:3])
    assert np.isnan(found[missing]).all()
    assert np.isfinite(found[np.concatenate(blocks[3:])]).all()
    fitted = clone(combiner)
    fitted.fit(replace(table.rows(blocks[2]), splits=()))
    if isinstance(combiner, SimplexWeights):
        np.testing.assert_allclose(found[blocks[3]], fitted.combine(table.rows(blocks[3])))


def test_repeats_are_averaged(make_table):
    table = make_table("regression")
    fold = np.arange(60) // 15
    more = tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4))
    both = cross_fitted_predictions(SimplexWeights(), replace(table, splits=table.splits + more))
    first = cross_fitted_predictions(SimplexWeights(), table)
    second = cross_fitted_predictions(SimplexWeights(), replace(table, splits=more))
    np.testing.assert_allclose(both, (first + second) / 2)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_tables_without_splits_get_their_own(make_table, kind):
    table = make_table(kind, n=43, splits=False)
    splits = table_splits(table)
    assert len(splits) == 5
    np.testing.assert_array_equal(np.sort(np.concatenate([t for _, t in splits])), np.arange(43))
    for train, test in splits:
        np.testing.assert_array_equal(np.union1d(train, test), np.arange(43))
        assert len(np.intersect1d(train, test)) == 0
    if kind == "multiclass":
        counts = np.array([np.bincount(table.target[test], minlength=4) for _, test in splits])
        assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    assert np.isfinite(cross_fitted_predictions(SimplexWeights(), table)).all()


def test_very_few_rows(make_table):
    table = make_table("regression", n=3, splits=False)
    assert len(table_splits(table)) == 3
    one = table.rows(np.array([0]))
    assert table_splits(one) == ()
    assert np.isnan(cross_fitted_predictions(SimplexWeights(), one)).all()


def test_splits_without_weight_to_learn_from_are_left_out(make_table):
    table = make_table("binary")
    weights = np.zeros(60)
    weights[table.splits[0][1]] = 1.0
    table = replace(table, sample_weight=weights)
    assert len(table_splits(table)) == 3


def test_place_rows(make_table):
    table = replace(make_table("regression", n=4), covered=np.array([True, False, True, True]))
    splits = ((np.array([]), np.array([0, 1])), (np.array([]), np.array([1])))
    found = place_rows([np.array([[1.0], [2.0]]), np.array([[4.0]])], splits, table)
    np.testing.assert_array_equal(found, [[1.0], [np.nan], [3.0], [np.nan]])

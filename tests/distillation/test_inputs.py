"""Rows of a distillation: parts of them, rows set aside, rows to stop by."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit

from stackens._core._task import infer_task
from stackens.distillation._inputs import Inputs


def inputs(n=200, **changes):
    X = np.arange(2.0 * n).reshape(n, 2)
    task, y = infer_task(np.arange(n) % 2)
    given = {
        "X": X,
        "y": y,
        "task": task,
        "hard": np.eye(2)[y],
        "student_task": task,
        "weight": None,
        "groups": None,
        "cv": 5,
    }
    return Inputs(**{**given, **changes})


def test_a_part_takes_everything_along():
    n = 20
    whole = inputs(
        n,
        weight=np.arange(n, dtype=float),
        groups=np.arange(n) // 2,
        seen=np.arange(n) < 5,
        targets=np.zeros((n, 2)),
        cv=list(KFold(4).split(np.zeros(n))),
    )
    part = whole.part(np.arange(5, n))
    assert len(part) == 15
    assert part.weight.tolist() == list(range(5, n))
    assert part.groups[0] == 2
    assert not part.seen.any()
    assert part.targets.shape == (15, 2)
    assert {int(row) for train, test in part.cv for row in [*train, *test]} == set(range(15))
    assert inputs(4).row_weights.tolist() == [1.0] * 4


def test_few_rows_have_fewer_folds_inside():
    assert inputs(10).part(np.arange(8)).cv == 4
    assert inputs(200).part(np.arange(150)).cv == 5


def test_listed_splits_are_the_outer_ones_too():
    listed = list(KFold(4).split(np.zeros(40)))
    found = inputs(40, cv=listed).outer_splits("auto", 0)
    for (train, test), (own_train, own_test) in zip(listed, found, strict=True):
        np.testing.assert_array_equal(train, own_train)
        np.testing.assert_array_equal(test, own_test)
    assert len(inputs(40, cv=listed).outer_splits(0.25, 0)) == 1


def test_time_order_sets_the_last_rows_aside():
    ((train, test),) = inputs(100, cv=TimeSeriesSplit(3)).outer_splits("auto", 0)
    assert train.max() < test.min() == 80


def test_very_many_rows_set_no_more_than_fifty_thousand_aside():
    ((_, test),) = inputs(400_000).outer_splits("auto", 0)
    assert len(test) == 50_000
    ((_, test),) = inputs(20_000).outer_splits("auto", 0)
    assert len(test) == 4_000


def test_the_number_of_outer_folds_falls_with_the_rows():
    sizes = (300, 1_000, 4_999, 5_000, 19_999, 20_000)
    assert [len(inputs(n).outer_splits("auto", 0)) for n in sizes] == [5, 3, 3, 2, 2, 1]
    groups = np.arange(1_000) % 3
    assert len(inputs(1_000, groups=groups).outer_splits("auto", 0)) == 3
    assert len(inputs(1_000).outer_splits(5, 0)) == 5


def test_rows_to_stop_by():
    assert inputs(99).stopping_rows(0) is None
    mask = inputs(200).stopping_rows(0)
    assert mask.sum() == 30
    assert (np.arange(200)[mask] % 2).mean() == 0.5
    groups = np.arange(200) // 10
    mask = inputs(200, groups=groups).stopping_rows(0)
    assert not set(groups[mask]) & set(groups[~mask])
    assert inputs(200, cv=TimeSeriesSplit(3)).stopping_rows(0)[-30:].all()


@pytest.mark.parametrize("n_groups", [1, 2, 3])
def test_few_groups_do_not_take_all_rows_to_stop_by(n_groups):
    mask = inputs(200, groups=np.arange(200) % n_groups).stopping_rows(0)
    assert 0 < mask.mean() < 0.3


@pytest.mark.parametrize("n_groups", [2, 4, 5, 6, 9])
def test_rows_to_stop_by_are_whole_groups_of_however_many_there_are(n_groups):
    groups = np.arange(240) % n_groups
    mask = inputs(240, groups=groups).stopping_rows(0)
    assert 0 < mask.sum() < 240
    if n_groups >= 4:
        assert not set(groups[mask]) & set(groups[~mask])


@pytest.mark.parametrize("n", [25_000, 300_000])
def test_one_hold_out_of_a_large_table_is_at_least_a_group(n):
    groups = np.arange(n) % 3
    ((train, test),) = inputs(n, groups=groups).outer_splits("auto", 0)
    assert not set(groups[train]) & set(groups[test])
    assert len(train) + len(test) == n

"""Outer splits: what is set aside, and the folds that remain inside."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, PredefinedSplit, TimeSeriesSplit

from stackens._core._task import infer_task
from stackens.evaluation._outer import inner_cv, is_time_ordered, listed_cv, outer_splits
from stackens.exceptions import LeakageWarning


def split(outer, y, **options):
    y = np.asarray(y)
    X = np.zeros((len(y), 1))
    task, y = infer_task(y, classification=options.pop("classification", None))
    return outer_splits(outer, X, y, task, **options)


def test_auto_is_five_folds_on_small_data_and_a_fifth_on_large():
    small = split("auto", np.arange(4_999) % 2)
    assert len(small) == 5
    assert sorted(np.concatenate([test for _, test in small])) == list(range(4_999))
    ((train, test),) = split("auto", np.arange(5_000) % 2)
    assert len(test) == 1_000
    assert len(np.intersect1d(train, test)) == 0
    assert len(train) + len(test) == 5_000


def test_hold_out_is_stratified_and_every_class_keeps_a_row_to_train_on():
    y = np.array(["a"] * 700 + ["b"] * 290 + ["c"] * 9 + ["d"])
    for seed in range(20):
        ((train, test),) = split(0.2, y, random_state=seed)
        counts = {label: int((y[test] == label).sum()) for label in "abcd"}
        assert abs(counts["a"] - 140) <= 1
        assert abs(counts["b"] - 58) <= 1
        assert counts["d"] == 0
        assert set(y[train]) == set("abcd")


def test_hold_out_of_a_regression_covers_the_range_of_the_target():
    y = np.random.default_rng(0).exponential(size=1_000)
    ((train, test),) = split(0.25, y)
    assert len(test) == 250
    quantiles = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(
        np.quantile(y[test], quantiles), np.quantile(y[train], quantiles), rtol=0.03
    )


def test_splits_follow_the_seed():
    y = np.arange(100) % 2
    for outer in (0.3, 4):
        first, again = (split(outer, y, random_state=3)[0][1] for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, split(outer, y, random_state=4)[0][1])


@pytest.mark.parametrize("outer", ["auto", 3, 0.25, 0.7])
@pytest.mark.parametrize("n", [300, 6_000])
def test_groups_are_never_cut(outer, n):
    groups = np.arange(n) // 10
    for train, test in split(outer, np.arange(n) % 2, groups=groups):
        assert not set(groups[train]) & set(groups[test])
        assert len(test)


def test_a_large_fraction_of_groups_is_set_aside():
    ((_, test),) = split(0.75, np.arange(400) % 2, groups=np.arange(400) // 10)
    assert 250 < len(test) < 350


@pytest.mark.parametrize("outer", [0.1, 0.9])
@pytest.mark.parametrize("y", [np.arange(200) % 2, np.arange(200) / 7])
def test_a_hold_out_sets_aside_one_of_few_groups_and_keeps_one(outer, y):
    groups = np.repeat(np.arange(4), 50)
    ((train, test),) = split(outer, y, groups=groups)
    assert len(test) == (50 if outer == 0.1 else 150)
    assert not set(groups[train]) & set(groups[test])


def test_few_groups_are_folds_of_their_own():
    groups = np.repeat([0, 1, 2], 2_000)
    splits = split("auto", np.arange(6_000) % 2, groups=groups)
    assert len(splits) == 3


@pytest.mark.parametrize(
    "cv", [TimeSeriesSplit(3), [(np.arange(10), np.arange(10, 20)), (range(20), range(20, 30))]]
)
def test_time_order_sets_the_last_rows_aside(cv):
    ((train, test),) = split("auto", np.arange(30) % 2, cv=cv)
    np.testing.assert_array_equal(test, np.arange(24, 30))
    np.testing.assert_array_equal(train, np.arange(24))


def test_time_order_keeps_the_gap_and_gives_ordered_folds():
    cv = TimeSeriesSplit(3, gap=2)
    ((train, test),) = split(0.5, np.arange(20) % 2, cv=cv)
    assert (train.max(), test.min()) == (7, 10)
    folds = split(2, np.arange(20) % 2, cv=cv)
    assert len(folds) == 2
    assert all(train.max() + 2 < test.min() for train, test in folds)


def test_what_keeps_time_order():
    X, y = np.zeros((20, 1)), np.zeros(20)
    assert is_time_ordered(TimeSeriesSplit(2), X, y, None)
    assert not is_time_ordered(KFold(2), X, y, None)
    assert not is_time_ordered(5, X, y, None)
    mask = np.arange(20) < 10
    assert is_time_ordered([(mask, ~mask)], X, y, None)
    assert not is_time_ordered([(~mask, mask)], X, y, None)


def test_splitters_and_iterables_are_taken_as_they_are():
    y = np.arange(12) % 2
    assert [len(test) for _, test in split(KFold(3), y)] == [4, 4, 4]
    given = [(np.arange(6), np.arange(6, 12))]
    ((train, test),) = split(given, y)
    np.testing.assert_array_equal(train, given[0][0])
    np.testing.assert_array_equal(test, given[0][1])


@pytest.mark.parametrize("outer", ["all", None, True, 1, 0.0, 1.0, -2, object()])
def test_unusable_values_say_what_to_do(outer):
    with pytest.raises(ValueError, match=r"'outer' parameter .* Got .* instead\. Leave it at"):
        split(outer, np.arange(20) % 2)


def test_too_few_rows_for_a_hold_out():
    with pytest.raises(ValueError, match="set at least 2 rows aside.*Got 0 of 3"):
        split(0.01, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="time order"):
        split("auto", [0.1, 0.2, 0.3], cv=TimeSeriesSplit(2, gap=3))


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_rows_that_are_kept_to_train_on_are_said():
    with pytest.raises(ValueError, match="Got 0 of 30 rows .* every class keeps a row"):
        split(0.3, [f"class {i}" for i in range(30)])


def test_what_splitting_says_is_about_outer():
    with pytest.raises(ValueError, match="at least as many rows as folds.*outer=100. Give more"):
        split(100, np.arange(30) % 2)


def test_splits_of_these_rows_become_a_list():
    X, y = np.zeros((4, 1)), np.zeros(4)
    assert listed_cv(5, X, y, None) == 5
    assert listed_cv("prefit", X, y, None) == "prefit"
    splitter = KFold(2)
    assert listed_cv(splitter, X, y, None) is splitter
    assert len(listed_cv(iter([([0], [1])]), X, y, None)) == 1
    assert len(listed_cv(PredefinedSplit([0, 0, 1, -1]), X, y, None)) == 2


def test_listed_splits_are_cut_to_the_training_part():
    train = np.array([0, 2, 4, 6, 8])
    cv = [(np.arange(5), np.arange(5, 10)), (np.arange(5, 10), np.arange(5))]
    first, second = inner_cv(cv, train, 10, None)
    np.testing.assert_array_equal(first[0], [0, 1, 2])
    np.testing.assert_array_equal(first[1], [3, 4])
    np.testing.assert_array_equal(second[0], [3, 4])
    with pytest.raises(ValueError, match="leave rows to train on"):
        inner_cv([(np.arange(5), np.array([5]))], train, 10, None)


def test_too_few_groups_inside():
    groups = np.array([0, 0, 1, 1, 2, 2])
    assert inner_cv(2, np.arange(4), 6, groups) == 2
    with pytest.raises(ValueError, match="at least 'cv' groups. Got 2 groups in one and cv=3"):
        inner_cv(3, np.arange(4), 6, groups)


@pytest.mark.parametrize("outer", ["auto", 0.3, 2])
def test_one_group_cannot_be_set_aside(outer):
    with pytest.raises(ValueError, match="at least two. Got one group"):
        split(outer, np.arange(40) % 2, groups=np.zeros(40))


@pytest.mark.parametrize("outer", ["auto", 0.3, TimeSeriesSplit(3)])
def test_groups_that_time_cuts_are_told(outer):
    y = np.arange(40) % 2
    groups = np.arange(40) % 4
    with pytest.warns(LeakageWarning, match="Got 4 of 4 groups on both sides"):
        split(outer, y, cv=TimeSeriesSplit(3), groups=groups)
    assert split(outer, y, cv=TimeSeriesSplit(3), groups=np.arange(40))


def test_splitters_that_ignore_groups_are_read_without_a_remark():
    X, y, groups = np.zeros((6, 1)), np.arange(6) % 2, np.arange(6)
    assert not is_time_ordered(KFold(3), X, y, groups)
    assert len(listed_cv(PredefinedSplit([0, 0, 0, 1, 1, 1]), X, y, groups)) == 2

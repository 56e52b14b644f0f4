"""Tests of the folds: balanced and seeded, any splitter, honest, and errors that help."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from stackens._core._task import Task, infer_task
from stackens.exceptions import LeakageWarning, RareClassWarning
from stackens.out_of_fold._folds import make_folds, warn_shared_groups

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 2))
CLASSES = np.repeat(["a", "b", "c"], [33, 16, 11])
NUMBERS = RNG.normal(size=60)
GROUPS = np.arange(60) // 6


def folds_of(cv, y=CLASSES, X=X, **options):
    task, y = infer_task(y)
    return make_folds(cv, X, y, task, **options)


def held_out(folds):
    return [test.tolist() for _, test in folds.splits]


@pytest.mark.parametrize("y", [CLASSES, NUMBERS, np.eye(3, dtype=int)[RNG.randint(3, size=60)]])
@pytest.mark.parametrize("k", [2, 5, 7])
def test_an_integer_makes_a_partition(y, k):
    folds = folds_of(k, y)
    assert len(folds.splits) == k
    assert folds.complete
    assert folds.shuffled
    assert sorted(chain(*held_out(folds))) == list(range(60))
    sizes = [len(test) for _, test in folds.splits]
    assert max(sizes) - min(sizes) <= 1
    for train, test in folds.splits:
        assert sorted([*train, *test]) == list(range(60))


def test_classes_are_dealt_evenly():
    for _, test in folds_of(5).splits:
        counts = pd.Series(CLASSES[test]).value_counts()
        assert counts["a"] in (6, 7)
        assert counts["b"] in (3, 4)
        assert counts["c"] in (2, 3)


def test_a_numeric_target_is_dealt_evenly():
    order = np.argsort(np.argsort(NUMBERS))
    for _, test in folds_of(5, NUMBERS).splits:
        # one row out of each run of five neighbours in the order of the target
        assert sorted(order[test] // 5) == list(range(12))


def test_folds_are_shuffled_and_seeded():
    assert held_out(folds_of(5)) == held_out(folds_of(5)) == held_out(folds_of(5, random_state=0))
    assert held_out(folds_of(5)) != held_out(folds_of(5, random_state=1))
    assert held_out(folds_of(5))[0] != list(range(12))


def test_none_is_five_folds():
    assert held_out(folds_of(None)) == held_out(folds_of(5))


@pytest.mark.parametrize("y", [CLASSES, NUMBERS])
def test_groups_stay_on_one_side(y):
    folds = folds_of(3, y, groups=GROUPS)
    assert not folds.shuffled
    assert folds.complete
    for train, test in folds.splits:
        assert set(GROUPS[train]).isdisjoint(GROUPS[test])
    other = folds_of(3, y, groups=GROUPS, random_state=3)
    assert held_out(other) != held_out(folds)


SHUFFLED = KFold(3, shuffle=True, random_state=0)


@pytest.mark.parametrize(
    ("cv", "shared"),
    [
        (SHUFFLED, 10),
        (list(SHUFFLED.split(X)), 10),
        (SHUFFLED.split(X), 10),
        (ShuffleSplit(1, test_size=2, random_state=0), 2),
        (TimeSeriesSplit(4, test_size=9), 2),  # groups of 6 rows, cut at rows 33 and 51
        ([(np.arange(57), np.arange(57, 60))], 1),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("labels", [GROUPS, np.array([f"group {g}" for g in GROUPS])])
def test_splits_that_share_a_group_are_told(cv, shared, labels):
    if not hasattr(cv, "split") and not isinstance(cv, list):
        cv = SHUFFLED.split(X)  # an iterator serves once
    message = rf"stand on one side.*Got {shared} of 10 groups on both.*Use a number of folds"
    with pytest.warns(LeakageWarning, match=message) as caught:
        folds_of(cv, NUMBERS, groups=labels)
    assert len(caught) == 1  # and scikit-learn's remark on ignored groups is not needed


@pytest.mark.parametrize(
    "cv",
    [
        3,
        KFold(5),  # ten groups of six rows in order: cut between groups
        TimeSeriesSplit(4),
        PredefinedSplit(GROUPS),
        GroupKFold(4),
        LeaveOneGroupOut(),
        GroupShuffleSplit(3, random_state=0),
        [(np.arange(30), np.arange(30, 60))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_splits_that_keep_groups_together_are_not(cv):
    folds = folds_of(cv, NUMBERS, groups=GROUPS)
    for train, test in folds.splits:
        assert set(GROUPS[train]).isdisjoint(GROUPS[test])


def test_rare_classes_with_groups():
    rare = np.where(np.arange(60) < 3, "rare", "often")
    with pytest.warns(RareClassWarning) as caught:
        folds_of(5, rare, groups=np.arange(60) // 2)
    assert str(caught[0].message).startswith("1 of 2 classes have fewer rows than the 5 folds")
    assert {warning.category for warning in caught} == {RareClassWarning}
    with pytest.raises(ValueError, match="Every class has fewer rows.*set cv to 2"):
        folds_of(3, np.arange(6) // 2, X[:6], groups=np.arange(6))


def test_groups_of_any_type():
    groups = np.array([1, "one", 1, (2, 3)], dtype=object)
    with pytest.warns(LeakageWarning, match="Got 1 of 3 groups on both sides, such as 1. Use"):
        warn_shared_groups([(np.array([0, 1]), np.array([2, 3]))], groups)


def test_errors_name_the_parameter():
    with pytest.raises(ValueError, match="The 'outer' parameter must be.*Got 'x' instead"):
        folds_of("x", parameter="outer")
    with pytest.raises(ValueError, match=r"set outer to 33\."):
        folds_of(40, parameter="outer")


def test_a_class_for_each_row_is_no_matter_of_folds():
    y = np.array([f"id {i}" for i in range(60)])
    task = Task("multiclass", 60, np.unique(y))
    for cv in (2, 5):
        with pytest.raises(ValueError, match="60 classes of one row each, such as id .*ids and da"):
            make_folds(cv, X, y, task)


@pytest.mark.parametrize(
    ("cv", "options"),
    [
        (KFold(3), {}),
        (StratifiedKFold(3, shuffle=True, random_state=0), {}),
        (GroupKFold(5), {"groups": GROUPS}),
        (LeaveOneGroupOut(), {"groups": GROUPS}),
        (LeaveOneGroupOut(), {"split_params": {"groups": GROUPS}}),
        (PredefinedSplit(np.arange(60) % 4), {}),
        (list(KFold(3).split(X)), {}),
        (KFold(3).split(X), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_splitter(cv, options):
    folds = folds_of(cv, np.tile(["a", "b", "c"], 20), **options)
    assert folds.complete
    assert not folds.shuffled
    assert sorted(chain(*held_out(folds))) == list(range(60))


def test_repeats_and_partial_coverage():
    repeated = folds_of(RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0))
    assert len(repeated.splits) == 6
    assert repeated.complete
    forward = folds_of(TimeSeriesSplit(3), NUMBERS)
    assert not forward.complete
    assert forward.covered.sum() == 45
    assert not forward.covered[:15].any()


def test_masks_and_negative_row_numbers():
    mask = np.arange(60) < 30
    folds = folds_of([(mask, ~mask), (np.arange(-30, 0), np.arange(-60, -30))], NUMBERS)
    assert held_out(folds) == [list(range(30, 60)), list(range(30))]


def test_the_splitter_is_never_written_to():
    splitter = ShuffleSplit(3, random_state=np.random.RandomState(0))
    before = splitter.random_state.get_state()[1].copy()
    first = folds_of(splitter, NUMBERS)
    assert held_out(first) == held_out(folds_of(splitter, NUMBERS))
    np.testing.assert_array_equal(splitter.random_state.get_state()[1], before)
    unseeded = KFold(3, shuffle=True)
    assert held_out(folds_of(unseeded, random_state=1)) == held_out(
        folds_of(unseeded, random_state=1)
    )
    assert unseeded.random_state is None


def test_a_rare_class_gives_a_warning():
    y = np.repeat(["a", "b", "rare"], [30, 27, 3])
    with pytest.warns(RareClassWarning, match=r"1 of 3 classes.*rare \(3\).*fewer folds"):
        folds = folds_of(5, y)
    assert all("rare" in y[train] for train, _ in folds.splits)


def test_a_class_missing_from_a_training_part_gives_a_warning():
    y = np.repeat(["a", "b", "c"], 20)
    with pytest.warns(RareClassWarning, match=r"fold 1 of 3 has no row of class \['a'\]"):
        folds_of(KFold(3), y)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (1, "at least 2 folds.*Got 1 instead"),
        (0, "at least 2 folds"),
        (True, "Got True instead"),
        ("loo", "must be an int, a splitter or an iterable of splits. Got 'loo' instead"),
        (2.5, "Got 2.5 instead"),
        (61, "at least as many rows as folds. Got 60 rows"),
        (40, "Every class has fewer rows.*n_splits=40 cannot be greater.*33 at most.*set cv to 33"),
        ([], "gave no splits"),
        (iter([]), "gave no splits.*pass a list"),
        ([([0, 1], [1, 2])], "Got 1 shared rows in split 0"),
        ([([0, 1], [])], "non-empty integer"),
        ([([0.5], [1])], "integer arrays or masks"),
        ([([0, 1], [60])], "row numbers below 60. Got 60"),
        ([(np.ones(5, bool), [1])], "one entry for each row. Got 5"),
    ],
)
def test_folds_that_cannot_work(cv, message):
    with pytest.raises(ValueError, match=message):
        folds_of(cv)


def test_fewer_groups_than_folds():
    for y in (CLASSES, NUMBERS):
        with pytest.raises(ValueError, match=r"as many groups as folds.* Got 10 groups and cv=11"):
            folds_of(11, y, groups=GROUPS)


class AsksForGroups:
    """A splitter of somebody else's."""

    def split(self, X, y, groups):
        raise AssertionError("never called without groups")

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2


@pytest.mark.parametrize(
    "splitter",
    [
        GroupKFold(2),
        StratifiedGroupKFold(2),
        LeaveOneGroupOut(),
        GroupShuffleSplit(2),
        AsksForGroups(),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_a_splitter_that_needs_groups(splitter):
    name = type(splitter).__name__
    with pytest.raises(ValueError, match=rf"(?s){name}.*needs the group.*Got groups=None. Pass"):
        folds_of(splitter)

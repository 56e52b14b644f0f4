"""Mixes that are tried, and names that tell candidates apart."""

from stackens.distillation._candidates import PLAIN_MIX, Candidate, Mix, mixes
from stackens.distillation.students._tree import TreeStudent


def words(soft_weight="auto", augmentation="auto", **changes):
    given = {"searching": True, "unlabeled": False, "can_make": True, "n_samples": 500}
    found = mixes(soft_weight, augmentation, **{**given, **changes})
    return [mix.words for mix in found]


def test_the_teacher_alone_comes_first():
    assert words(augmentation=None) == ["soft weight 1", "soft weight 0.9", "soft weight 0.5"]
    assert words(0.7, None) == ["soft weight 0.7"]


def test_with_extra_rows_the_truth_may_stand_alone_for_the_real_ones():
    assert words()[3:] == [
        "soft weight 1, mixup rows",
        "soft weight 0.5, mixup rows",
        "soft weight 0, mixup rows",
    ]
    assert not Mix(0.0, "mixup").is_plain
    assert PLAIN_MIX.is_plain


def test_real_rows_come_before_synthetic_ones():
    assert words(1.0) == ["soft weight 1", "soft weight 1, mixup rows"]
    assert words(1.0, unlabeled=True) == ["soft weight 1", "soft weight 1, unlabeled rows"]
    assert words(1.0, None, unlabeled=True) == ["soft weight 1, unlabeled rows"]
    assert words(1.0, "spunge", unlabeled=True) == ["soft weight 1, unlabeled and spunge rows"]


def test_no_rows_are_made_of_many_rows_or_where_none_can_be_made():
    assert words(1.0, n_samples=1_000_000) == ["soft weight 1"]
    assert words(1.0, can_make=False) == ["soft weight 1"]


def test_without_rows_to_choose_by_there_is_one_mix():
    assert words(searching=False) == ["soft weight 0, mixup rows"]
    assert words(0.7, searching=False) == ["soft weight 0.7, mixup rows"]
    assert words("auto", "munge", searching=False) == ["soft weight 0, munge rows"]
    assert words("auto", None, searching=False) == ["soft weight 0.5"]
    assert words(searching=False, can_make=False) == ["soft weight 0.5"]
    assert words(searching=False, unlabeled=True) == ["soft weight 0.5, unlabeled rows"]


def test_names_differ_by_size_and_mix():
    candidates = [
        Candidate(recipe, mix)
        for recipe in (TreeStudent(max_depth=3), TreeStudent(max_depth=4))
        for mix in (PLAIN_MIX, Mix(1.0), Mix(0.5), Mix(1.0, "munge"))
    ]
    assert len({candidate.name for candidate in candidates}) == 8
    assert [c.mix.is_plain for c in candidates[:2]] == [True, False]

"""Distillation from beginning to end: what is fitted how often, and on which rows."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

import stackens as se
from stackens.distillation import _distil, _trial
from stackens.distillation._search import Search
from stackens.distillation._trial import Measured, measure_student
from stackens.distillation.students import TreeStudent

X, Y = make_classification(300, 4, random_state=0)
ROWS = np.column_stack([X, np.arange(300.0)])  # the last column tells rows apart
SEEN: list[set[int]] = []


class Watched(ClassifierMixin, BaseEstimator):
    """Remembers which rows it was fitted on and refuses to predict them."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.rows_ = set(X[:, -1].astype(int).tolist())
        SEEN.append(self.rows_)
        return self

    def predict_proba(self, X):
        assert not self.rows_ & set(X[:, -1].astype(int).tolist()), "it saw these answers"
        p = 1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


@pytest.fixture
def fits():
    SEEN.clear()
    return SEEN


def distilled(**changes):
    given = {"student": "tree", "soft_weight": 1.0, "augmentation": None, "guard": False, "cv": 3}
    return se.DistilledClassifier(Watched(), **{**given, **changes})


def test_one_hold_out_costs_one_cross_fit(fits):
    found = distilled(outer=0.2).fit(ROWS, Y)
    assert len(fits) == 4  # three folds and the refit, nothing for the final student
    set_aside = set(range(300)) - max(fits, key=len)
    assert len(set_aside) == 60
    assert all(not rows & set_aside for rows in fits)
    assert np.isfinite(found.teacher_.soft).all()
    assert found.report_.findings.n_held_out == 60


def test_each_outer_fold_costs_one_and_all_rows_one_more(fits):
    found = distilled(outer=3).fit(ROWS, Y)
    assert len(fits) == 4 * 4
    assert found.report_.findings.n_held_out == 300
    assert sorted({len(rows) for rows in fits})[-1] == 300


def test_nothing_set_aside_is_one_cross_fit(fits):
    found = distilled(outer=None).fit(ROWS, Y)
    assert len(fits) == 4
    assert found.report_.findings.scores is None


def test_stages_are_timed_and_labels_counted(capsys):
    found = distilled(outer=0.2, verbose=1).fit(ROWS, Y)
    assert set(found.report_.findings.seconds) == {"teacher", "students"}
    assert found.report_.findings.teacher_rows == 60
    told = capsys.readouterr().err
    assert "Outer split 1 of 1: 240 rows to learn from, 60 set aside" in told
    assert "students" in told


def test_rows_that_were_seen_are_not_set_aside():
    def teacher(rows):
        p = 1 / (1 + np.exp(-rows[:, 0]))
        return np.column_stack([1 - p, p])

    seen = np.arange(300) < 150
    given = {"student": "tree", "soft_weight": 1.0, "augmentation": None, "guard": False}
    found = se.DistilledClassifier(teacher, outer=0.4, **given).fit(ROWS, Y, seen_by_teacher=seen)
    assert 40 <= found.report_.findings.n_held_out <= 80
    with pytest.raises(ValueError, match="at least two rows"):
        se.DistilledClassifier(teacher, outer=0.4, **given).fit(
            ROWS, Y, seen_by_teacher=np.arange(300) != 7
        )


def test_the_final_student_meets_the_budget_even_where_it_outgrows_it():
    y = X[:, 0] + np.sin(9 * X[:, 1])
    teacher = RandomForestRegressor(20, random_state=0)
    small, large = (DecisionTreeRegressor(max_depth=k, random_state=0) for k in (2, None))

    def fitted(student, **budget):
        settings = {"outer": 0.5, "augmentation": None, "guard": False, "random_state": 0}
        return se.DistilledRegressor(teacher, student=student, **settings, **budget).fit(X, y)

    alone = fitted(large)
    on_half = alone.report_.frame()["bytes"]["distilled student"]
    on_all = measure_student(alone.student_, X).n_bytes
    limit = (on_half + on_all) / 2
    assert on_half < limit < on_all
    found = fitted([small, large], max_bytes=limit)
    assert measure_student(found.student_, X).n_bytes <= limit
    assert found.report_.frame()["bytes"]["distilled student"] <= limit
    with pytest.raises(ValueError, match="No student meets"):
        fitted(large, max_bytes=limit)


def test_no_plain_student_within_the_budget_leaves_the_distilled_one():
    sizes = {"distilled": 1.0, "plain": 3.0}

    def measured(student, X):
        kind = "plain" if student.path == "hard labels" else "distilled"
        return Measured(1.0, 1.0, sizes[kind])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_trial, "measure_student", measured)
        patch.setattr(_distil, "measure_student", measured)
        found = distilled(max_bytes=2, guard=True, student=TreeStudent()).fit(ROWS, Y)
        assert found.report_.findings.chosen == "distilled student"
        assert "no plain student meets the budget" in str(found.report_)
        sizes["distilled"] = 3.0
        with pytest.raises(ValueError, match="No student meets max_bytes=2"):
            distilled(max_bytes=2, student=TreeStudent()).fit(ROWS, Y)


def test_a_run_that_goes_on_from_its_cache_fits_no_teacher(fits, tmp_path):
    first = distilled(outer=3, cache=tmp_path).fit(ROWS, Y)
    assert len(fits) == 4 * 4
    fits.clear()
    again = distilled(outer=3, cache=tmp_path).fit(ROWS, Y)
    assert not fits
    costs = ["one_row_us", "one_row_p99_us", "bytes"]
    teachers = [found.report_.frame().loc["teacher", costs] for found in (first, again)]
    assert teachers[0].equals(teachers[1])
    np.testing.assert_array_equal(first.predict_proba(ROWS), again.predict_proba(ROWS))


def test_a_budget_holds_without_rows_set_aside():
    assert distilled(outer=None, max_bytes=1e9).fit(ROWS, Y).predict(ROWS).shape == (300,)
    with pytest.raises(ValueError, match="No student meets max_bytes=10"):
        distilled(outer=None, max_bytes=10).fit(ROWS, Y)


def test_tables_of_a_few_rows_are_set_aside_in_fewer_folds():
    rows, y = ROWS[:6], np.arange(6) % 2
    found = distilled(cv=2, scoring="accuracy").fit(rows, y)
    assert found.report_.findings.n_outer == 3


def test_a_cross_fit_is_needed_to_fit_from_one():
    with pytest.raises(TypeError, match="Got list"):
        distilled().fit_from([1])


def test_what_is_tried_with_what(monkeypatch):
    tried, run = [], Search.run

    def recorded(search, candidates):
        new = list(candidates)
        tried.extend(new)
        return run(search, new)

    monkeypatch.setattr(Search, "run", recorded)
    se.DistilledClassifier(
        LogisticRegression(), student="lightgbm", outer=0.3, cv=3, guard=False, random_state=0
    ).fit(X, Y)
    labels = list(dict.fromkeys(candidate.recipe.label for candidate in tried))
    usual, *variants = labels
    assert variants == [variant.label for variant in tried[0].recipe.variants()]
    mixes = {
        label: {c.mix.words for c in tried if c.recipe.label == label and not c.mix.is_plain}
        for label in labels
    }
    kinds = [words.partition(", ")[2] for words in mixes[usual]]
    assert kinds.count("") == kinds.count("mixup rows") == 3
    assert kinds.count("munge rows") == 1  # with the best weight alone
    assert set.intersection(*(mixes[label] for label in labels))  # the best mix in all settings
    assert max(len(mixes[label]) for label in variants) in (1, 3)  # three in the best of them
    plain = [c.recipe.label for c in tried if c.mix.is_plain]
    assert sorted(plain) == sorted(labels)

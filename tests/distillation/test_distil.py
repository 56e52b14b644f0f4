"""Distillation from beginning to end: what is fitted how often, and on which rows."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification

import stackens as se

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
    assert "Outer split 1 of 1: the teacher learns from 240 rows, 60 are set aside" in told
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

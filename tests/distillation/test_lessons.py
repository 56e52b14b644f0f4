"""Lessons of every mix: what is labelled when, and where rows to stop by lie."""

import numpy as np
import pandas as pd

from stackens._core._task import infer_task
from stackens.distillation._candidates import PLAIN_MIX, Mix
from stackens.distillation._inputs import Inputs
from stackens.distillation._lessons import Lessons


class Labels:
    """A teacher of two classes that counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, X):
        self.asked.append(len(X))
        p = np.clip(np.asarray(X["a"], dtype=float) / 200, 0, 1)
        return np.column_stack([1 - p, p])


def lessons(n=200, unlabeled=None, **changes):
    X = pd.DataFrame({"a": np.arange(n), "b": np.arange(n) % 3 == 0})
    task, y = infer_task((np.arange(n) > n / 2).astype(int))
    weight = changes.pop("weight", None)
    inputs = Inputs(X, y, task, np.eye(2)[y], task, weight, None, 5)
    label = Labels()
    made = Lessons(inputs, label(X), label, unlabeled, "cross_entropy", 2.0, (), 0, **changes)
    return made, label


def test_a_lesson_without_extra_rows_is_the_rows():
    made, label = lessons()
    lesson = made.lesson(Mix(0.9), stops_early=True)
    assert len(lesson) == 200
    assert (lesson.soft_weight, lesson.temperature) == (0.9, 2.0)
    assert lesson.stopping.sum() == 30
    assert made.lesson(PLAIN_MIX, stops_early=False).stopping is None
    assert label.asked == [200]


def test_the_rows_to_stop_by_are_the_same_for_all_mixes():
    made, _ = lessons()
    first, other = (made.lesson(Mix(w), stops_early=True).stopping for w in (1.0, 0.5))
    np.testing.assert_array_equal(first, other)


def test_extra_rows_are_labelled_once_and_never_stopped_by():
    unlabeled = pd.DataFrame({"a": [500, 501], "b": [True, False]})
    made, label = lessons(unlabeled=unlabeled, weight=np.full(200, 3.0))
    for weight in (1.0, 0.5):
        lesson = made.lesson(Mix(weight, "unlabeled"), stops_early=True)
    assert label.asked == [200, 2]
    assert len(lesson) == 202
    assert lesson.X["a"].tolist()[-2:] == [500, 501]
    assert np.isnan(lesson.hard[-2:]).all()
    assert lesson.targets[-1].tolist() == [0.0, 1.0]
    assert lesson.weight.tolist() == [3.0] * 202
    assert lesson.stopping[-2:].tolist() == [False, False]


def test_made_rows_come_after_those_of_the_user():
    unlabeled = pd.DataFrame({"a": [500, 501], "b": [True, False]})
    made, label = lessons(unlabeled=unlabeled)
    alone, both = made.extra("unlabeled"), made.extra("unlabeled and munge")
    assert both.X["a"].tolist()[:2] == [500, 501]
    assert len(both.soft) == len(both.X) == 2 + len(made.extra("munge").soft)
    np.testing.assert_array_equal(both.soft[:2], alone.soft)
    assert len(label.asked) == 3  # nothing is labelled twice


def test_rows_are_made_near_the_real_ones_in_their_types():
    made, label = lessons()
    lesson = made.lesson(Mix(1.0, "munge"), stops_early=False)
    n_extra = len(lesson) - 200
    assert 0 < n_extra <= 3_000
    assert label.asked == [200, n_extra]
    assert lesson.X.dtypes.tolist() == made.inputs.X.dtypes.tolist()
    again, _ = lessons()
    pd.testing.assert_frame_equal(again.lesson(Mix(1.0, "munge"), stops_early=False).X, lesson.X)

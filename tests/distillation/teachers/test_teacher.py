"""Tests of rows, options and what all fitted teachers have."""

import pickle

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from stackens._core._task import Task, infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher
from stackens.exceptions import BaseModelError

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.where(X[:, 0] + 0.5 * X[:, 1] > 0, "yes", "no")
ROWS = TeacherRows(X, Y, infer_task(Y)[0])


def test_the_width_is_that_of_the_task_unless_quantiles_are_taught():
    numbers = TeacherRows(X, X[:, 0], Task("regression", 1))
    assert (len(ROWS), ROWS.width, numbers.width) == (60, 2, 1)
    assert TeacherRows(X, X[:, 0], Task("regression", 1), n_outputs=3).width == 3


def test_a_fitted_teacher_answers_counts_and_survives_pickling():
    fitted = resolve_teacher(GaussianNB(), classification=True).learn(ROWS, TeachingOptions())
    assert fitted.soft.shape == (60, 2)
    assert (fitted.n_calls, fitted.rows_labelled) == (0, 0)
    answer = fitted.outputs(X[:7])
    np.testing.assert_array_equal(fitted.model(X[:7]), answer)
    assert (fitted.n_calls, fitted.rows_labelled) == (1, 7)
    assert fitted.seconds > 0
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.outputs(X[:7]), answer)
    assert repr(fitted) == "<teacher of 60 rows, soft targets out-of-fold, 5 folds>"


def test_learning_changes_neither_rows_nor_teacher():
    X_before, y_before, teacher = X.copy(), Y.copy(), GaussianNB()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    resolve_teacher(teacher, classification=True).learn(ROWS, TeachingOptions(random_state=1))
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(Y, y_before)
    assert not hasattr(teacher, "classes_")
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_a_failure_on_rows_to_label_says_what_to_do():
    fitted = resolve_teacher(GaussianNB(), classification=True).learn(ROWS, TeachingOptions())
    with pytest.raises(BaseModelError, match=r"(?s)rows that it was to label.*NaN.*X_unlabeled"):
        fitted.outputs(np.full((2, 3), np.nan))

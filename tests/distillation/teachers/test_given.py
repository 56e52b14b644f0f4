"""Tests of soft targets that exist already."""

import numpy as np
import pytest

from stackens._core._task import infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher

X = np.zeros((4, 1))
Y = np.array(["a", "b", "c", "a"])
TASK, _ = infer_task(Y)
GIVEN = np.array([[0.7, 0.2, 0.1], [0.1, 0.9, 0.0], [np.nan] * 3, [0.5, 0.25, 0.25]])


def learnt(targets, y=Y, n_outputs=None):
    task, _ = infer_task(y)
    rows = TeacherRows(X, y, task, targets=targets, n_outputs=n_outputs)
    return resolve_teacher(None, classification=task.is_classification).learn(
        rows, TeachingOptions()
    )


def test_they_are_taken_as_they_are_and_nothing_is_called():
    fitted = learnt(GIVEN)
    np.testing.assert_allclose(fitted.soft, GIVEN)
    assert (fitted.source, fitted.temperature_, fitted.n_calls) == ("as given", None, 0)
    assert fitted.model is None


def test_one_column_is_the_second_class_or_the_value():
    second = np.array([0.1, 0.9, 0.5, np.nan])
    binary = learnt(second, np.array([0, 1, 1, 0])).soft
    np.testing.assert_allclose(binary, np.column_stack([1 - second, second]))
    values = learnt([1.0, 2.0, 3.0, 4.0], np.array([0.5, 1.5, 2.5, 3.5])).soft
    np.testing.assert_array_equal(values, [[1.0], [2.0], [3.0], [4.0]])


def test_quantiles_are_several_columns():
    quantiles = np.arange(12.0).reshape(4, 3)
    fitted = learnt(quantiles, np.array([0.5, 1.5, 2.5, 3.5]), n_outputs=3)
    np.testing.assert_array_equal(fitted.soft, quantiles)


def test_other_rows_cannot_be_labelled():
    with pytest.raises(ValueError, match="cannot label other rows.*do without extra rows"):
        learnt(GIVEN).outputs(X)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "Got neither"),
        (GIVEN[:3], "for 4 rows"),
        (GIVEN[:, :2], "a column for each class of y"),
        (np.full((4, 3), np.nan), "only NaN"),
        (np.where(np.isnan(GIVEN), 0.2, GIVEN), "sum to 1"),
        (np.array([[np.nan, 0.5, 0.5], *GIVEN[[0, 1, 3]]]), "finite"),
        (3 * GIVEN, "from 0 to 1"),
        (np.zeros((4, 3, 1)), "of shape"),
        (np.full((4, 3), "likely"), "must be numbers"),
    ],
)
def test_wrong_targets_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        learnt(targets)

"""Lessons: mixing teacher and truth, taking rows, losses."""

import numpy as np
import pytest

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson, softened

BINARY = Task("binary", 2, np.array(["no", "yes"]))
NUMBERS = Task("regression", 1)
NAN = np.full(2, np.nan)


def lesson(**changes):
    """Four rows: both targets, both, only the teacher, only the truth."""
    given = {
        "X": np.arange(8.0).reshape(4, 2),
        "soft": np.array([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8], NAN]),
        "hard": np.array([[0.0, 1.0], [1.0, 0.0], NAN, [0.0, 1.0]]),
        "task": BINARY,
        "weight": np.ones(4),
        "soft_weight": 0.5,
    }
    return Lesson(**{**given, **changes})


def test_rows_that_only_one_side_knows_follow_it_alone():
    found = lesson()
    assert found.soft_share.tolist() == [0.5, 0.5, 1.0, 0.0]
    np.testing.assert_allclose(found.targets, [[0.2, 0.8], [0.95, 0.05], [0.2, 0.8], [0.0, 1.0]])
    assert lesson(soft_weight=0.0).targets[0].tolist() == [0.0, 1.0]


def test_the_loss_of_the_mixture_is_the_mixture_of_the_losses():
    outputs = np.array([[0.3, 0.7]] * 2)
    first = np.array([0, 1])
    whole = lesson(soft_weight=0.3).take(first).mean_loss(outputs)
    soft, hard = (lesson(soft_weight=w).take(first).mean_loss(outputs) for w in (1.0, 0.0))
    assert whole == pytest.approx(0.3 * soft + 0.7 * hard)


def test_a_temperature_softens_both_sides_and_squares_in():
    outputs = np.array([[0.3, 0.7]] * 4)
    found = lesson(temperature=3.0, soft_weight=1.0)
    soft, answer = softened(found.soft[:3], 3.0), softened(outputs[:3], 3.0)
    of_teacher = -9.0 * (soft * np.log(answer)).sum(axis=1)
    assert found.mean_loss(outputs) == pytest.approx((of_teacher.sum() - np.log(0.7)) / 4)


def test_logits_are_compared_where_the_teacher_speaks():
    teacher = lesson().soft[:3]
    assert lesson(loss="squared_logits", soft_weight=1.0).take(np.arange(3)).mean_loss(
        teacher
    ) == pytest.approx(0.0)
    plain = lesson(loss="squared_logits", soft_weight=0.0).take(np.arange(2))
    assert plain.mean_loss(teacher[:2]) == pytest.approx(-np.log([0.6, 0.9]).mean())


def test_weights_count_as_copies():
    outputs = np.array([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
    copies = np.array([0, 0, 0, 1, 2, 3])
    weighted = lesson(weight=np.array([3.0, 1.0, 1.0, 1.0])).mean_loss(outputs)
    assert weighted == pytest.approx(lesson().take(copies).mean_loss(outputs[copies]))


def test_stopping_rows_are_parted_off():
    stopping = np.array([False, True, False, False])
    learning, judging = lesson(stopping=stopping).parts()
    assert (len(learning), len(judging)) == (3, 1)
    assert judging.X.tolist() == [[2.0, 3.0]]
    assert learning.stopping is None
    assert lesson().parts()[1] is None
    assert lesson(stopping=np.zeros(4, dtype=bool)).parts()[1] is None


def test_pinball_is_zero_where_the_quantile_is_right():
    values = np.array([[1.0, 2.0]] * 3)
    found = Lesson(
        np.zeros((3, 1)),
        np.full((3, 2), np.nan),
        values,
        Task("regression", 2),
        np.ones(3),
        loss="pinball",
        quantiles=(0.1, 0.9),
    )
    assert found.mean_loss(values) == 0.0
    # an error of 1 above: 0.1 and 0.9 of it; below: the other way round
    assert found.mean_loss(values - 1.0) == pytest.approx((0.1 + 0.9) / 2)
    below = np.array([[1.0, 3.0]] * 3)
    assert found.mean_loss(below) == pytest.approx((0.0 + 0.1) / 2)


def test_softening_divides_logits():
    logits = np.array([[2.0, -1.0, 0.5]])
    p = np.exp(logits) / np.exp(logits).sum()
    expected = np.exp(logits / 4) / np.exp(logits / 4).sum()
    np.testing.assert_allclose(softened(p, 4.0), expected)
    assert softened(p, 1.0) is p
    assert np.isfinite(softened(np.array([[1.0, 0.0]]), 3.0)).all()


def test_squared_error_of_values():
    found = Lesson(
        np.zeros((2, 1)),
        np.array([[1.0], [3.0]]),
        np.array([[2.0], [np.nan]]),
        NUMBERS,
        np.ones(2),
        soft_weight=0.5,
        loss="squared_error",
    )
    np.testing.assert_allclose(found.targets, [[1.5], [3.0]])
    assert found.mean_loss(np.array([[1.5], [2.0]])) == pytest.approx(0.5)

"""The loss of a lesson in torch against the lesson's own, and against formulas in numpy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax

torch = pytest.importorskip("torch")

from stackens._core._task import Task  # noqa: E402
from stackens.distillation._lesson import centred_logits, softened  # noqa: E402
from stackens.distillation.students._lesson_loss import (  # noqa: E402
    lesson_loss,
    standardised,
    target_columns,
)
from tests.distillation.students.taught import classes, silent, values  # noqa: E402

RNG = np.random.default_rng(0)


def half_silent(lesson):
    """The lesson without a teacher for some rows, and without the truth for others."""
    n = len(lesson)
    soft = silent(lesson, slice(0, n // 4))
    hard = silent(lesson, slice(n // 2, n), teacher=False)
    return replace(lesson, soft=soft, hard=hard)


def row_losses(lesson, outputs):
    columns = target_columns(lesson)
    assert np.isfinite(columns).all()
    return lesson_loss(lesson)(torch.tensor(outputs), torch.tensor(columns)).numpy()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("soft_weight", [0.0, 0.3, 1.0])
def test_cross_entropy_is_that_of_the_lesson(n_classes, soft_weight):
    lesson = half_silent(classes(n_classes, soft_weight=soft_weight))
    logits = RNG.normal(size=(240, n_classes))
    found = row_losses(lesson, logits)
    outputs = np.exp(log_softmax(logits, axis=1))
    assert found.mean() == pytest.approx(lesson.mean_loss(outputs))


@pytest.mark.parametrize("temperature", [0.5, 2.0, 8.0])
def test_temperature_softens_both_sides(temperature):
    whole = classes(soft_weight=0.3, temperature=temperature)
    whole.soft[0] = [1.0, 0.0, 0.0]
    lesson = half_silent(whole)
    logits = RNG.normal(size=(240, 3))
    share = lesson.soft_share
    soft = softened(np.where(share[:, None] > 0, lesson.soft, 1.0), temperature)
    hard = np.nan_to_num(lesson.hard)
    wanted = share * temperature**2 * -(soft * log_softmax(logits / temperature, axis=1)).sum(
        axis=1
    ) + (1 - share) * -(hard * log_softmax(logits, axis=1)).sum(axis=1)
    np.testing.assert_allclose(row_losses(lesson, logits), wanted)


def test_the_teacher_itself_is_the_best_at_any_temperature():
    lesson = classes(temperature=4.0)
    logits = torch.tensor(np.log(lesson.soft), requires_grad=True)
    lesson_loss(lesson)(logits, torch.tensor(target_columns(lesson))).sum().backward()
    np.testing.assert_allclose(logits.grad, 0.0, atol=1e-12)


def test_squared_logits_do_not_care_for_a_constant():
    lesson = classes(loss="squared_logits")
    logits = centred_logits(lesson.soft)
    np.testing.assert_allclose(row_losses(lesson, logits + 7.0), 0.0, atol=1e-20)
    moved = logits + np.array([0.3, -0.3, 0.0])
    np.testing.assert_allclose(row_losses(lesson, moved), 2 * 0.3**2 / 3)
    mixed = half_silent(replace(lesson, soft_weight=0.25))
    share, hard = mixed.soft_share, np.nan_to_num(mixed.hard)
    entropy = -(hard * log_softmax(moved, axis=1)).sum(axis=1)
    wanted = share * 2 * 0.3**2 / 3 + (1 - share) * entropy
    np.testing.assert_allclose(row_losses(mixed, moved), wanted)


def test_squared_error_is_that_of_the_lesson():
    lesson = half_silent(values(2, soft_weight=0.5))
    outputs = 1000 + RNG.normal(size=(240, 2))
    assert row_losses(lesson, outputs).mean() == pytest.approx(lesson.mean_loss(outputs))


@pytest.mark.parametrize("soft_weight", [0.0, 0.4, 1.0])
def test_pinball_is_that_of_the_lesson(soft_weight):
    base = values(soft_weight=soft_weight)
    lesson = replace(
        base,
        soft=np.hstack([base.soft - 20, base.soft + 20]),
        hard=np.hstack([base.hard, base.hard]),
        task=Task("regression", 2),
        loss="pinball",
        quantiles=(0.1, 0.9),
    )
    lesson = half_silent(lesson)
    outputs = 1000 + 30 * RNG.normal(size=(240, 2))
    assert row_losses(lesson, outputs).mean() == pytest.approx(lesson.mean_loss(outputs))


def test_standardised_values():
    lesson = half_silent(values(2, soft_weight=0.5, weight=RNG.uniform(1, 2, 240)))
    lesson.soft[:, 1] = lesson.hard[:, 1] = 7.0
    small, mean, scale = standardised(lesson)
    assert (mean[1], scale[1]) == (pytest.approx(7.0), 1.0)
    np.testing.assert_allclose(
        np.average(small.targets, axis=0, weights=lesson.weight), 0, atol=1e-9
    )
    squares = np.average(small.targets**2, axis=0, weights=lesson.weight)
    np.testing.assert_allclose(squares, [1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(small.targets * scale + mean, lesson.targets)

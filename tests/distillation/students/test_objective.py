"""Losses of raw scores: gradients and curvatures against differences, starts, blocks, types."""

import numpy as np
import pytest

from stackens.distillation.students._objective import objective_of, outputs_of
from tests.distillation.students.lessons import class_lesson, every, quantile_lesson

STEP = 1e-5


def half_known(lesson, soft_weight):
    """Some rows that only the teacher knows, and some that only the truth is known of."""
    n = len(lesson)
    soft, hard = lesson.soft.copy(), lesson.hard.copy()
    soft[every(5, n)] = np.nan
    hard[every(5, n + 1)[1:]] = np.nan
    weight = np.random.default_rng(3).uniform(0.5, 2.0, n)
    changes = {"soft": soft, "hard": hard, "weight": weight, "soft_weight": soft_weight}
    return type(lesson)(**{**vars(lesson), **changes})


LESSONS = {
    "two classes": class_lesson(2, 40),
    "two classes, temperature": class_lesson(2, 40, temperature=3.0),
    "two classes, logits": class_lesson(2, 40, loss="squared_logits"),
    "four classes": class_lesson(4, 40),
    "four classes, temperature": class_lesson(4, 40, temperature=2.5),
    "four classes, logits": class_lesson(4, 40, loss="squared_logits"),
    "quantiles": quantile_lesson(n=40),
}


def scores_for(objective):
    return np.random.default_rng(1).normal(size=(len(objective.start), 40))


@pytest.mark.parametrize("soft_weight", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("name", list(LESSONS))
def test_gradient_is_the_slope_of_the_loss(name, soft_weight):
    objective = objective_of(half_known(LESSONS[name], soft_weight), smoothing=0.5)
    scores = scores_for(objective)
    _, gradient = objective.loss_and_gradient(scores)
    gradient = gradient.copy()
    for k, i in [(0, 0), (0, 1), (0, 2), (-1, 3), (-1, 17)]:
        moved = [scores.copy(), scores.copy()]
        moved[0][k, i] += STEP
        moved[1][k, i] -= STEP
        up, down = (objective.loss_and_gradient(m)[0] for m in moved)
        assert gradient[k, i] == pytest.approx((up - down) / (2 * STEP), abs=1e-6)


@pytest.mark.parametrize("soft_weight", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("name", [name for name in LESSONS if name != "quantiles"])
def test_curvature_is_the_slope_of_the_gradient(name, soft_weight):
    lesson = half_known(LESSONS[name], soft_weight)
    objective = objective_of(lesson)
    start = objective.start[:, None]
    scores = scores_for(objective)
    gradient, hessian = (a.copy() for a in objective.derivatives(scores - start))
    np.testing.assert_allclose(gradient, objective.loss_and_gradient(scores)[1], atol=1e-12)
    # trees of one round step together: LightGBM's factor for several classes
    n_scores = len(objective.start)
    factor = n_scores / (n_scores - 1) if n_scores > 1 else 1.0
    for k, i in [(0, 0), (0, 1), (0, 2), (-1, 3), (-1, 17)]:
        moved = scores.copy()
        moved[k, i] += STEP
        slope = (objective.loss_and_gradient(moved)[1][k, i] - gradient[k, i]) / STEP
        assert hessian[k, i] == pytest.approx(factor * slope, abs=1e-4)


def test_loss_at_temperature_1_is_the_lessons():
    for lesson in (class_lesson(2), class_lesson(5)):
        lesson = half_known(lesson, 0.6)
        objective = objective_of(lesson)
        scores = np.random.default_rng(0).normal(size=(len(objective.start), len(lesson)))
        outputs = outputs_of(scores.T, True)
        loss, _ = objective.loss_and_gradient(scores)
        assert loss / lesson.weight.sum() == pytest.approx(lesson.mean_loss(outputs))


def test_smoothed_pinball_comes_close_to_the_lessons_loss():
    lesson = half_known(quantile_lesson(), 0.6)
    scores = np.random.default_rng(0).normal(size=(3, len(lesson)))
    gaps = []
    for smoothing in (0.1, 0.001):
        loss, _ = objective_of(lesson, smoothing=smoothing).loss_and_gradient(scores)
        gaps.append(abs(loss / lesson.weight.sum() - lesson.mean_loss(scores.T)))
    assert gaps[1] < 1e-6 < gaps[0] < 0.1


def test_pinball_pushes_by_the_level_on_either_side():
    lesson = quantile_lesson((0.1,), n=2, soft_weight=0.0)
    objective = objective_of(lesson)
    above = lesson.hard.T + np.array([[1.0, -1.0]]) - objective.start[:, None]
    gradient, hessian = objective.derivatives(above)
    np.testing.assert_allclose(gradient, [[0.9, -0.1]])
    np.testing.assert_allclose(hessian, 1.0)


@pytest.mark.parametrize("soft_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", [name for name in LESSONS if name != "quantiles"])
def test_start_is_the_best_constant(name, soft_weight):
    objective = objective_of(half_known(LESSONS[name], soft_weight))
    constant = np.repeat(objective.start[:, None], 40, axis=1)
    _, gradient = objective.loss_and_gradient(constant)
    np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=2e-3)


def test_start_of_quantiles_is_the_best_constant():
    lesson = half_known(LESSONS["quantiles"], 0.3)
    start = objective_of(lesson).start
    best = lesson.mean_loss(np.tile(start, (40, 1)))
    for step in (-1e-3, 1e-3):
        for k in range(3):
            moved = start + step * np.eye(3)[k]
            assert lesson.mean_loss(np.tile(moved, (40, 1))) >= best


def test_start_of_a_class_that_nobody_names_is_finite():
    soft = np.array([[0.5, 0.5, 0.0]] * 40)
    lesson = class_lesson(3, 40, soft=soft)
    start = objective_of(lesson).start
    assert np.isfinite(start).all()
    np.testing.assert_allclose(outputs_of(start[None], True)[0], soft[0], atol=1e-12)


def test_many_rows_are_read_block_by_block():
    lesson = class_lesson(4, 20_000)
    objective = objective_of(lesson)
    scores = np.random.default_rng(1).normal(size=(4, 20_000))
    gradient, hessian = (a.copy() for a in objective.derivatives(scores))
    some = np.array([0, 8191, 8192, 8193, 19_999])
    few = objective_of(lesson.take(some))
    shift = (objective.start - few.start)[:, None]
    by_few = few.derivatives(scores[:, some] + shift)
    np.testing.assert_allclose(gradient[:, some], by_few[0], atol=1e-14)
    np.testing.assert_allclose(hessian[:, some], by_few[1], atol=1e-14)


@pytest.mark.parametrize("name", list(LESSONS))
def test_single_precision_is_close_to_double(name):
    lesson = half_known(LESSONS[name], 0.7)
    double, single = (objective_of(lesson, dtype=t) for t in (np.float64, np.float32))
    scores = 5.0 * scores_for(double)
    for exact, rounded in zip(double.derivatives(scores), single.derivatives(scores), strict=True):
        assert rounded.dtype == np.float32
        np.testing.assert_allclose(rounded, exact, rtol=1e-4, atol=2e-5)


def test_huge_scores_overflow_nowhere():
    for n_classes in (2, 3):
        objective = objective_of(class_lesson(n_classes, 40), dtype=np.float32)
        scores = np.full((len(objective.start), 40), -2000.0)
        scores[-1] = 2000.0
        gradient, hessian = objective.derivatives(scores)
        assert np.isfinite(gradient).all()
        assert (hessian >= 0).all()
        assert np.isfinite(outputs_of(scores.T, True)).all()

"""What a lesson is to a network in torch: targets as columns, and a loss of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from stackens.distillation._lesson import Lesson, centred_logits

__all__ = ["lesson_loss", "standardised", "target_columns"]

Loss = Callable[[Any, Any], Any]


def standardised(lesson: Lesson) -> tuple[Lesson, np.ndarray, np.ndarray]:
    """Return a lesson in values of mean 0 and deviation 1, and the mean and deviation it had.

    Parameters
    ----------
    lesson : Lesson
        For regression.

    Returns
    -------
    lesson : Lesson
    mean, scale : ndarray of shape (n_outputs,)
        The scale is 1 where targets do not differ.
    """
    targets = lesson.targets
    mean = np.average(targets, axis=0, weights=lesson.weight)
    scale = np.sqrt(np.average((targets - mean) ** 2, axis=0, weights=lesson.weight))
    # the deviation of a constant may be a rounding error, that of tiny numbers zero
    scale = np.where((np.ptp(targets, axis=0) == 0) | (scale == 0), 1.0, scale)
    soft, hard = (lesson.soft - mean) / scale, (lesson.hard - mean) / scale
    return replace(lesson, soft=soft, hard=hard), mean, scale


def _is_one_mixture(lesson: Lesson) -> bool:
    """Whether the loss of the mixture of teacher and truth is the mixture of their losses."""
    if lesson.task.is_classification:
        plain = not lesson.soft_share.any()
        return plain or (lesson.loss == "cross_entropy" and lesson.temperature == 1)
    return lesson.loss != "pinball"


def target_columns(lesson: Lesson) -> np.ndarray:
    """Return what :func:`lesson_loss` reads beside the outputs, without NaN.

    Parameters
    ----------
    lesson : Lesson

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), or (n_samples, 2 * n_outputs + 1)
        The targets, or those of the teacher, the true ones and the teacher's share.
    """
    if _is_one_mixture(lesson):
        return lesson.targets
    share = lesson.soft_share[:, None]
    # where one of them does not count, the other stands in its place, so that nothing is NaN
    soft = np.where(share > 0, lesson.soft, lesson.hard)
    hard = np.where(share < 1, lesson.hard, soft)
    if lesson.loss == "squared_logits":
        soft = centred_logits(soft)
    return np.hstack([soft, hard, share])


def lesson_loss(lesson: Lesson) -> Loss:
    """Return ``loss(outputs, columns)``, the loss of each row, shape (n_samples,).

    `outputs` are logits of shape (n_samples, n_classes) or values of shape (n_samples,
    n_outputs), `columns` the rows of :func:`target_columns`.

    References
    ----------
    Hinton, Vinyals & Dean (2015), arXiv:1503.02531, for the temperature on both sides. Kim et al.
    (2021), arXiv:2105.08919, for the squared error of logits.
    """
    from stackens.neural import cross_entropy, soft_cross_entropy, squared_error

    classification = lesson.task.is_classification
    if _is_one_mixture(lesson):
        return cross_entropy if classification else squared_error
    if not classification:
        return partial(_mixed, squared_error, partial(_pinball, lesson.quantiles))
    if lesson.loss == "squared_logits":
        return partial(_mixed, _squared_logits, cross_entropy)
    soft = partial(soft_cross_entropy, temperature=lesson.temperature)
    return partial(_mixed, soft, cross_entropy)


def _mixed(soft_loss: Loss, hard_loss: Loss, outputs: Any, columns: Any) -> Any:
    width = outputs.shape[1]
    soft, hard, share = columns[:, :width], columns[:, width:-1], columns[:, -1]
    return share * soft_loss(outputs, soft) + (1 - share) * hard_loss(outputs, hard)


def _squared_logits(logits: Any, centred: Any) -> Any:
    return (logits - logits.mean(dim=1, keepdim=True) - centred).square().mean(dim=1)


def _pinball(levels: tuple[float, ...], outputs: Any, targets: Any) -> Any:
    error = targets - outputs
    level = error.new_tensor(levels)
    return (error * level).maximum(error * (level - 1)).mean(dim=1)

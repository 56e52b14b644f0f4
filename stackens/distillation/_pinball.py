"""Pinball loss of several quantiles, as a score made of means over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens._core._task import Task
from stackens.evaluation import Answers, RowScores, Scoring

__all__ = ["PinballScorer", "pinball_losses", "pinball_scoring"]


def pinball_losses(values: np.ndarray, target: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the pinball loss of each row, the mean over levels.

    Parameters
    ----------
    values, target : ndarray of shape (n_samples, n_levels)
        Predicted quantiles, and the true value again and again.
    levels : sequence of float of length n_levels
        Levels between 0 and 1.

    Returns
    -------
    ndarray of shape (n_samples,), in the unit of the target

    References
    ----------
    Koenker & Bassett (1978). Regression quantiles. Econometrica 46(1), 33-50.
    """
    error, level = target - values, np.asarray(levels)
    return np.maximum(level * error, (level - 1.0) * error).mean(axis=1)


def pinball_scoring(levels: Sequence[float]) -> Scoring:
    """Return the negative pinball loss as a scoring."""
    levels = tuple(levels)
    return Scoring("neg_pinball_loss", PinballScorer(levels), rows=_PinballRows(levels))


# Objects rather than closures, so that reports can be pickled and saved.


@dataclass(frozen=True)
class PinballScorer:
    """The negative pinball loss of an estimator, the mean over levels, as scikit-learn's scorers.

    Parameters
    ----------
    levels : tuple of float
    """

    levels: tuple[float, ...]

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score; greater is better."""
        target = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        values = np.asarray(estimator.predict(X)).reshape(len(y), -1)
        losses = pinball_losses(values, np.broadcast_to(target, values.shape), self.levels)
        return -float(np.average(losses, weights=sample_weight))


@dataclass(frozen=True)
class _PinballRows:
    """The same as means over rows."""

    levels: tuple[float, ...]

    def __call__(self, answers: Answers, target: Any, task: Task, weights: Any) -> RowScores:
        del task, weights
        losses = pinball_losses(answers.values, target, self.levels)
        return RowScores(losses[:, None], lambda means: -means.mean(axis=-1))

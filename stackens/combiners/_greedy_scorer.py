"""Greedy selection by any scikit-learn scorer: predictions handed to it as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer

from stackens._core._task import Task
from stackens.out_of_fold import (
    OutOfFoldTable,
    Response,
    call_scorer,
    scorer_advice,
    scorer_failure,
)

__all__ = [
    "ScorerMetric",
    "checked_scorer",
    "score_predictions",
    "trial_table",
]


def checked_scorer(scoring: Any, owner: str) -> Any:
    """Return the scorer for a name or callable, or say what is wrong with it."""
    try:
        if isinstance(scoring, str):
            return get_scorer(scoring)
        if callable(scoring):
            return scoring
        problem = None
    except ValueError as error:
        problem = error
    raise ValueError(
        f"The 'scoring' parameter of {owner} must be the name of a scikit-learn scorer, a "
        f"callable scorer(estimator, X, y) or None. Got {scoring!r}. {scorer_advice(scoring)}"
    ) from problem


def score_predictions(
    scorer: Callable[..., float],
    predictions: np.ndarray,
    y: np.ndarray,
    task: Task,
    sample_weight: np.ndarray | None,
    X: Any = None,
) -> float:
    """Return what a scorer says of predictions of shape (n_samples, n_outputs).

    ``X`` are the rows, for a scorer that reads them, or None where they are not known.

    Raises
    ------
    ValueError
        If it fails, with its reason.
    """
    try:
        return call_scorer(scorer, predictions, y, task, sample_weight=sample_weight, X=X)
    except Exception as error:
        weighted = sample_weight is not None
        if weighted and isinstance(error, TypeError) and "sample_weight" in str(error):
            raise ValueError(
                "The scorer must take sample_weight when rows are weighted. Got "
                f"{scorer}, which does not. Use another scorer, or leave the weights out."
            ) from error
        raise ValueError(
            f"The 'scoring' parameter must be a scorer(estimator, X, y) that suits the target, "
            f"which is {task.kind}. Got {scorer}, which fails: {scorer_failure(error, task)}. "
            "Choose another of sklearn.metrics.get_scorer_names(), or make one with "
            "sklearn.metrics.make_scorer."
        ) from error


def trial_table(table: OutOfFoldTable) -> OutOfFoldTable:
    """Return the table of one model that guesses, to try a scorer on before models are fitted.

    Guesses differ from row to row, are probabilities for classes, and values of the target
    for numbers, so that what suits the target suits them.
    """
    task, random = table.task, np.random.default_rng(0)
    target = task.encode(table.y)
    if task.is_classification:
        values = random.random((len(target), task.n_outputs))
        if task.has_classes:
            values /= values.sum(axis=1, keepdims=True)
    else:
        values = target[random.permutation(len(target))]
    response: Response = "predict_proba" if task.is_classification else "predict"
    return replace(table, values=values[:, None], names=("guess",), response=(response,))


class ScorerMetric:
    """The plain loop: every candidate's mean is given to the scorer."""

    slack = 0.0

    def __init__(
        self,
        values: np.ndarray,
        y: Any,
        task: Task,
        scorer: Callable[..., float],
        sample_weight: np.ndarray | None,
        X: Any = None,
    ) -> None:
        self._X = X
        self._values = values
        self._y = np.asarray(y)
        self._scorer = scorer
        self._weights = sample_weight
        self._task = task
        self._sum = np.zeros((values.shape[0], values.shape[2]))

    def best(self, step: int) -> tuple[int, float]:
        scores = np.array(
            [
                self._score((self._sum + self._values[:, model]) / step)
                for model in range(self._values.shape[1])
            ]
        )
        if np.isnan(scores).all():
            raise ValueError(
                f"The scorer must give numbers. Got NaN for every model from {self._scorer}. "
                "Check that the table holds every class, or use another scorer."
            )
        scores = np.where(np.isnan(scores), -np.inf, scores)
        choice = int(np.argmax(scores >= scores.max() - 1e-12 * abs(scores.max())))
        return choice, float(scores[choice])

    def add(self, model: int) -> None:
        self._sum += self._values[:, model]

    def try_on(self, guesses: np.ndarray) -> None:
        """Raise if the scorer fails; whether it gives a number is for real predictions to show."""
        self._score(guesses)

    def _score(self, predictions: np.ndarray) -> float:
        return score_predictions(
            self._scorer, predictions, self._y, self._task, self._weights, self._X
        )

"""Greedy selection by any scikit-learn scorer: predictions handed to it as an estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from stackens._core._task import Task
from stackens.out_of_fold import OutOfFoldTable, Response

__all__ = [
    "ScorerMetric",
    "as_fitted_estimator",
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
        f"callable scorer(estimator, X, y) or None. Got {scoring!r}. "
        "sklearn.metrics.get_scorer_names() lists the names."
    ) from problem


class _Predictions(BaseEstimator):
    """An estimator whose X already is its prediction, shape (n_samples, n_outputs)."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _RegressorPredictions(RegressorMixin, _Predictions):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] if self.task.y_ndim == 1 else X


class _ClassifierPredictions(ClassifierMixin, _Predictions):
    @property
    def classes_(self) -> Any:
        if self.task.classes is not None:
            return self.task.classes
        return [np.array([0, 1])] * self.task.n_outputs

    def predict(self, X: np.ndarray) -> np.ndarray:
        if self.task.has_classes:
            return self.task.decode(X.argmax(axis=1))
        return (X > 0.5).astype(np.int64)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return X


def as_fitted_estimator(task: Task) -> BaseEstimator:
    """Return an estimator that answers with the X it is given.

    Scorers call ``predict`` or ``predict_proba`` on it, with the class labels of the task.
    """
    return _ClassifierPredictions(task) if task.is_classification else _RegressorPredictions(task)


def score_predictions(
    scorer: Callable[..., float],
    predictions: np.ndarray,
    y: np.ndarray,
    task: Task,
    sample_weight: np.ndarray | None,
) -> float:
    """Return what a scorer says of predictions of shape (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If it fails, with its reason.
    """
    estimator = as_fitted_estimator(task)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metrics remark on classes that a part does not hold
            return float(scorer(estimator, predictions, y, **weights))
    except Exception as error:
        if weights and isinstance(error, TypeError) and "sample_weight" in str(error):
            raise ValueError(
                "The scorer must take sample_weight when rows are weighted. Got "
                f"{scorer}, which does not. Use another scorer, or leave the weights out."
            ) from error
        what = "a classifier" if task.is_classification else "a regressor"
        reason = str(error).replace(type(estimator).__name__, what).rstrip(". ")
        raise ValueError(
            f"The 'scoring' parameter must be a scorer(estimator, X, y) that suits the target, "
            f"which is {task.kind}. Got {scorer}, which fails: {type(error).__name__}: {reason}. "
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
    return replace(
        table, values=values[:, None], names=("guess",), response=(response,), features=None
    )


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
    ) -> None:
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
        return score_predictions(self._scorer, predictions, self._y, self._task, self._weights)

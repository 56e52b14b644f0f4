"""Predictions in the shape of a fitted estimator, which scikit-learn's scorers can ask."""

from __future__ import annotations

import warnings
from difflib import get_close_matches
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils.metaestimators import available_if

from stackens._core._rows import n_rows
from stackens._core._task import Task

__all__ = [
    "as_fitted_estimator",
    "call_scorer",
    "reads_rows",
    "scorer_advice",
    "scorer_failure",
]


class _Recorded(BaseEstimator):
    def __init__(self, task: Task, response: str, answers: np.ndarray | None) -> None:
        self.task = task
        self.response = response
        self.answers = answers

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _of(self, X: Any) -> np.ndarray:
        if self.answers is None:
            return X
        if X is not None and n_rows(X) != len(self.answers):
            raise ValueError(
                f"A scorer may ask for the rows that it is given. Got {n_rows(X)} rows in place of "
                f"{len(self.answers)}. Select rows of the answers, not of X."
            )
        return self.answers


class _RecordedRegressor(RegressorMixin, _Recorded):
    def predict(self, X: Any) -> np.ndarray:
        values = self._of(X)
        return values if self.task.y_ndim == 2 else values[:, 0]


class _RecordedClassifier(ClassifierMixin, _Recorded):
    @property
    def classes_(self) -> Any:
        if self.task.classes is not None:
            return self.task.classes
        return [np.array([0, 1])] * self.task.n_outputs

    def predict(self, X: Any) -> np.ndarray:
        values = self._of(X)
        if self.task.has_classes:
            return self.task.decode(values.argmax(axis=1))
        threshold = 0.0 if self.response == "decision_function" else 0.5
        return (values > threshold).astype(np.int64)

    @available_if(lambda self: self.response == "predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        return self._of(X)

    @available_if(lambda self: self.response == "decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        values = self._of(X)
        return values[:, 1] if self.task.kind == "binary" else values


def as_fitted_estimator(
    task: Task, response: str = "predict_proba", answers: np.ndarray | None = None
) -> BaseEstimator:
    """Return an estimator whose answers are known.

    Parameters
    ----------
    task : Task
    response : str, default="predict_proba"
        What the values of a classification task are; decides which methods there are.
    answers : ndarray of shape (n_samples, n_outputs) or None, default=None
        What it answers whatever the rows. None: the X that it is given is its answer.
    """
    kind = _RecordedClassifier if task.is_classification else _RecordedRegressor
    return kind(task, response, answers)


def reads_rows(scorer: Any) -> bool:
    """Whether a scorer may look at X itself: those of make_scorer only hand it to the estimator."""
    return callable(scorer) and not hasattr(scorer, "_score_func")


def call_scorer(
    scorer: Any,
    values: np.ndarray,
    y: Any,
    task: Task,
    response: str = "predict_proba",
    *,
    sample_weight: np.ndarray | None = None,
    X: Any = None,
) -> float:
    """Return what a scorer says of recorded answers.

    Parameters
    ----------
    scorer : callable
        ``scorer(estimator, X, y)``.
    values : ndarray of shape (n_samples, n_outputs)
        The answers.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    task : Task
    response : str, default="predict_proba"
    sample_weight : ndarray of shape (n_samples,) or None, default=None
    X : features of shape (n_samples, n_features) or None, default=None
        The rows, for scorers that read them; None where they are not known.
    """
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    reads = reads_rows(scorer)
    estimator = as_fitted_estimator(task, response, values if reads else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # metrics remark on classes that a part does not hold
        return float(scorer(estimator, X if reads else values, y, **weights))


def scorer_failure(error: Exception, task: Task) -> str:
    """Return the type of a scorer's error and its first line, about what the user knows."""
    reason = next(iter(str(error).strip().splitlines()), "")
    reason = reason.replace(_RecordedClassifier.__name__, "a classifier")
    reason = reason.replace(_RecordedRegressor.__name__, "a regressor").rstrip(". ")
    if "pos_label" in reason and task.kind == "binary":
        reason += (
            f". Say which class is the positive one, pos_label={task.output_names()[1]!r} for "
            "example, in sklearn.metrics.make_scorer"
        )
    return f"{type(error).__name__}: {reason}"


def scorer_advice(name: Any) -> str:
    """Return what to do about a scorer that is none: which names may be meant, and who has all.

    Meant may be names that hold the given one, or have its letters as initials ("rmse").
    """
    everywhere = "sklearn.metrics.get_scorer_names() lists the names."
    if not isinstance(name, str):
        return everywhere
    names = get_scorer_names()
    plain = name.lower().translate(str.maketrans("", "", "_- "))
    like = [
        other
        for other in names
        if plain
        and (
            plain in other.replace("_", "")
            or plain == "".join(word[0] for word in other.removeprefix("neg_").split("_"))
        )
    ]
    like = like or get_close_matches(name, names)
    return f"Perhaps it is {' or '.join(map(repr, like[:4]))}; {everywhere}" if like else everywhere

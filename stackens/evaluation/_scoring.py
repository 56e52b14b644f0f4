"""Scores of predictions that exist already, by any scikit-learn scorer or row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isfunction
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import get_scorer

from stackens._core._losses import row_losses
from stackens._core._task import Task
from stackens.out_of_fold import call_scorer, reads_rows, scorer_advice, scorer_failure

__all__ = [
    "Answers",
    "RowScores",
    "Scoring",
    "check_scoring",
    "resolve_scoring",
    "row_scores",
    "score_answers",
]

_WORDS = {
    "neg_log_loss": "log loss",
    "neg_root_mean_squared_error": "RMSE",
    "neg_mean_squared_error": "mean squared error",
    "neg_mean_absolute_error": "mean absolute error",
    "roc_auc": "ROC AUC",
    "r2": "R²",
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What a strategy says about some rows.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_outputs)
        In the layout of a :class:`stackens.PredictionTable`.
    response : {"predict_proba", "decision_function", "predict", "value"}
        What the values are.
    """

    values: np.ndarray
    response: str


@dataclass(frozen=True)
class Scoring:
    """A scorer with its name and the reason why it was chosen.

    Parameters
    ----------
    name : str
        scikit-learn's name, or that of the callable.
    scorer : callable
        ``scorer(estimator, X, y)``; greater is better.
    note : str, default=""
        Why it is not the usual one.
    by_name : bool, default=True
        Whether it is scikit-learn's own. A callable may have the name of one and do something
        else.
    rows : callable or None, default=None
        Makes the terms of a metric that is none of scikit-learn's, as :func:`row_scores` does.
    """

    name: str
    scorer: Callable[..., float]
    note: str = ""
    by_name: bool = True
    rows: Callable[..., RowScores | None] | None = None

    @property
    def words(self) -> str:
        """The name as it stands in a sentence."""
        plain = self.name.removeprefix("neg_").replace("_", " ")
        return _WORDS.get(self.name, plain)

    @property
    def sign(self) -> int:
        """-1 for a loss that scikit-learn negates, else 1."""
        negated = self.name.startswith("neg_") or getattr(self.scorer, "_sign", 1) < 0
        return -1 if negated else 1

    @property
    def reads_rows(self) -> bool:
        """Whether the scorer may look at the rows themselves, and needs them."""
        return reads_rows(self.scorer)


def resolve_scoring(scoring: Any, task: Task, responses: dict[str, str]) -> Scoring:
    """Return the scorer for what the user gave, or the usual one.

    None means RMSE for regression and log loss for classification. Where a model gives no
    probabilities, it means ROC AUC (two classes, margins), balanced accuracy, or the mean F1
    score of labels, and the note says so.
    """
    if scoring is None:
        name, note = _usual(task, responses)
        return Scoring(name, get_scorer(name), note)
    if callable(scoring):
        if getattr(scoring, "__module__", "").startswith("sklearn.metrics._") and isfunction(
            scoring
        ):
            raise ValueError(
                "The 'scoring' parameter must be a scorer, called with an estimator, X "
                f"and y. Got the metric {scoring.__name__}. Wrap it in "
                "sklearn.metrics.make_scorer."
            )
        made_of = getattr(scoring, "_score_func", scoring)
        return Scoring(getattr(made_of, "__name__", type(scoring).__name__), scoring, by_name=False)
    try:
        return Scoring(scoring, get_scorer(scoring))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            "The 'scoring' parameter must be the name of a scikit-learn scorer, a "
            f"callable scorer(estimator, X, y) or None. Got {scoring!r} instead. "
            f"{scorer_advice(scoring)}"
        ) from error


def _usual(task: Task, responses: dict[str, str]) -> tuple[str, str]:
    if not task.is_classification:
        return "neg_root_mean_squared_error", ""
    without = [name for name, response in responses.items() if response != "predict_proba"]
    if not without:
        return "neg_log_loss", ""
    margins = set(responses.values()) <= {"predict_proba", "decision_function"}
    if task.kind == "binary" and margins:
        name = "roc_auc"
    else:
        name = "balanced_accuracy" if task.has_classes else "f1_macro"
    return name, (
        f"Scored by {_WORDS.get(name, name.replace('_', ' '))}, since log loss needs "
        f"probabilities, which {', '.join(map(repr, without))} cannot give."
    )


def score_answers(
    scoring: Scoring,
    answers: Answers,
    y: np.ndarray,
    task: Task,
    weights: np.ndarray | None,
    X: Any = None,
) -> float:
    """Return the score of some rows; greater is better.

    ``X`` are the rows themselves, for scorers that read them (:attr:`Scoring.reads_rows`).

    Raises
    ------
    ValueError
        If these answers cannot be scored like that; the message is the reason.
    """
    score = _score(scoring, answers, y, task, weights, X)
    if not np.isfinite(score):
        raise ValueError(f"its {scoring.words} is {score}")
    return score


def _score(
    scoring: Scoring,
    answers: Answers,
    y: np.ndarray,
    task: Task,
    weights: np.ndarray | None,
    X: Any,
) -> float:
    exact = row_scores(scoring, answers, y, task, weights)
    if exact is not None:
        return exact.score(weights)
    if answers.response == "value":
        raise ValueError("it predicts numbers, not classes")
    values, response = answers.values, answers.response
    try:
        return call_scorer(scoring.scorer, values, y, task, response, sample_weight=weights, X=X)
    except Exception as error:
        raise ValueError(scorer_failure(error, task)) from error


def check_scoring(
    scoring: Scoring,
    y: np.ndarray,
    task: Task,
    responses: dict[str, str],
    *,
    sample_weight: np.ndarray | None = None,
    X: Any = None,
) -> None:
    """Raise if no answer of these models or their combinations could be scored.

    Tried on what a model would say that has learnt nothing but the mean of the target.
    """
    target = task.encode(y)
    if task.has_classes:
        target = target[:, None] == np.arange(task.n_outputs)
    values = np.repeat(target.mean(axis=0, keepdims=True), len(target), axis=0)
    combined = "predict_proba" if task.is_classification else "predict"
    reasons = {}
    for response in (combined, *sorted(set(responses.values()) - {combined})):
        try:
            _score(scoring, Answers(values, response), y, task, sample_weight, X)
            return
        except ValueError as error:
            reasons[response] = str(error)
    raise ValueError(
        f"The 'scoring' parameter must suit the target, which is {task.kind}. Got "
        f"{scoring.name!r}, which fails: {reasons[combined].rstrip('. ')}. Choose another scorer; "
        "sklearn.metrics.get_scorer_names() lists the names."
    )


@dataclass(frozen=True, eq=False)
class RowScores:
    """A metric as a function of means over rows, so that resampling rows is one product.

    Parameters
    ----------
    terms : ndarray of shape (n_samples, n_terms)
        What is averaged.
    finish : callable
        Turns means of shape (..., n_terms) into scores of shape (...).
    """

    terms: np.ndarray
    finish: Callable[[np.ndarray], np.ndarray]

    def score(self, weights: np.ndarray | None) -> float:
        """Return the score of all rows."""
        return float(self.finish(np.average(self.terms, axis=0, weights=weights)))


def row_scores(
    scoring: Scoring, answers: Answers, y: np.ndarray, task: Task, weights: np.ndarray | None
) -> RowScores | None:
    """Return the terms of a metric that is made of means over rows, None for any other metric.

    ROC AUC is replaced by its linear part, whose mean is the AUC itself.

    Raises
    ------
    ValueError
        If the metric needs other answers; the message is the reason.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988). Comparing the areas under two or more correlated
    receiver operating characteristic curves. Biometrics 44(3), 837-845.
    """
    make = scoring.rows or _ROW_METRICS.get(scoring.name)
    if make is None or not scoring.by_name:
        return None
    return make(answers, task.encode(y), task, weights)


def _log_loss(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if not task.is_classification:
        return None
    if answers.response != "predict_proba":
        raise ValueError("it gives no probabilities")
    return RowScores(row_losses(answers.values, target, task)[:, None], _minus_mean)


def _brier(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if not task.has_classes or answers.response != "predict_proba":
        return None
    squares = ((answers.values - np.eye(task.n_outputs)[target]) ** 2).sum(axis=1, keepdims=True)
    return RowScores(squares / 2 if task.kind == "binary" else squares, _minus_mean)


def _accuracy(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if not task.has_classes or answers.response == "value":
        return None
    right = answers.values.argmax(axis=1) == target
    return RowScores(right[:, None].astype(np.float64), _mean)


def _balanced(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if not task.has_classes or answers.response == "value":
        return None
    truth = (target[:, None] == np.arange(task.n_outputs)).astype(np.float64)
    right = answers.values.argmax(axis=1) == target
    return RowScores(np.concatenate([truth * right[:, None], truth], axis=1), _mean_ratio)


def _r2(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    if task.is_classification or len(target) < 2:
        return None
    centred = target - np.average(target, axis=0, weights=weights)
    squares = (answers.values - target) ** 2
    return RowScores(np.concatenate([squares, centred**2, centred], axis=1), _explained)


def _auc(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    if task.kind != "binary" or answers.response == "value" or weights is not None:
        return None
    positive = target == 1
    n_positive = int(positive.sum())
    n_negative = len(target) - n_positive
    if not n_positive or not n_negative:
        return None
    scores = answers.values[:, 1]
    ranks = rankdata(scores)
    placement = np.empty(len(target))
    placement[positive] = (ranks[positive] - rankdata(scores[positive])) / n_negative
    below = (ranks[~positive] - rankdata(scores[~positive])) / n_positive
    placement[~positive] = 1.0 - below
    area = placement[positive].mean()
    share = np.where(positive, n_positive, n_negative) / len(target)
    return RowScores((area + (placement - area) / share)[:, None], _mean)


def _squared(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if task.is_classification:
        return None
    return RowScores((answers.values - target) ** 2, _minus_mean)


def _root_squared(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    terms = _squared(answers, target, task, weights)
    return None if terms is None else RowScores(terms.terms, _minus_root)


def _absolute(answers: Answers, target: Any, task: Task, weights: Any) -> RowScores | None:
    del weights
    if task.is_classification:
        return None
    return RowScores(np.abs(answers.values - target), _minus_mean)


def _mean(means: np.ndarray) -> np.ndarray:
    return means.mean(axis=-1)


def _minus_mean(means: np.ndarray) -> np.ndarray:
    return -means.mean(axis=-1)


def _minus_root(means: np.ndarray) -> np.ndarray:
    return -np.sqrt(means).mean(axis=-1)


def _mean_ratio(means: np.ndarray) -> np.ndarray:
    """Return the mean recall of the classes that occur."""
    right, truth = np.split(means, 2, axis=-1)
    occurs = truth > 0
    recall = np.divide(right, truth, out=np.zeros_like(right), where=occurs)
    return recall.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def _explained(means: np.ndarray) -> np.ndarray:
    squares, second, first = np.split(means, 3, axis=-1)
    variance = second - first**2
    with np.errstate(invalid="ignore", divide="ignore"):  # one value drawn again and again
        return (1.0 - squares / variance).mean(axis=-1)


_ROW_METRICS: dict[str, Callable[..., RowScores | None]] = {
    "neg_log_loss": _log_loss,
    "neg_brier_score": _brier,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "roc_auc": _auc,
    "r2": _r2,
    "neg_mean_squared_error": _squared,
    "neg_root_mean_squared_error": _root_squared,
    "neg_mean_absolute_error": _absolute,
}

"""Greedy ensemble selection with replacement, for any scorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from stackens._core._parallel import single_threaded_blas
from stackens._core._task import Task
from stackens.combiners._base import (
    WeightedCombiner,
    fitting_rows,
    readable_rows,
    require_probabilities,
)
from stackens.combiners._greedy_metrics import SelectionMetric, first_best, selection_metric
from stackens.combiners._greedy_scorer import ScorerMetric, trial_table
from stackens.out_of_fold import OutOfFoldTable, reads_rows

__all__ = ["GreedyPath", "GreedySelection", "greedy_selection"]


@dataclass(frozen=True, eq=False)
class GreedyPath:
    """What greedy selection did.

    Parameters
    ----------
    members : ndarray of int of shape (n_steps,)
        The model taken at each step.
    scores : ndarray of shape (n_steps,)
        Score of the mean of all models taken so far; greater is better.
    n_kept : int
        Steps of the best prefix.
    n_models : int
        Number of models there were to choose from.

    Examples
    --------
    >>> import stackens as se
    >>> kept = {"good": [0.2, 0.4, 0.6, 0.9], "other": [0.1, 0.3, 0.9, 0.4]}
    >>> table = se.OutOfFoldTable.from_predictions(kept, [0, 0, 1, 1])
    >>> path = se.combiners.greedy_selection(table.values, table.y, table.task, max_models=3)
    >>> path.members, path.counts
    (array([0, 1, 0]), array([2, 1]))
    >>> path.scores.round(3)
    array([-0.338, -0.328, -0.326])
    """

    members: np.ndarray
    scores: np.ndarray
    n_kept: int
    n_models: int

    @property
    def counts(self) -> np.ndarray:
        """How often each model was taken in the best prefix, shape (n_models,)."""
        return np.bincount(self.members[: self.n_kept], minlength=self.n_models)


def greedy_selection(
    values: np.ndarray,
    y: Any,
    task: Task,
    *,
    scoring: str | Callable[..., float] | None = None,
    sample_weight: np.ndarray | None = None,
    max_models: int = 25,
    X: Any = None,
) -> GreedyPath:
    """Take, one after another and with replacement, the model that helps the mean most.

    The first model is the best single one. Equally good candidates (scores within 1e-12)
    go to the one that comes first, equally good prefixes to the shorter.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
        Predictions without NaN; probabilities for classification.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target as the user gave it.
    task : Task
    scoring : str, callable or None, default=None
        A scikit-learn scorer. None means log loss for classification and squared error for
        regression (each output divided by its variance).
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the rows.
    max_models : int, default=25
        Most members, counted with repetition.
    X : features of shape (n_samples, n_features) or None, default=None
        The rows, for a ``scoring`` that looks at them.

    Returns
    -------
    GreedyPath
    """
    # Products this small lose more by waiting for a busy core than they gain from a second one.
    with single_threaded_blas:
        metric = selection_metric(values, y, task, scoring, sample_weight, X)
        return _walk(metric, values.shape[1], max_models)


def _walk(metric: SelectionMetric, n_models: int, max_models: int) -> GreedyPath:
    members, scores = [], []
    for step in range(1, max_models + 1):
        member, score = metric.best(step)
        metric.add(member)
        members.append(member)
        scores.append(score)
    path = np.array(scores)
    kept = first_best(path, metric.slack) + 1
    return GreedyPath(np.array(members), path, kept, n_models)


class GreedySelection(WeightedCombiner):
    """Greedy forward selection of models with replacement; weights are how often each was taken.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        Any scikit-learn scorer: a name or a callable ``scorer(estimator, X, y)``, whose X are the
        feature rows of the table, or None where it has none. None means log loss for
        classification and squared error for regression. Log loss, Brier score, squared and
        absolute error, R2, accuracy, balanced accuracy and binary ROC AUC have
        fast kernels that choose the same members as the plain loop; for multilabel targets
        ``"neg_log_loss"`` is the mean over labels.
    max_models : int, default=25
        Most members, counted with repetition. The best prefix is kept.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        ``counts_`` divided by their sum.
    counts_ : ndarray of int of shape (n_models,)
        How often each model was taken.
    path_ : GreedyPath
        Members and scores of every step.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of
    models, ICML, DOI 10.1145/1015330.1015432

    Minoux (1978), Accelerated greedy algorithms for maximizing submodular set functions,
    DOI 10.1007/BFb0006528 (evaluating candidates in the order of a bound).

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> greedy = se.combiners.GreedySelection(scoring="r2", max_models=4).fit(table)
    >>> greedy.counts_
    array([3, 1])
    """

    identity_on_one_model: ClassVar[bool] = True
    ignores_duplicates: ClassVar[bool] = True

    def __init__(
        self, scoring: str | Callable[..., float] | None = None, max_models: int = 25
    ) -> None:
        self.scoring = scoring
        self.max_models = max_models

    @property
    def reads_features(self) -> bool:
        return reads_rows(self.scoring)

    def check_scoring(self, table: OutOfFoldTable) -> None:
        if self.scoring is None:
            return
        rows = fitting_rows(readable_rows(trial_table(table), [self]), type(self).__name__)
        values, weights = rows.values, rows.sample_weight
        metric = selection_metric(values, rows.y, rows.task, self.scoring, weights, rows.features)
        if isinstance(metric, ScorerMetric):  # the others are known to work
            metric.try_on(values[:, 0])

    def fit(self, out_of_fold: OutOfFoldTable) -> GreedySelection:
        if not isinstance(self.max_models, Integral) or self.max_models < 1:
            raise ValueError(
                "The 'max_models' parameter of GreedySelection must be an int of at least 1. "
                f"Got {self.max_models!r}. Use 25 unless you have a reason."
            )
        require_probabilities(out_of_fold, type(self).__name__)
        rows = fitting_rows(readable_rows(out_of_fold, [self]), type(self).__name__)
        self.path_ = greedy_selection(
            rows.values,
            rows.y,
            rows.task,
            scoring=self.scoring,
            sample_weight=rows.sample_weight,
            max_models=int(self.max_models),
            X=rows.features,
        )
        self.counts_ = self.path_.counts
        self.weights_ = self.counts_ / self.counts_.sum()
        self.names_ = rows.names
        return self

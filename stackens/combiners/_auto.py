"""The automatic combiner: picked by cross-validation on the table, with a bias to the reliable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import clone

from stackens._core._losses import normalised_weights, output_scales, row_losses
from stackens._core._rows import take_rows
from stackens.combiners._base import (
    Combiner,
    count_weights,
    fitting_rows,
    readable_rows,
    require_fitted,
)
from stackens.combiners._cross_fitted import Splits, place_rows, table_splits
from stackens.combiners._greedy import GreedySelection
from stackens.combiners._greedy_metrics import plain_metric
from stackens.combiners._greedy_scorer import (
    ScorerMetric,
    checked_scorer,
    score_predictions,
    trial_table,
)
from stackens.combiners._linear import RidgeLeaveOneOut
from stackens.combiners._logistic import LogisticOnLogits, LogLinearPool
from stackens.combiners._means import UniformMean
from stackens.combiners._simplex import SimplexWeights
from stackens.combiners._two_scale import TwoScalePool
from stackens.out_of_fold import OutOfFoldTable, PredictionTable, reads_rows

__all__ = ["AutoCombiner", "default_candidates"]


def default_candidates(table: PredictionTable, scoring: Any = None) -> dict[str, Combiner]:
    """Return the combiners to choose from, the preferred first.

    Classification: a log-linear pool, which was the most reliable on real tables, the same with
    a second weight for each model, convex weights, and the plain mean. Regression: ridge,
    convex weights, the plain mean. With a scorer, greedy selection for it comes before the last
    two. Combiners that cannot read the
    table are left out: on margins only logistic regression remains.
    """
    if table.task.is_classification:
        found: dict[str, Combiner] = {
            "log_pool": LogLinearPool(),
            "two_scale": TwoScalePool(),
        }
    else:
        found = {"ridge": RidgeLeaveOneOut()}
    if scoring is not None:
        found["greedy"] = GreedySelection(scoring)
    found |= {"simplex": SimplexWeights(), "uniform": UniformMean()}
    accepted = {name: combiner for name, combiner in found.items() if combiner.accepts(table)}
    return accepted or {"logistic": LogisticOnLogits()}


@dataclass
class _Trial:
    """Cross-fitted predictions of one candidate: a part for the test rows of each split."""

    name: str
    parts: list[np.ndarray]
    losses: np.ndarray
    weights: np.ndarray


class AutoCombiner(Combiner):
    """The combiner that cross-validates best on the table, unless a preferred one is as good.

    Each candidate is fitted on the training rows of every split of the table and judged on
    the test rows. Of those within one standard error of the best, the first in order is
    taken; the standard error is that of the paired differences to the best, so what all
    candidates find hard cancels out. A fit on all rows follows.

    Parameters
    ----------
    candidates : dict, list of (str, Combiner) pairs, or None, default=None
        What to choose from, the preferred first. None means
        log-linear pools (classification) or ridge (regression), greedy selection when
        ``scoring`` is given, convex weights, and the plain mean.
    scoring : str, callable or None, default=None
        A scikit-learn scorer, computed on every split. None means log loss or squared error,
        compared row by row, which is much more precise.
    n_standard_errors : float, default=1.0
        How many standard errors worse than the best a preferred candidate may be.

    Attributes
    ----------
    best_name_ : str
        Name of the candidate chosen.
    best_combiner_ : Combiner
        It, fitted on all covered rows.
    scores_ : DataFrame
        A row for each candidate, in order: ``loss`` (greater is worse; for a scorer its
        negative), ``loss_se``, ``difference`` to the best and ``difference_se``, ``chosen``.
    weights_ : ndarray of shape (n_models,)
        Weights of the one chosen, where it has them.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and regression trees, section
    3.4.3 (the one-standard-error rule). DOI 10.1201/9781315139470

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> auto = se.combiners.AutoCombiner().fit(table)
    >>> auto.best_name_
    'ridge'
    >>> auto.scores_.index.tolist()
    ['ridge', 'simplex', 'uniform']
    """

    def __init__(
        self,
        candidates: dict[str, Combiner] | Sequence[tuple[str, Combiner]] | None = None,
        scoring: str | Callable[..., float] | None = None,
        n_standard_errors: float = 1.0,
    ) -> None:
        self.candidates = candidates
        self.scoring = scoring
        self.n_standard_errors = n_standard_errors

    identity_on_one_model: ClassVar[bool] = False

    @property
    def weights_(self) -> np.ndarray:
        """Weights of the combiner chosen; an AttributeError where it has none."""
        return self.best_combiner_.weights_

    @property
    def reads_features(self) -> bool:
        return reads_rows(self.scoring)

    def check_scoring(self, table: OutOfFoldTable) -> None:
        for candidate in self._candidates(table).values():
            if isinstance(candidate, Combiner):
                candidate.check_scoring(table)
        if self.scoring is None:
            return
        scorer = checked_scorer(self.scoring, type(self).__name__)
        rows = fitting_rows(readable_rows(trial_table(table), [self]), type(self).__name__)
        values, weights = rows.values, rows.sample_weight
        metric = ScorerMetric(values, rows.y, rows.task, scorer, weights, rows.features)
        metric.try_on(values[:, 0])

    def fit(self, out_of_fold: OutOfFoldTable) -> AutoCombiner:
        rows = fitting_rows(out_of_fold, type(self).__name__)
        candidates = self._candidates(rows)
        splits = table_splits(rows) if len(candidates) > 1 else ()
        return self._choose(candidates, self._trials(candidates, rows, splits), rows)

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_fitted(self)
        return self.best_combiner_.combine(table)

    def fit_cross_fitted(self, out_of_fold: OutOfFoldTable) -> np.ndarray:
        """Fit, and combine each row by a choice and a fit that left the row's fold out.

        For the test rows of a split the candidate is chosen by its losses on the other rows,
        so no candidate is fitted more than once for each split, and once more to be used.
        (The fits behind those losses did see the split's labels, as the base models of the
        other folds did.)

        Parameters
        ----------
        out_of_fold : OutOfFoldTable

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            NaN for rows that no split holds out.
        """
        rows = fitting_rows(out_of_fold, type(self).__name__)
        candidates, splits = self._candidates(rows), table_splits(rows)
        trials = self._trials(candidates, rows, splits)
        self._choose(candidates, trials, rows)
        covered = out_of_fold.covered_rows()
        if covered.n_samples > rows.n_samples:  # rows of weight zero get an answer as well
            splits = table_splits(covered)
            trials = self._trials(candidates, covered, splits)
        parts = []
        for number, (_, test) in enumerate(splits):
            keep = np.ones(len(trials[0].losses), dtype=bool)
            keep[number if self.scoring is not None else test] = False
            others = [_Trial(t.name, t.parts, t.losses[keep], t.weights[keep]) for t in trials]
            chosen = self._compare(others)["chosen"].to_numpy().argmax()
            parts.append(trials[chosen].parts[number])
        return place_rows(parts, splits, out_of_fold)

    def _choose(
        self, candidates: dict[str, Combiner], trials: list[_Trial], rows: OutOfFoldTable
    ) -> AutoCombiner:
        """Take the candidate that the trials speak for and fit it on all rows."""
        self.scores_ = self._compare(trials)
        self.best_name_ = str(self.scores_.index[self.scores_["chosen"]][0])
        self.best_combiner_ = clone(candidates[self.best_name_]).fit(rows)
        self.names_ = rows.names
        return self

    def _candidates(self, rows: OutOfFoldTable) -> dict[str, Combiner]:
        if self.candidates is None:
            return default_candidates(rows, self.scoring)
        candidates = dict(self.candidates)
        if not candidates or not all(hasattr(c, "combine") for c in candidates.values()):
            raise ValueError(
                "The 'candidates' parameter of AutoCombiner must be a dict or list of pairs of "
                f"names and combiners. Got {self.candidates!r}. Leave it at None for the usual "
                "ones."
            )
        return candidates

    def _trials(
        self, candidates: dict[str, Combiner], rows: OutOfFoldTable, splits: Splits
    ) -> list[_Trial]:
        parts: dict[str, list[np.ndarray]] = {name: [] for name in candidates}
        table = readable_rows(rows, [self, *candidates.values()])
        for train, test in splits:
            learn, judge = table.rows(train), table.rows(test)
            for name, candidate in candidates.items():
                parts[name].append(clone(candidate).fit(learn).combine(judge))
        weights = count_weights(rows)
        if self.scoring is None:
            scales = None
            if not rows.task.is_classification:
                scales = output_scales(rows.target, normalised_weights(weights, rows.n_samples))
            return [
                _Trial(
                    name,
                    predictions,
                    row_losses(
                        place_rows(predictions, splits, rows),
                        rows.target,
                        rows.task,
                        scales=scales,
                    ),
                    weights,
                )
                for name, predictions in parts.items()
            ]
        return [
            _Trial(name, found, self._split_losses(found, rows, splits), np.ones(len(splits)))
            for name, found in parts.items()
        ]

    def _split_losses(
        self, parts: list[np.ndarray], rows: OutOfFoldTable, splits: Splits
    ) -> np.ndarray:
        """Return the negative score of each split.

        NaN where the scorer cannot say, as when the split holds out no row of a class. Log loss
        is that of the combiners, which needs no class and is the mean over labels.
        """
        scorer = checked_scorer(self.scoring, type(self).__name__)
        by_row = rows.task.is_classification and plain_metric(scorer) == "log_loss"
        reads = self.reads_features and rows.features is not None
        y, weights = np.asarray(rows.y), rows.sample_weight
        losses = np.full(len(splits), np.nan)
        failure = None
        for number, (found, (_, test)) in enumerate(zip(parts, splits, strict=True)):
            drawn = None if weights is None else weights[test]
            X = take_rows(rows.features, test) if reads else None
            if drawn is not None and not drawn.any():  # nothing there counts
                continue
            if by_row:
                of_rows = row_losses(found, rows.target[test], rows.task)
                losses[number] = normalised_weights(drawn, len(test)) @ of_rows
                continue
            try:
                losses[number] = -score_predictions(scorer, found, y[test], rows.task, drawn, X)
            except ValueError as error:
                failure = error
        if failure is not None and np.isnan(losses).all():
            raise failure
        return losses

    def _compare(self, trials: list[_Trial]) -> pd.DataFrame:
        """Return the table of losses, with the candidate to take marked."""
        means, errors = zip(*(_mean_and_error(t.losses, t.weights) for t in trials), strict=True)
        # Without rows to judge by, nothing speaks against the preferred candidate.
        best = int(np.nanargmin(means)) if np.isfinite(means).any() else 0
        frame = pd.DataFrame(
            {"loss": means, "loss_se": errors}, index=pd.Index([t.name for t in trials])
        )
        pairs = [_mean_and_error(t.losses - trials[best].losses, t.weights) for t in trials]
        frame["difference"], frame["difference_se"] = zip(*pairs, strict=True)
        near = [
            i == best or mean <= self.n_standard_errors * error
            for i, (mean, error) in enumerate(pairs)
        ]
        frame["chosen"] = np.arange(len(trials)) == near.index(True)
        return frame


def _mean_and_error(losses: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the weighted mean and its standard error; a weight counts copies of a row.

    Rows that no split judged are NaN and take no part.
    """
    known = np.isfinite(losses)
    total = weights[known].sum()
    if total <= 0:
        return np.nan, np.nan
    mean = weights[known] @ losses[known] / total
    variance = weights[known] @ (losses[known] - mean) ** 2 / total
    return float(mean), float(np.sqrt(variance / max(total - 1.0, 1.0)))

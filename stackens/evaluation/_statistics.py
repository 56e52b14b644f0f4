"""Scores with their uncertainty: bootstrap over the rows set aside, paired between strategies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from stackens._core._rows import take_rows
from stackens._core._task import Task
from stackens.evaluation._scoring import Answers, RowScores, Scoring, row_scores, score_answers

__all__ = ["Evaluation", "HeldOut", "differences", "evaluate"]

_RESAMPLES = 1_000
# A scorer that is not made of means over rows is called again for every resample, strategy and
# split; there the number of calls is what matters.
_SCORER_CALLS, _FEWEST, _MOST = 1_500, 50, 200
_BLOCK = 50
_DRAWS = 20_000  # of a normal distribution; the quantile's error is about 0.01


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The rows of one outer split that were set aside, and what each strategy says about them.

    Parameters
    ----------
    rows : ndarray of int of shape (n_held_out,)
    y : ndarray of shape (n_held_out,) or (n_held_out, n_outputs)
    sample_weight : ndarray of shape (n_held_out,) or None
    answers : dict of str -> Answers
    X : features or None, default=None
        All rows, of which ``rows`` are some, for scorers that read them; None if not known.
    """

    rows: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    answers: dict[str, Answers]
    X: Any = None

    def features(self, scoring: Scoring, index: np.ndarray | slice = slice(None)) -> Any:
        """Return those of the rows that a scorer reads, None if it does not."""
        wanted = scoring.reads_rows and self.X is not None
        return take_rows(self.X, self.rows[index]) if wanted else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of all strategies.

    Parameters
    ----------
    scores : Series
        By strategy, the mean over outer splits; NaN where there is none.
    resampled : DataFrame of shape (n_resamples, n_strategies)
        Scores on resampled rows, the same rows for all strategies.
    reasons : dict of str -> str
        Why a strategy has no score.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens._core._task import infer_task
    >>> from stackens.evaluation import Answers, HeldOut, evaluate, resolve_scoring
    >>> task, y = infer_task(["no", "no", "yes", "yes"])
    >>> good = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    >>> answers = {
    ...     "good": Answers(good, "predict_proba"),
    ...     "poor": Answers(np.full((4, 2), 0.5), "predict_proba"),
    ... }
    >>> part = HeldOut(np.arange(4), y, None, answers)
    >>> scoring = resolve_scoring("neg_log_loss", task, {})
    >>> found = evaluate([part], ["good", "poor"], scoring, task)
    >>> found.scores.round(2).to_dict()
    {'good': -0.2, 'poor': -0.69}
    >>> found.standard_errors.round(2).to_dict()
    {'good': 0.05, 'poor': 0.0}
    """

    scores: pd.Series
    resampled: pd.DataFrame
    reasons: dict[str, str]

    @property
    def standard_errors(self) -> pd.Series:
        """Deviation of the resampled scores, by strategy."""
        return self.resampled.std(ddof=1)


def evaluate(
    parts: Sequence[HeldOut],
    names: Sequence[str],
    scoring: Scoring,
    task: Task,
    *,
    groups: np.ndarray | None = None,
    random_state: int | None = None,
) -> Evaluation:
    """Score every strategy on the rows set aside, with a bootstrap over those rows.

    Parameters
    ----------
    parts : sequence of HeldOut
        One for each outer split. The score is the mean over them.
    names : sequence of str
        Strategies; one that is missing from a part has no score.
    scoring : Scoring
    task : Task
    groups : ndarray of shape (n_samples,) or None
        Whole groups are resampled instead of rows.
    random_state : int or None
        Seed of the bootstrap; None means 0.
    """
    scores, reasons = {}, {}
    features = [part.features(scoring) for part in parts]
    for name in names:
        try:
            found = [
                score_answers(scoring, part.answers[name], part.y, task, part.sample_weight, X)
                for part, X in zip(parts, features, strict=True)
                if name in part.answers
            ]
        except ValueError as error:
            reasons[name] = str(error)
            continue
        if len(found) == len(parts):
            scores[name] = float(np.mean(found))
        else:
            reasons[name] = "it failed in at least one outer split"
    kept = list(scores)
    resampled = _resample(parts, kept, scoring, task, groups, random_state)
    return Evaluation(
        pd.Series(scores, dtype=float).reindex(list(names)),
        pd.DataFrame(resampled, columns=kept).reindex(columns=list(names)),
        reasons,
    )


def differences(
    evaluation: Evaluation, reference: str, combinations: Collection[str]
) -> pd.DataFrame:
    """Return the paired differences of all scores to that of one strategy.

    The intervals hold for all combinations at once, so the best of them may be picked by the
    same scores: they are as many standard errors wide as the largest of the combinations'
    differences is off, in absolute value, in 95% of draws from a normal distribution with the
    correlations of the bootstrap ("max-t"). For one combination these are 1.96; for several
    that are alike, a little more.

    Returns
    -------
    DataFrame
        Index: strategy. Columns: ``difference`` (positive is better than the reference),
        ``se``, and ``low`` and ``high``, the interval.

    References
    ----------
    Hothorn, Bretz & Westfall (2008). Simultaneous inference in general parametric models.
    Biometrical Journal 50(3), 346-363, doi:10.1002/bimj.200810425.
    """
    paired = evaluation.resampled.sub(evaluation.resampled[reference], axis=0)
    difference = evaluation.scores - evaluation.scores[reference]
    se = paired.std(ddof=1)
    compared = [name for name in combinations if se[name] > 0]
    # Of standardised values, as the correlation of very small ones would underflow to NaN.
    correlation = ((paired - paired.mean()) / se)[compared].cov().fillna(0.0)
    half = se * _errors_wide(correlation.to_numpy())
    return pd.DataFrame(
        {"difference": difference, "se": se, "low": difference - half, "high": difference + half}
    )


def _errors_wide(correlation: np.ndarray) -> float:
    """Return the 95% quantile of the largest absolute value of correlated normal variables."""
    if len(correlation) < 2:
        return float(norm.ppf(0.975))
    random = np.random.default_rng(0)
    centre = np.zeros(len(correlation))
    drawn = random.multivariate_normal(
        centre, correlation, _DRAWS, check_valid="ignore", method="eigh"
    )
    return float(np.quantile(np.abs(drawn).max(axis=1), 0.95))


def _resample(
    parts: Sequence[HeldOut],
    names: list[str],
    scoring: Scoring,
    task: Task,
    groups: np.ndarray | None,
    random_state: int | None,
) -> np.ndarray:
    """Return scores on resampled rows, shape (n_resamples, n_strategies).

    A part counts by how much of it was drawn. So parts of one unit each, such as a group, vary
    with the parts that are drawn. A single unit says nothing about how scores vary: all NaN.
    """
    if not names:
        return np.empty((0, 0))
    tables = [_row_tables(part, names, scoring, task) for part in parts]
    rows, unit = _units(parts, groups)
    units = [unit[np.searchsorted(rows, part.rows)] for part in parts]
    score = [
        partial(_from_scorer, part, names, own, scoring, task)
        if table is None
        else partial(_from_means, table, *_unit_sums(table, own, part.sample_weight))
        for part, table, own in zip(parts, tables, units, strict=True)
    ]
    random = np.random.default_rng(0 if random_state is None else random_state)
    n_resamples = _RESAMPLES
    if any(table is None for table in tables):
        n_resamples = min(max(_SCORER_CALLS // (len(parts) * len(names)), _FEWEST), _MOST)
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return np.full((n_resamples, len(names)), np.nan)
    blocks = []
    own_units = [np.unique(own) for own in units]
    for start in range(0, n_resamples, _BLOCK):
        counts = _counts(n_units, min(_BLOCK, n_resamples - start), random)
        drawn = np.stack([counts[:, own].mean(axis=1) for own in own_units])[:, :, None]
        found = np.where(drawn > 0, np.stack([of_part(counts) for of_part in score]), 0.0)
        blocks.append((drawn * found).sum(axis=0) / drawn.sum(axis=0))
    return np.concatenate(blocks)


def _row_tables(
    part: HeldOut, names: list[str], scoring: Scoring, task: Task
) -> list[RowScores] | None:
    found = [
        row_scores(scoring, part.answers[name], part.y, task, part.sample_weight) for name in names
    ]
    return None if any(table is None for table in found) else found  # type: ignore[return-value]


def _units(parts: Sequence[HeldOut], groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are scored at least once, sorted, and the unit each belongs to."""
    rows = np.unique(np.concatenate([part.rows for part in parts]))
    if groups is None:
        return rows, np.arange(len(rows))
    return rows, np.unique(groups[rows], return_inverse=True)[1]


def _counts(n_units: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Return how often each unit is drawn in each resample, shape (size, n_units)."""
    counts = np.empty((size, n_units))
    for row, drawn in zip(counts, random.integers(n_units, size=counts.shape), strict=True):
        row[:] = np.bincount(drawn, minlength=n_units)
    return counts


def _unit_sums(
    tables: list[RowScores], units: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of a part, and for each the sums of its weights and weighted terms."""
    weights = np.ones((len(units), 1)) if sample_weight is None else sample_weight[:, None]
    terms = np.concatenate([weights, *(weights * table.terms for table in tables)], axis=1)
    present, position = np.unique(units, return_inverse=True)
    sums = np.zeros((len(present), terms.shape[1]))
    np.add.at(sums, position, terms)
    return present, sums


def _from_means(
    tables: list[RowScores], present: np.ndarray, sums: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return scores on resampled units, shape (size, n_strategies)."""
    totals = counts[:, present] @ sums
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing drawn from a small part
        means = totals[:, 1:] / totals[:, :1]
    means = means.reshape(len(counts), len(tables), -1)
    return np.stack([table.finish(means[:, i]) for i, table in enumerate(tables)], axis=1)


def _from_scorer(
    part: HeldOut,
    names: list[str],
    units: np.ndarray,
    scoring: Scoring,
    task: Task,
    counts: np.ndarray,
) -> np.ndarray:
    """Call the scorer on every resample; NaN where it cannot say, as when a class is missing."""
    scores = np.full((len(counts), len(names)), np.nan)
    for draw, count in enumerate(counts[:, units].astype(int)):
        index = np.repeat(np.arange(len(count)), count)
        weights = None if part.sample_weight is None else part.sample_weight[index]
        X = part.features(scoring, index)
        for i, name in enumerate(names):
            answers = part.answers[name]
            try:
                scores[draw, i] = score_answers(
                    scoring,
                    Answers(answers.values[index], answers.response),
                    part.y[index],
                    task,
                    weights,
                    X,
                )
            except ValueError:
                continue
    return scores

"""Scores with their uncertainty: bootstrap over the rows set aside, paired between strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stackens._core._task import Task
from stackens.comparison._scoring import Answers, RowScores, Scoring, row_scores, score_answers

__all__ = ["Evaluation", "HeldOut", "differences", "evaluate"]

_RESAMPLES = 1_000
# A scorer that is not made of means over rows is called again for every resample, strategy and
# split; there the number of calls is what matters.
_SCORER_CALLS, _FEWEST, _MOST = 1_500, 50, 200
_BLOCK = 50


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The rows of one outer split that were set aside, and what each strategy says about them.

    Parameters
    ----------
    rows : ndarray of int of shape (n_held_out,)
    y : ndarray of shape (n_held_out,) or (n_held_out, n_outputs)
    sample_weight : ndarray of shape (n_held_out,) or None
    answers : dict of str -> Answers
    """

    rows: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    answers: dict[str, Answers]


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
    for name in names:
        try:
            found = [
                score_answers(scoring, part.answers[name], part.y, task, part.sample_weight)
                for part in parts
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


def differences(evaluation: Evaluation, reference: str) -> pd.DataFrame:
    """Return the paired differences of all scores to that of one strategy.

    Returns
    -------
    DataFrame
        Index: strategy. Columns: ``difference`` (positive is better than the reference),
        ``se``, and ``low`` and ``high``, the 95% interval: bootstrap percentiles, or 1.96
        standard errors for scorers that are too slow for many resamples.
    """
    paired = evaluation.resampled.sub(evaluation.resampled[reference], axis=0)
    difference = evaluation.scores - evaluation.scores[reference]
    se = paired.std(ddof=1)
    if len(paired) == _RESAMPLES:
        low, high = paired.quantile(0.025), paired.quantile(0.975)
    else:  # too few for the tails
        low, high = difference - 1.96 * se, difference + 1.96 * se
    return pd.DataFrame(
        {
            "difference": difference,
            "se": se,
            "low": low,
            "high": high,
        }
    )


def _resample(
    parts: Sequence[HeldOut],
    names: list[str],
    scoring: Scoring,
    task: Task,
    groups: np.ndarray | None,
    random_state: int | None,
) -> np.ndarray:
    """Return scores on resampled rows, shape (n_resamples, n_strategies)."""
    if not names:
        return np.empty((0, 0))
    tables = [_row_tables(part, names, scoring, task) for part in parts]
    by_rows = all(table is not None for table in tables)
    rows, unit = _units(parts, groups)
    random = np.random.default_rng(0 if random_state is None else random_state)
    affordable = _SCORER_CALLS // (len(parts) * len(names))
    n_resamples = _RESAMPLES if by_rows else min(max(affordable, _FEWEST), _MOST)
    blocks = []
    for start in range(0, n_resamples, _BLOCK):
        size = min(_BLOCK, n_resamples - start)
        counts = _counts(unit, size, random)
        totals = np.zeros((size, len(names)))
        for part, table in zip(parts, tables, strict=True):
            inside = counts[:, np.searchsorted(rows, part.rows)]
            if by_rows and table is not None:
                totals += _from_means(table, inside, part.sample_weight)
            else:
                totals += _from_scorer(part, names, inside, scoring, task)
        blocks.append(totals / len(parts))
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


def _counts(unit: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Return how often each row is drawn, shape (size, n_rows); rows of a unit come together."""
    n_units = int(unit.max()) + 1
    drawn = random.integers(n_units, size=(size, n_units))
    counts = np.stack([np.bincount(draw, minlength=n_units) for draw in drawn])
    return counts[:, unit]


def _from_means(
    tables: list[RowScores], counts: np.ndarray, sample_weight: np.ndarray | None
) -> np.ndarray:
    weights = counts.astype(np.float64)
    if sample_weight is not None:
        weights *= sample_weight
    total = weights.sum(axis=1)
    stacked = np.concatenate([table.terms for table in tables], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing drawn from a small part
        means = (weights @ stacked) / total[:, None]
    means = means.reshape(len(counts), len(tables), -1)
    return np.stack([table.finish(means[:, i]) for i, table in enumerate(tables)], axis=1)


def _from_scorer(
    part: HeldOut, names: list[str], counts: np.ndarray, scoring: Scoring, task: Task
) -> np.ndarray:
    """Call the scorer on every resample; NaN where it cannot say, as when a class is missing."""
    scores = np.full((len(counts), len(names)), np.nan)
    for draw, count in enumerate(counts):
        index = np.repeat(np.arange(len(count)), count)
        weights = None if part.sample_weight is None else part.sample_weight[index]
        for i, name in enumerate(names):
            answers = part.answers[name]
            try:
                scores[draw, i] = score_answers(
                    scoring,
                    Answers(answers.values[index], answers.response),
                    part.y[index],
                    task,
                    weights,
                )
            except ValueError:
                continue
    return scores

"""The plan of a distillation: what is to be tried, and how it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from stackens.distillation._candidates import Mix
from stackens.distillation._findings import DISTILLED, PLAIN
from stackens.distillation._lesson import Loss
from stackens.distillation._pareto import (
    best_within,
    smallest_within_one_se,
    within_budget,
)
from stackens.distillation._search import Rule
from stackens.distillation.students import Student
from stackens.distillation.teachers import TeachingOptions
from stackens.evaluation import Scoring

__all__ = ["Plan"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What is to be tried and how it is judged.

    Parameters
    ----------
    recipes : list of Student
        Sizes to try; a single one is taken as it is.
    mixes : list of Mix
        Of teacher, truth and extra rows; a single one is taken as it is.
    other_rows : str
        Another way to make rows, tried with the soft weight that is best with mixed ones: munge
        for classes, resampled cells for values, of which the other gains less (measured on seven
        tables of 600 to 800 rows, with LightGBM, one tree and a network).
    scoring : Scoring
    outer : "auto", int, float, splitter, iterable or None
        How rows are set aside; None sets none aside, and takes first recipe and mix.
    loss, temperature, quantiles
        As of :class:`Lesson`.
    max_latency_us, max_bytes : float or None
    tunes : bool
        Whether other settings of the size that is taken are tried.
    guard : bool
        Whether the plain student is taken where the teacher has no clear lead.
    unlabeled : rows or None
    teaching : TeachingOptions
    random_state : int or None
    verbose : int
    """

    recipes: list[Student]
    mixes: list[Mix]
    other_rows: str
    scoring: Scoring
    outer: Any
    loss: Loss
    temperature: float
    quantiles: tuple[float, ...]
    max_latency_us: float | None
    max_bytes: float | None
    tunes: bool
    guard: bool
    unlabeled: Any
    teaching: TeachingOptions
    random_state: int | None
    verbose: int

    @property
    def has_budget(self) -> bool:
        """Whether the student must meet a size or a time."""
        return self.max_latency_us is not None or self.max_bytes is not None

    @property
    def rule(self) -> Rule:
        """Which of several distilled students is taken, by a frame of their scores and costs."""
        return self._rule(or_nearest=False)

    @property
    def rules(self) -> dict[str, Rule]:
        """The rule of each kind: a plain student may exceed the budget if no plain one meets it."""
        return {DISTILLED: self.rule, PLAIN: self._rule(or_nearest=True)}

    def _rule(self, *, or_nearest: bool) -> Rule:
        if self.has_budget:
            return partial(
                best_within,
                max_latency_us=self.max_latency_us,
                max_bytes=self.max_bytes,
                or_nearest=or_nearest,
            )
        return smallest_within_one_se if len(self.recipes) > 1 else _best

    def meets_budget(self, frame: pd.DataFrame) -> pd.Series:
        """Return which candidates meet the budget."""
        return within_budget(frame, self.max_latency_us, self.max_bytes)


def _best(frame: pd.DataFrame) -> str:
    """Return the candidate with the best score; of equal ones the first."""
    return str(frame["score"].idxmax())

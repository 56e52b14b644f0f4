"""Successive halving: sizes that fall behind on a part of the rows never see all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from stackens.distillation._candidates import Mix
from stackens.distillation._lesson import Lesson
from stackens.distillation._lessons import Lessons
from stackens.distillation._pareto import pareto_mask
from stackens.distillation._trial import measure_student
from stackens.distillation.students import Student

__all__ = ["promising"]

_FEW_RECIPES, _FEWEST_ROWS = 4, 2_000
_FIRST_SHARE = 1 / 4


def promising(
    recipes: Sequence[Student], lessons: Lessons, mix: Mix, random_state: int | None, verbose: int
) -> list[Student]:
    """Return the recipes that are worth all rows.

    Each rung doubles the rows and keeps the better half of the recipes, besides those on the
    front of score against latency and bytes: what is small must not lose to what is large. Rungs
    are judged by the rows that students stop by, which belong to the training part, so that the
    rows set aside are not looked at.

    Parameters
    ----------
    recipes : sequence of Student
    lessons : Lessons
        Of one training part.
    mix : Mix
        What all of them learn.
    random_state : int or None
    verbose : int

    References
    ----------
    Jamieson & Talwalkar (2016). Non-stochastic best arm identification and hyperparameter
    optimization. AISTATS, arXiv:1502.07943.
    """
    kept = list(recipes)
    rows, judging = lessons.lesson(replace(mix, extra=""), stops_early=True).parts()
    if judging is None:
        return kept
    random = np.random.default_rng(random_state)
    order = random.permutation(len(rows))
    share = max(_FIRST_SHARE, _FEWEST_ROWS / max(len(rows), 1))
    while len(kept) > _FEW_RECIPES and share < 0.9:
        part = rows.take(np.sort(order[: int(share * len(rows))]))
        kept = _rung(kept, part, judging, random_state, verbose)
        share *= 2
    return kept


def _rung(
    recipes: list[Student], part: Lesson, judging: Lesson, random_state: int | None, verbose: int
) -> list[Student]:
    scores, latencies, sizes = [], [], []
    for recipe in tqdm(recipes, desc=f"sizes on {len(part):,} rows", disable=not verbose):
        student = recipe.fit(part, random_state=random_state)
        scores.append(-judging.mean_loss(student.outputs(judging.X)))
        cost = measure_student(student, judging.X)
        latencies.append(cost.one_row_us)
        sizes.append(cost.n_bytes)
    score = np.array(scores)
    on_front = pareto_mask(score, np.array(latencies), np.array(sizes))
    better = score >= np.sort(score)[len(score) // 2]
    return [recipe for recipe, keep in zip(recipes, on_front | better, strict=True) if keep]

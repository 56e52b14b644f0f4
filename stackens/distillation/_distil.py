"""Distillation from beginning to end, as one function of rows, a teacher and settings."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from stackens._core._rows import take_rows
from stackens.distillation._candidates import MIXED, PLAIN_MIX, Candidate, Mix
from stackens.distillation._findings import DISTILLED, PLAIN, TEACHER, Findings
from stackens.distillation._halving import promising
from stackens.distillation._inputs import Inputs
from stackens.distillation._lessons import Lessons
from stackens.distillation._pareto import ParetoFront
from stackens.distillation._plan import Plan
from stackens.distillation._results import findings_of, front_of
from stackens.distillation._search import Search
from stackens.distillation._trial import (
    Measured,
    Trial,
    answers_of,
    measure_student,
    measure_teacher,
)
from stackens.distillation.students import FittedStudent, Student
from stackens.distillation.teachers import (
    FittedTeacher,
    Teacher,
    TeacherRows,
)
from stackens.evaluation import HeldOut
from stackens.exceptions import RareClassWarning
from stackens.out_of_fold import Split

__all__ = ["Distillation", "distil"]


@dataclass(frozen=True, eq=False)
class Distillation:
    """What came out.

    Parameters
    ----------
    student : FittedStudent
        Fitted on all rows.
    teacher : FittedTeacher
    findings : Findings
    pareto : ParetoFront or None
        None when no rows were set aside.
    """

    student: FittedStudent
    teacher: FittedTeacher
    findings: Findings
    pareto: ParetoFront | None


@dataclass(eq=False)
class _Clock:
    """Seconds by stage, which it announces."""

    verbose: int
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        if self.verbose:
            tqdm.write(words, file=sys.stderr)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def distil(inputs: Inputs, teacher: Teacher, plan: Plan) -> Distillation:
    """Distil a teacher into a student.

    Parameters
    ----------
    inputs : Inputs
    teacher : Teacher
    plan : Plan

    Raises
    ------
    ValueError
        If nothing meets the budget; the message says what would.
    """
    clock = _Clock(plan.verbose)
    if plan.outer is None:
        return _without_evaluation(inputs, teacher, plan, clock)
    splits = inputs.outer_splits(plan.outer, plan.random_state)
    known = None  # what a teacher says that is never fitted is known for all rows at once
    if not teacher.fits:
        with clock.stage("teacher", "The teacher labels all rows"):
            known = _learn(teacher, inputs, plan)
        splits = _where_known(splits, known.soft)
    trials, teachers = [], []
    for number, split in enumerate(splits):
        words = (
            f"Outer split {number + 1} of {len(splits)}: {len(split[0]):,} rows to learn from, "
            f"{len(split[1]):,} set aside"
        )
        with clock.stage("teacher", words), warnings.catch_warnings():
            if len(splits) > 1:  # a rare class is spoken of when all rows are fitted
                warnings.simplefilter("ignore", RareClassWarning)
            trial, fitted = _trial(inputs, split, teacher, known, plan)
        trials.append(trial)
        teachers.append(fitted)
    search = Search(
        trials,
        plan.scoring,
        inputs.student_task,
        inputs.groups,
        plan.random_state,
        plan.verbose,
    )
    with clock.stage("students", "Students learn"):
        kinds = _searched(search, plan)
        _take(search, kinds, plan)
    final, lessons = _final_lessons(inputs, teacher, known, splits, trials, teachers, plan, clock)
    cost = _teacher_cost(teachers[0], trials[0].X_test)
    settled = _settled(search, kinds, lessons, teachers[0], cost, plan, clock)
    findings, candidate, student = settled.findings, settled.candidate, settled.student
    n_extra = len(lessons.extra(candidate.mix.extra).soft) if candidate.mix.extra else 0
    asked = {id(fitted): fitted for fitted in [*teachers, final]}.values()
    findings = replace(
        findings,
        path=student.path,
        label_source=final.source,
        teacher_temperature=final.temperature_,
        n_extra_rows=n_extra,
        seconds=clock.seconds,
        teacher_calls=sum(fitted.n_calls for fitted in asked),
        teacher_rows=sum(fitted.rows_labelled for fitted in asked),
    )
    pareto = front_of(search, settled.frames, settled.best, findings, cost, plan)
    return Distillation(student, final, findings, pareto)


def _learn(teacher: Teacher, inputs: Inputs, plan: Plan) -> FittedTeacher:
    rows = TeacherRows(
        inputs.X,
        inputs.y,
        inputs.task,
        sample_weight=inputs.weight,
        groups=inputs.groups,
        seen=inputs.seen,
        targets=inputs.targets,
        n_outputs=inputs.hard.shape[1],
    )
    return teacher.learn(rows, replace(plan.teaching, cv=inputs.cv))


def _lessons(
    inputs: Inputs, soft: np.ndarray, teacher: FittedTeacher, plan: Plan, extras: Any = None
) -> Lessons:
    return Lessons(
        inputs,
        soft,
        teacher.outputs,
        plan.unlabeled,
        plan.loss,
        plan.temperature,
        plan.quantiles,
        plan.random_state,
        {} if extras is None else extras,
    )


def _trial(
    inputs: Inputs, split: Split, teacher: Teacher, known: FittedTeacher | None, plan: Plan
) -> tuple[Trial, FittedTeacher]:
    train, test = split
    part, X_test = inputs.part(train), take_rows(inputs.X, test)
    if known is None:
        fitted = _learn(teacher, part, plan)
        soft, said = fitted.soft, fitted.outputs(X_test)
    else:
        fitted, soft, said = known, known.soft[train], known.soft[test]
    lessons = _lessons(part, soft, fitted, plan)
    weights = None if inputs.weight is None else inputs.weight[test]
    answers = {TEACHER: answers_of(said, lessons)}
    held_out = HeldOut(test, inputs.truth[test], weights, answers, inputs.X)
    return Trial(lessons, X_test, held_out, plan.random_state), fitted


def _where_known(splits: list[Split], soft: np.ndarray) -> list[Split]:
    """Set only rows aside that the teacher labels."""
    labelled = np.isfinite(soft[:, 0])
    kept = [(train, test[labelled[test]]) for train, test in splits]
    if not all(len(test) > 1 for _, test in kept):
        raise ValueError(
            "The teacher must label at least two rows of each part that is set aside. Got "
            f"{int(labelled.sum())} labelled rows of {len(soft)}. Give more rows that the teacher "
            "has not seen, or set outer=None."
        )
    return kept


def _searched(search: Search, plan: Plan) -> dict[str, list[Candidate]]:
    """Try mixes on one size, sizes with the best mix, then mixes and settings of the size taken.

    The best mixes are tried once more with the best settings.
    Plain students are tried in the same sizes and settings.

    Returns
    -------
    dict of str to list of Candidate
        The distilled and the plain ones.
    """
    tried: dict[str, Candidate] = {}

    def run(candidates: Iterable[Candidate]) -> None:
        new = {candidate.name: candidate for candidate in candidates}
        search.run(new.values())
        tried.update(new)

    def by_score() -> list[Candidate]:
        scores = search.evaluate(list(tried)).scores.sort_values(ascending=False, kind="stable")
        return [tried[name] for name in scores.index]

    def best_mixes(n: int) -> list[Mix]:
        return list(dict.fromkeys(candidate.mix for candidate in by_score()))[:n]

    def run_mixes(recipe: Student) -> None:
        run(Candidate(recipe, mix) for mix in plan.mixes)
        mixed = [candidate.mix for candidate in by_score() if candidate.mix.extra == MIXED]
        run(Candidate(recipe, replace(mix, extra=plan.other_rows)) for mix in mixed[:1])

    taken = plan.recipes[len(plan.recipes) // 2]
    run_mixes(taken)
    if len(plan.recipes) > 1:
        (mix,) = best_mixes(1)
        lessons = search.trials[0].lessons
        recipes = promising(plan.recipes, lessons, mix, plan.random_state, plan.verbose)
        run(Candidate(recipe, mix) for recipe in recipes)
        taken = tried[plan.rule(search.frame(list(tried), search.evaluate(list(tried))))].recipe
        run_mixes(taken)
    if plan.tunes:
        mix, *others = best_mixes(3)
        settings = [taken, *taken.variants()]
        run(Candidate(recipe, mix) for recipe in settings)
        best = next(candidate.recipe for candidate in by_score() if candidate.recipe in settings)
        run(Candidate(best, mix) for mix in others)
    distilled = list(tried.values())
    plain = list({c.recipe.label: Candidate(c.recipe, PLAIN_MIX) for c in distilled}.values())
    search.run(plain)
    return {DISTILLED: distilled, PLAIN: plain}


def _take(search: Search, kinds: dict[str, list[Candidate]], plan: Plan) -> None:
    """Add the answers of whatever is taken of each kind."""
    for name, candidates in kinds.items():
        search.add_taken(name, [candidate.name for candidate in candidates], plan.rules[name])


def _teacher_cost(teacher: FittedTeacher, X: Any) -> Measured:
    """Measure a teacher, or find what was measured before where there is a cache."""

    def measured() -> tuple[float, ...]:
        model = teacher.model
        nothing = Measured(np.nan, np.nan, np.nan)
        return astuple(nothing if model is None else measure_teacher(model, X))

    return Measured(*teacher.kept("cost", 3, measured))


@dataclass(frozen=True, eq=False)
class _Settled:
    """Which student it is, and why."""

    frames: dict[str, pd.DataFrame]
    best: dict[str, Candidate]
    findings: Findings
    candidate: Candidate
    student: FittedStudent


def _settled(
    search: Search,
    kinds: dict[str, list[Candidate]],
    lessons: Lessons,
    teacher: FittedTeacher,
    teacher_cost: Measured,
    plan: Plan,
    clock: _Clock,
) -> _Settled:
    """Fit the student that is taken on all rows.

    There it may be larger than on a part of them. With a budget it is measured again, and what
    is taken is looked for anew, until that is a student which was measured so.
    """
    first, fitted = search.trials[0], dict[str, FittedStudent]()
    best: dict[str, Candidate] = {}
    while True:
        frames, before = {}, best
        for name, tried in kinds.items():
            names = [candidate.name for candidate in tried]
            frames[name] = search.frame(names, search.evaluate(names))
        best = {name: search.candidates[plan.rules[name](frame)] for name, frame in frames.items()}
        if before and best != before:
            _take(search, kinds, plan)
        findings = findings_of(search, frames, best, teacher, teacher_cost, plan)
        candidate = best[findings.chosen]
        if candidate.name not in fitted:
            with clock.stage("students", "The student learns from all rows"):
                fitted[candidate.name] = _fitted(candidate, lessons, plan)
            if plan.has_budget:
                student = fitted[candidate.name]
                first.measured[candidate.name] = measure_student(student, first.X_test)
                continue
        return _Settled(frames, best, findings, candidate, fitted[candidate.name])


def _final_lessons(
    inputs: Inputs,
    teacher: Teacher,
    known: FittedTeacher | None,
    splits: list[Split],
    trials: list[Trial],
    teachers: list[FittedTeacher],
    plan: Plan,
    clock: _Clock,
) -> tuple[FittedTeacher, Lessons]:
    """Return lessons of all rows and the teacher that labels what else there is.

    After one hold-out the rows set aside are labelled already, by a teacher that never saw them,
    and no further fit is needed. After several folds the teacher learns once more, from all rows.
    """
    if known is not None:
        extras = trials[0].lessons.extras if len(trials) == 1 else None
        return known, _lessons(inputs, known.soft, known, plan, extras)
    if len(trials) == 1:
        (train, test), fitted = splits[0], teachers[0]
        soft = np.full((len(inputs), inputs.hard.shape[1]), np.nan)
        soft[train] = fitted.soft
        soft[test] = trials[0].held_out.answers[TEACHER].values
        return fitted, _lessons(inputs, soft, fitted, plan, trials[0].lessons.extras)
    with clock.stage("teacher", f"The teacher learns from all {len(inputs):,} rows"):
        fitted = _learn(teacher, inputs, plan)
    return fitted, _lessons(inputs, fitted.soft, fitted, plan)


def _fitted(candidate: Candidate, lessons: Lessons, plan: Plan) -> FittedStudent:
    lesson = lessons.lesson(candidate.mix, stops_early=candidate.recipe.stops_early)
    return candidate.recipe.fit(lesson, random_state=plan.random_state)


def _without_evaluation(
    inputs: Inputs, teacher: Teacher, plan: Plan, clock: _Clock
) -> Distillation:
    """Distil by the first recipe and mix, with nothing set aside to judge by."""
    with clock.stage("teacher", f"The teacher learns from {len(inputs):,} rows"):
        fitted = _learn(teacher, inputs, plan)
    lessons = _lessons(inputs, fitted.soft, fitted, plan)
    candidate = Candidate(plan.recipes[0], plan.mixes[0])
    with clock.stage("students", "The student learns"):
        student = _fitted(candidate, lessons, plan)
    if plan.has_budget:
        cost = measure_student(student, inputs.X)
        only = {"score": 0.0, **asdict(cost), "bytes": cost.n_bytes}
        plan.rule(pd.DataFrame(only, [student.label]))  # it raises where nothing meets the budget
    findings = Findings(
        scoring=plan.scoring,
        task=inputs.task,
        scores=None,
        chosen=DISTILLED,
        guard=False,
        recipe=student.label,
        soft_weight=candidate.mix.soft_weight,
        temperature=plan.temperature,
        path=student.path,
        label_source=fitted.source,
        augmentation=candidate.mix.extra or None,
        n_extra_rows=len(lessons.extra(candidate.mix.extra).soft) if candidate.mix.extra else 0,
        teacher_temperature=fitted.temperature_,
        teacher_calls=fitted.n_calls,
        teacher_rows=fitted.rows_labelled,
        seconds=clock.seconds,
    )
    return Distillation(student, fitted, findings, None)

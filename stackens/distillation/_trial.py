"""One outer split: candidates learn from its training part and answer the rows set aside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.distillation._candidates import Candidate
from stackens.distillation._lessons import Lessons
from stackens.distillation.students import FittedStudent
from stackens.distillation.teachers._model import AskedModel, CombinedModels
from stackens.evaluation import Answers, HeldOut, cost_of, single_row_latency
from stackens.export import ExportedCost, exported_cost, exported_ensemble_cost

__all__ = ["Measured", "Trial", "measure_student", "measure_teacher"]

_LATENCY_ROWS = 200
_TEACHER_ROWS = 20


@dataclass(frozen=True)
class Measured:
    """What a student or a teacher takes.

    Parameters
    ----------
    one_row_us, one_row_p99_us : float
        Median and 99th percentile of the time for one row, in microseconds, over distinct rows,
        on one thread.
    n_bytes : float
    """

    one_row_us: float
    one_row_p99_us: float
    n_bytes: float


@dataclass(eq=False)
class Trial:
    """Rows set aside, with what the teacher and every candidate tried so far say of them.

    Parameters
    ----------
    lessons : Lessons
        Of the training part.
    X_test : rows set aside
    held_out : HeldOut
        Their truth; answers are added to it.
    random_state : int or None
    """

    lessons: Lessons
    X_test: Any
    held_out: HeldOut
    random_state: int | None
    measured: dict[str, Measured] = field(default_factory=dict)
    fit_seconds: dict[str, float] = field(default_factory=dict)

    def run(self, candidate: Candidate, *, measure: bool) -> None:
        """Let a candidate learn and answer, once."""
        if candidate.name in self.held_out.answers:
            return
        start = time.perf_counter()
        lesson = self.lessons.lesson(candidate.mix, stops_early=candidate.recipe.stops_early)
        student = candidate.recipe.fit(lesson, random_state=self.random_state)
        self.fit_seconds[candidate.name] = time.perf_counter() - start
        outputs = student.outputs(self.X_test)
        self.held_out.answers[candidate.name] = answers_of(outputs, self.lessons)
        if measure:
            self.measured[candidate.name] = measure_student(student, self.X_test)


def answers_of(outputs: np.ndarray, lessons: Lessons) -> Answers:
    """Return outputs as answers that can be scored."""
    kind = "predict_proba" if lessons.inputs.task.is_classification else "predict"
    return Answers(outputs, kind)


def measure_student(student: FittedStudent, X: Any) -> Measured:
    """Measure the exported student on distinct raw rows, one at a time, on one thread.

    One that cannot be exported is measured bare, on rows that are prepared already.
    """
    picked = take_rows(X, _spread(n_rows(X), _LATENCY_ROWS))
    exported = exported_cost(student, picked)
    if exported is not None:
        return Measured(exported.one_row_us, exported.one_row_p99_us, exported.n_bytes)
    ask, rows = student.bare(picked)
    with threadpool_limits(limits=1):
        median, high = single_row_latency(ask, rows)
    return Measured(median, high, float(student.n_bytes()))


def measure_teacher(model: Callable[[Any], Any], X: Any) -> Measured:
    """Measure a teacher in its exported form too, else through its whole way to predict.

    What calibrates its answers is left out of the export.
    """
    exported = _exported_teacher(getattr(model, "ask", None), X)
    if exported is not None:
        return Measured(exported.one_row_us, exported.one_row_p99_us, exported.n_bytes)
    rows = [take_rows(X, np.array([row])) for row in _spread(n_rows(X), _TEACHER_ROWS)]
    with threadpool_limits(limits=1):
        cost = cost_of(model, model, lambda index: take_rows(X, index), n_rows(X))
        if cost.one_row_us * len(rows) < 1e6:
            median, high = single_row_latency(model, rows, repeats=1)
        else:
            median = high = cost.one_row_us
    return Measured(median, high, cost.n_bytes)


def _exported_teacher(ask: Any, X: Any) -> ExportedCost | None:
    if isinstance(ask, AskedModel):
        return exported_cost(ask.model, X)
    if not isinstance(ask, CombinedModels):
        return None
    if ask.combiner is None and len(ask.fitted.names) == 1:
        return exported_cost(ask.fitted.models[ask.fitted.names[0]], X)
    if ask.combiner is None:
        return None
    return exported_ensemble_cost(ask.fitted, ask.combiner, X)


def _spread(n_samples: int, wanted: int) -> np.ndarray:
    return np.linspace(0, n_samples - 1, min(n_samples, wanted)).astype(int)

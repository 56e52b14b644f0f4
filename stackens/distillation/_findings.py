"""What distilling found, and how to say it: does it pay, what is kept, what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pandas as pd

from stackens._core._task import Task
from stackens.distillation._fidelity import is_clear, retention
from stackens.evaluation import Scoring, as_bytes, as_number, as_seconds, capitalised, decimals

__all__ = ["DISTILLED", "PLAIN", "TEACHER", "Findings", "details", "sentences", "table", "verdict"]

TEACHER: Final = "teacher"
PLAIN: Final = "plain student"
DISTILLED: Final = "distilled student"


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """The numbers of a distillation.

    Parameters
    ----------
    scoring : Scoring
    task : Task
    scores : DataFrame or None
        Index: ``"teacher"``, ``"plain student"``, ``"distilled student"``. Columns: ``score``
        (greater is better), ``score_se``, ``agreement``, ``kl`` (nats), ``ece``, ``one_row_us`` and
        ``one_row_p99_us`` (microseconds, median and 99th percentile), ``bytes`` and ``fit_s``
        (seconds); NaN where something is not known. None when no rows were set aside.
    n_held_out : int, default=0
        Rows that were set aside and scored.
    n_outer : int, default=0
        Outer splits.
    gap, gap_se : float, default=NaN
        Score of the teacher less that of the plain student, and its paired standard error.
    gain, gain_se : float, default=NaN
        Score of the distilled student less that of the plain one, and its standard error.
    chosen : {"distilled student", "plain student"}
        What the final student is.
    guard : bool
        Whether the plain student is to be taken where distilling does not pay.
    recipe : str
        Label of the student.
    soft_weight, temperature : float
        Of the lesson of the distilled student.
    path : str
        How the student learnt.
    label_source : str
        Where the soft targets come from, in words.
    augmentation : str or None, default=None
        Where extra rows come from, in words.
    n_extra_rows : int, default=0
    teacher_temperature : float or None, default=None
        That calibrated the teacher.
    teacher_calls, teacher_rows : int, default=0
        Calls of the teacher for labels, and rows it labelled in them.
    seconds : mapping of str to float, optional
        Time by stage.
    budget : str or None, default=None
        What the student had to meet, in words.
    notes : tuple of str, default=()
        What else is to be said.
    """

    scoring: Scoring
    task: Task
    scores: pd.DataFrame | None
    chosen: Literal["distilled student", "plain student"]
    guard: bool
    recipe: str
    soft_weight: float
    temperature: float
    path: str
    label_source: str
    n_held_out: int = 0
    n_outer: int = 0
    gap: float = math.nan
    gap_se: float = math.nan
    gain: float = math.nan
    gain_se: float = math.nan
    augmentation: str | None = None
    n_extra_rows: int = 0
    teacher_temperature: float | None = None
    teacher_calls: int = 0
    teacher_rows: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    budget: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def pays(self) -> bool:
        """Whether the teacher is better than a plain student by two standard errors."""
        return is_clear(self.gap, self.gap_se)

    @property
    def retention(self) -> float | None:
        """Share of the gap that the distilled student keeps; None where there is no gap."""
        return retention(self.gap, self.gap_se, self.gain)


def verdict(findings: Findings) -> str:
    """Return in a few words whether distilling pays."""
    if findings.scores is None:
        return "Not known whether distilling pays: no rows were set aside"
    if findings.retention is None:
        return "Distilling does not pay: the teacher has no clear lead over a plain student"
    if not is_clear(findings.gain, findings.gain_se):
        return "The teacher has a lead, but the student keeps nothing of it that is clear of noise"
    return (
        f"Distilling pays: the student keeps {_percent(findings.retention)} of the teacher's lead"
    )


def sentences(findings: Findings) -> list[str]:
    """Return whether it pays, what is kept, what the student costs and where labels come from."""
    calibrated = ""
    if findings.teacher_temperature is not None:
        calibrated = f", calibrated with a temperature of {findings.teacher_temperature:.3g}"
    labels = f"Soft targets: {findings.label_source}{calibrated}."
    if findings.scores is None:
        return [
            "No rows were set aside (outer=None), so it is not known whether distilling pays: a "
            "score on rows that were learnt from would flatter it.",
            labels,
        ]
    scores = findings.scores
    said = [_gap(findings, scores), _kept(findings, scores), _cost(findings, scores), labels]
    return [sentence for sentence in said if sentence]


def _gap(findings: Findings, scores: pd.DataFrame) -> str:
    """Return whether the teacher is better than a plain student, and distilling pays by that."""
    digits = _digits(findings, scores)
    words, rows = findings.scoring.words, f"{findings.n_held_out:,} rows set aside"
    teacher, plain = (_score(findings, scores, name, digits) for name in (TEACHER, PLAIN))
    if not (math.isfinite(findings.gap) and math.isfinite(findings.gap_se)):
        return f"Teacher and plain student could not be compared ({words} {teacher} and {plain})."
    difference = f"{as_number(findings.gap, digits)} ± {as_number(findings.gap_se, digits)}"
    if findings.pays:
        kept = is_clear(findings.gain, findings.gain_se)
        what = "Distilling pays" if kept else "The teacher has a lead"
        return (
            f"{what}: the teacher's {words} of {teacher} is better than the {plain} of a "
            f"plain student by {difference}, more than two standard errors ({rows})."
        )
    return (
        f"Distilling does not pay: there is no gap to keep, as the teacher ({words} {teacher}) is "
        f"not better than a plain student ({plain}) by two standard errors (difference "
        f"{difference}, {rows})."
    )


def _kept(findings: Findings, scores: pd.DataFrame) -> str:
    """Return what the distilled student keeps of the gap, and which student is given."""
    digits = _digits(findings, scores)
    own = _score(findings, scores, DISTILLED, digits)
    gain = f"{as_number(findings.gain, digits)} ± {as_number(findings.gain_se, digits)}"
    clear = is_clear(findings.gain, findings.gain_se)
    given = "" if findings.chosen == DISTILLED else "; the plain student is the one that is given"
    if not math.isfinite(findings.gain):
        return f"The distilled student has no score{given}."
    if findings.retention is None:
        if findings.chosen == PLAIN:
            return (
                "So the guard gives the plain student."
                if findings.guard
                else "The plain student is the one that is given."
            )
        known = "clear of noise" if clear else "which is within noise"
        return (
            f"The distilled student ({own}) is given all the same: its gain over the plain one is "
            f"{gain}, {known}."
        )
    noise = "" if clear else ", which is within noise"
    if findings.retention <= 0:
        return f"The distilled student ({own}) keeps nothing of that gap (gain {gain}){given}."
    share = _percent(findings.retention)
    return f"The distilled student ({own}) keeps {share} of that gap (gain {gain}{noise}){given}."


def _cost(findings: Findings, scores: pd.DataFrame) -> str:
    """Return what the final student takes in time and space, beside the teacher."""
    parts = []
    for column, factor, words, verb, unit in (
        ("one_row_us", 1e-6, as_seconds, "answers a single row in", "the time"),
        ("bytes", 1.0, as_bytes, "takes", "the size"),
    ):
        ours, theirs = scores[column].loc[[findings.chosen, TEACHER]].to_numpy(float)
        if math.isfinite(ours):
            beside = ""
            if ours > 0 and math.isfinite(theirs):
                times = theirs / ours
                ratio = f"{times:,.0f}" if times >= 10 else f"{times:.2g}"
                beside = f" (teacher {words(factor * theirs)}, {ratio} times {unit})"
            parts.append(f"{verb} {words(factor * ours)}{beside}")
    return f"It {' and '.join(parts)}." if parts else ""


def table(findings: Findings) -> pd.DataFrame:
    """Return the scores as text, with units; columns in which nothing is known are left out."""
    scores, sign = findings.scores, findings.scoring.sign
    if scores is None:
        return pd.DataFrame()
    digits = _digits(findings, scores)
    same = "same class as teacher" if findings.task.has_classes else "R² to teacher"
    share = _percent if findings.task.has_classes else "{:.3f}".format
    columns = {
        findings.scoring.words: ("score", lambda score: as_number(sign * score, digits)),
        "± se": ("score_se", lambda se: as_number(se, digits)),
        same: ("agreement", share),
        "KL to teacher": ("kl", "{:.2g}".format),
        "calibration error": ("ece", "{:.3f}".format),
        "single row": ("one_row_us", lambda us: as_seconds(1e-6 * us)),
        "99th percentile": ("one_row_p99_us", lambda us: as_seconds(1e-6 * us)),
        "size": ("bytes", as_bytes),
        "fit": ("fit_s", as_seconds),
    }
    return pd.DataFrame(
        {
            title: [words(value) if math.isfinite(value) else "-" for value in scores[column]]
            for title, (column, words) in columns.items()
            if scores[column].notna().any()
        },
        index=pd.Index(scores.index.tolist()),
    )


def details(findings: Findings) -> list[str]:
    """Return lines on how the scores, the student and its labels were made."""
    scoring, lines = findings.scoring, []
    if findings.scores is not None:
        better = "lower" if scoring.sign < 0 else "higher"
        how = "one hold-out" if findings.n_outer == 1 else f"{findings.n_outer} outer splits"
        note = f". {scoring.note}" if scoring.note else ""
        lines.append(
            f"{capitalised(scoring.words)} ({better} is better) on {findings.n_held_out:,} rows "
            f"set aside before any fit ({how}){note}"
        )
        lines.append(
            "Single row and size: of the exported file, or of the model as it is if there is none"
        )
    lines.append(f"Student: {findings.recipe} ({findings.chosen}), learnt by {findings.path}")
    n_extra = f" ({findings.n_extra_rows:,})" if findings.n_extra_rows else ""
    extra = f"{findings.augmentation}{n_extra}" if findings.augmentation else "none"
    lines.append(
        f"Distilled: soft weight {findings.soft_weight:g}, temperature {findings.temperature:g}, "
        f"extra rows: {extra}"
    )
    if findings.budget:
        lines.append(f"Budget: {findings.budget}")
    lines.append(f"Teacher: {findings.teacher_calls:,} calls, {findings.teacher_rows:,} rows")
    if findings.seconds:
        spent = (f"{stage} {as_seconds(s)}" for stage, s in findings.seconds.items())
        lines.append(f"Time: {', '.join(spent)}")
    return lines + [f"Note: {note}" for note in findings.notes]


def _digits(findings: Findings, scores: pd.DataFrame) -> int:
    """Return decimals that suit the paired errors, or else the scores."""
    errors = [se for se in (findings.gap_se, findings.gain_se) if math.isfinite(se) and se > 0]
    spread = min(errors, default=math.nan)
    return min(decimals(spread, float(scores["score"].abs().median())), 6)


def _score(findings: Findings, scores: pd.DataFrame, name: str, digits: int) -> str:
    return as_number(findings.scoring.sign * scores["score"].loc[name], digits)


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f}%"

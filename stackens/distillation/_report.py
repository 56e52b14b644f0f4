"""The report of a distillation: does it pay, what is kept, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from stackens.displays import ParetoDisplay
from stackens.distillation._fidelity import CLEAR_ERRORS
from stackens.distillation._findings import (
    DISTILLED,
    PLAIN,
    TEACHER,
    Findings,
    details,
    sentences,
    table,
    verdict,
)

__all__ = ["DistillationReport"]


@dataclass(frozen=True, eq=False, repr=False)
class DistillationReport:
    """What distilling found; ``report_`` of a distilled student.

    Parameters
    ----------
    findings : Findings
        The numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens._core._task import infer_task
    >>> from stackens.distillation._findings import Findings
    >>> from stackens.distillation._report import DistillationReport
    >>> from stackens.evaluation import resolve_scoring
    >>> task, _ = infer_task([0, 1])
    >>> scores = pd.DataFrame(
    ...     {
    ...         "score": [0.93, 0.90, 0.924],
    ...         "score_se": 0.01,
    ...         "agreement": [1.0, 0.95, 0.98],
    ...         "kl": [0.0, 0.02, 0.01],
    ...         "ece": 0.02,
    ...         "one_row_us": [4000.0, 9.0, 9.0],
    ...         "one_row_p99_us": [4400.0, 11.0, 11.0],
    ...         "bytes": [4e6, 5e4, 5e4],
    ...         "fit_s": 1.0,
    ...     },
    ...     index=["teacher", "plain student", "distilled student"],
    ... )
    >>> report = DistillationReport(
    ...     Findings(
    ...         scoring=resolve_scoring("roc_auc", task, {}),
    ...         task=task,
    ...         scores=scores,
    ...         chosen="distilled student",
    ...         guard=True,
    ...         recipe="lightgbm 100x31",
    ...         soft_weight=1.0,
    ...         temperature=1.0,
    ...         path="soft cross-entropy",
    ...         label_source="out-of-fold, 5 folds",
    ...         n_held_out=1000,
    ...         n_outer=1,
    ...         gap=0.03,
    ...         gap_se=0.005,
    ...         gain=0.024,
    ...         gain_se=0.004,
    ...     )
    ... )
    >>> report.pays
    True
    >>> round(report.retention, 2)
    0.8
    >>> print(report.summary().split(". ")[1])
    The distilled student (0.9240) keeps 80% of that gap (gain 0.0240 ± 0.0040)
    """

    findings: Findings

    @property
    def pays(self) -> bool:
        """Whether the teacher is better than a plain student by two paired standard errors."""
        return self.findings.pays

    @property
    def retention(self) -> float | None:
        """Share of the teacher's lead over a plain student that the distilled one keeps.

        ``(student - plain) / (teacher - plain)``; None where that lead does not exceed two
        paired standard errors, or was not measured.
        """
        return self.findings.retention

    def frame(self) -> pd.DataFrame | None:
        """Return the scores; None when no rows were set aside.

        Returns
        -------
        DataFrame or None
            Index: ``"teacher"``, ``"plain student"``, ``"distilled student"``. Columns: ``score``
            on rows set aside before any fit, greater is better, and its standard error
            ``score_se``; ``agreement``: share of rows with the same most probable class as the
            teacher, or R² to it; ``kl``: mean KL(teacher || student) in nats; ``ece``: calibration
            error; ``one_row_us`` and ``one_row_p99_us``: median and 99th percentile of the time
            for a single row, in microseconds; ``bytes``; ``fit_s``, in seconds.
        """
        return None if self.findings.scores is None else self.findings.scores.copy()

    def summary(self) -> str:
        """Return in a few sentences whether it pays, what is kept, and at what cost."""
        return " ".join(sentences(self.findings))

    def plot(self, ax: Any = None) -> ParetoDisplay:
        """Draw the scores of teacher, plain and distilled student against their latency.

        Bars are two standard errors of the difference to the plain student: distilling pays
        where the teacher's bar is clear of the plain student's line.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure, ``figure_`` of the result.

        Returns
        -------
        ParetoDisplay

        Raises
        ------
        ValueError
            If no rows were set aside, so that there are no scores.
        """
        findings = self.findings
        if findings.scores is None:
            raise ValueError(
                "report_.plot() draws scores of rows that were set aside. Got none, as outer=None. "
                "Fit again with outer='auto'."
            )
        frame = findings.scores[["score", "one_row_us"]].copy()
        frame["score"] *= findings.scoring.sign
        errors = {TEACHER: findings.gap_se, PLAIN: 0.0, DISTILLED: findings.gain_se}
        frame["error"] = CLEAR_ERRORS * pd.Series(errors)
        frame["kind"] = pd.Series({TEACHER: "teacher", PLAIN: "plain", DISTILLED: "distilled"})
        frame["family"] = findings.recipe.split()[0]
        frame["chosen"] = frame.index == findings.chosen
        display = ParetoDisplay(
            frame,
            costs=("one_row_us",),
            score_name=findings.scoring.words,
            error_name="two standard errors",
            lower_is_better=findings.scoring.sign < 0,
            title=f"{verdict(findings)}\n(bars: two errors of the difference to the plain student)",
            front=False,
        )
        return display.plot(ax)

    def __str__(self) -> str:
        scores = [] if self.findings.scores is None else [table(self.findings).to_string()]
        return "\n".join([*sentences(self.findings), *scores, *details(self.findings)])

    def __repr__(self) -> str:
        kept = "none" if self.retention is None else f"{self.retention:.2f}"
        return (
            f"<DistillationReport of {self.findings.recipe!r} by {self.findings.scoring.words}, "
            f"pays: {self.pays}, retention: {kept}, given: {self.findings.chosen}>"
        )

    def _repr_html_(self) -> str:
        scores = "" if self.findings.scores is None else table(self.findings).to_html(border=0)
        lines = "<br>".join(escape(line) for line in details(self.findings))
        return f"<p>{escape(self.summary())}</p>{scores}<p>{lines}</p>"

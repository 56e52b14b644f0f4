"""Lessons of every mix from one set of taught rows; extra rows are made and labelled once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stackens._core._rows import n_rows
from stackens.distillation._candidates import AND, Mix
from stackens.distillation._inputs import Inputs
from stackens.distillation._lesson import Lesson, Loss
from stackens.distillation.extra_rows import join_rows, keep_near, make_rows

__all__ = ["Lessons", "TaughtRows"]

# Bucila et al. (2006) gain up to some ten times the rows. Small tables, where they are cheap, get
# more of them.
_NEW_ROWS_PER_ROW, _MOST_OUTPUTS = 5, 200_000
_NEW_ROWS_PER_ROW_OF_FEW, _MOST_OUTPUTS_OF_FEW = 15, 20_000


@dataclass(frozen=True, eq=False)
class TaughtRows:
    """Extra rows with what the teacher says of them."""

    X: Any
    soft: np.ndarray


@dataclass(eq=False)
class Lessons:
    """Makes lessons from rows whose honest soft targets are known.

    Parameters
    ----------
    inputs : Inputs
    soft : ndarray of shape (n_samples, n_outputs)
        What the teacher says of these rows, NaN where nothing.
    label : callable
        ``label(X)`` is what the teacher says of rows that it has not seen.
    unlabeled : rows or None
        Rows of the user without a target.
    loss, temperature, quantiles
        As of :class:`Lesson`.
    random_state : int or None
    extras : dict of str -> TaughtRows
        Extra rows of each kind, filled when they are first needed.
    """

    inputs: Inputs
    soft: np.ndarray
    label: Callable[[Any], np.ndarray]
    unlabeled: Any
    loss: Loss
    temperature: float
    quantiles: tuple[float, ...]
    random_state: int | None
    extras: dict[str, TaughtRows] = field(default_factory=dict)
    _stopping: Any = field(default=False, init=False, repr=False)

    def lesson(self, mix: Mix, *, stops_early: bool) -> Lesson:
        """Return the lesson of a mix.

        Parameters
        ----------
        mix : Mix
        stops_early : bool
            Whether the student wants rows to stop by; they are never extra rows.
        """
        inputs = self.inputs
        lesson = Lesson(
            inputs.X,
            self.soft,
            inputs.hard,
            inputs.student_task,
            inputs.row_weights,
            soft_weight=mix.soft_weight,
            temperature=self.temperature,
            loss=self.loss,
            quantiles=self.quantiles,
            stopping=self._stopping_rows() if stops_early else None,
        )
        return _with_extra(lesson, self.extra(mix.extra)) if mix.extra else lesson

    def extra(self, kind: str) -> TaughtRows:
        """Return the extra rows of a kind, labelled by the teacher."""
        if AND in kind:
            parts = [self.extra(part) for part in kind.split(AND)]
            return TaughtRows(
                join_rows([part.X for part in parts]), np.concatenate([p.soft for p in parts])
            )
        if kind not in self.extras:
            X = self.unlabeled if kind == "unlabeled" else self._made(kind)
            # a table of few levels may have no other rows than the real ones
            soft = self.label(X) if n_rows(X) else np.empty((0, self.soft.shape[1]))
            self.extras[kind] = TaughtRows(X, soft)
        return self.extras[kind]

    def _made(self, kind: str) -> Any:
        X = self.inputs.X
        n = n_rows(X)
        # rows times classes, since the time to learn them grows with both
        most, most_of_few = (k // self.soft.shape[1] for k in (_MOST_OUTPUTS, _MOST_OUTPUTS_OF_FEW))
        of_few = min(_NEW_ROWS_PER_ROW_OF_FEW * n, most_of_few)
        n_new = max(1, min(max(_NEW_ROWS_PER_ROW * n, of_few), most))
        made = make_rows(kind, X, n_new, random_state=self.random_state)
        # The others change a real row towards another real one, and hardly leave the data.
        return keep_near(made, X, random_state=self.random_state) if kind == "spunge" else made

    def _stopping_rows(self) -> np.ndarray | None:
        if self._stopping is False:
            self._stopping = self.inputs.stopping_rows(self.random_state)
        return self._stopping


def _with_extra(lesson: Lesson, extra: TaughtRows) -> Lesson:
    """Add rows that only the teacher speaks of; each weighs what a real row does on average."""
    n_extra, stopping = len(extra.soft), lesson.stopping
    unknown = np.full((n_extra, lesson.n_outputs), np.nan)
    return replace(
        lesson,
        X=join_rows([lesson.X, extra.X]),
        soft=np.concatenate([lesson.soft, extra.soft]),
        hard=np.concatenate([lesson.hard, unknown]),
        weight=np.concatenate([lesson.weight, np.full(n_extra, lesson.weight.mean())]),
        stopping=None if stopping is None else np.append(stopping, np.zeros(n_extra, dtype=bool)),
    )

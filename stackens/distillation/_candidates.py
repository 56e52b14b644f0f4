"""Candidates: a student's recipe together with what its lesson is mixed of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackens.distillation.students import Student

__all__ = ["AND", "MIXED", "PLAIN_MIX", "Candidate", "Mix", "mixes"]

AND = " and "  # between kinds of extra rows
MIXED = "mixup"  # the kind that is made unless another one is asked for

_SOFT_WEIGHTS = (1.0, 0.9, 0.5)
# With extra rows, 0 is the truth for the real rows and the teacher for the others: best where the
# truth is nearly free of noise, so that out-of-fold labels know less than it does.
_SOFT_WEIGHTS_WITH_EXTRA = (1.0, 0.5, 0.0)
# Where nothing is set aside to choose by. On ten tables a search without extra rows took 0.5 for 7
# of 16 students and less or 0.9 for the others, but never the teacher alone; with mixed rows 0 is
# best or nearly so on eight of nine tables.
_UNTRIED, _UNTRIED_WITH_MADE = 0.5, 0.0
# Up to so many rows the neighbours of a row still tell something that the rows do not.
_ROWS_FOR_SYNTHETIC = 10_000


@dataclass(frozen=True)
class Mix:
    """What a lesson is mixed of.

    Parameters
    ----------
    soft_weight : float
        Share of the teacher in the loss of rows whose target is known; 0 without extra rows is a
        plain lesson.
    extra : str, default=""
        Extra rows that the teacher labels: ``"unlabeled"`` for those of the user, a way to make
        rows such as ``"mixup"``, both with "and" between them, or none.
    """

    soft_weight: float
    extra: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the teacher has no part in it."""
        return self.soft_weight == 0 and not self.extra

    @property
    def words(self) -> str:
        """The mix as it stands in a report."""
        if self.is_plain:
            return "plain"
        return f"soft weight {self.soft_weight:g}" + (f", {self.extra} rows" if self.extra else "")


PLAIN_MIX = Mix(0.0)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A recipe and a mix, under one name."""

    recipe: Student
    mix: Mix

    @property
    def name(self) -> str:
        """A name that no other candidate has."""
        return f"{self.recipe.label} | {self.mix.words}"


def mixes(
    soft_weight: Any,
    augmentation: Any,
    *,
    searching: bool,
    unlabeled: bool,
    can_make: bool,
    n_samples: int,
) -> list[Mix]:
    """Return the mixes to try, the one without extra rows and with the teacher alone first.

    Parameters
    ----------
    soft_weight : "auto" or float
    augmentation : "auto", None or str
    searching : bool
        Whether there are rows to choose by; a single mix otherwise.
    unlabeled : bool
        Whether the user has rows without labels: they come before any that could be made.
    can_make : bool
        Whether rows have columns, so that new ones can be made of them, and a teacher to label
        these.
    n_samples : int
        Rows that the teacher learns from.
    """
    if augmentation == "auto":
        makes = can_make and n_samples <= _ROWS_FOR_SYNTHETIC
        extra = "unlabeled" if unlabeled else MIXED if makes else ""
        extras = ["", extra] if searching and extra else [extra]
    elif augmentation is None:
        extras = ["unlabeled" if unlabeled else ""]
    else:
        extras = [f"unlabeled{AND}{augmentation}" if unlabeled else augmentation]
    return [
        Mix(weight, extra) for extra in extras for weight in _weights(soft_weight, extra, searching)
    ]


def _weights(soft_weight: Any, extra: str, searching: bool) -> tuple[float, ...]:
    if soft_weight != "auto":
        return (float(soft_weight),)
    if searching:
        return _SOFT_WEIGHTS_WITH_EXTRA if extra else _SOFT_WEIGHTS
    return (_UNTRIED if extra in ("", "unlabeled") else _UNTRIED_WITH_MADE,)

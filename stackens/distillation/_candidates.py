"""Candidates: a student's recipe together with what its lesson is mixed of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackens.distillation.students import Student

__all__ = ["AND", "PLAIN_MIX", "Candidate", "Mix", "mixes"]

AND = " and "  # between kinds of extra rows

_SOFT_WEIGHTS = (1.0, 0.9, 0.5)
# With extra rows, 0 is the truth for the real rows and the teacher for the others: best where the
# truth is nearly free of noise, so that out-of-fold labels know less than it does.
_SOFT_WEIGHTS_WITH_EXTRA = (1.0, 0.5, 0.0)
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
        rows such as ``"munge"``, both with "and" between them, or none.
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
    unlabeled: bool,
    tabular: bool,
    classification: bool,
    n_samples: int,
) -> list[Mix]:
    """Return the mixes to try, the one without extra rows and with the teacher alone first.

    Parameters
    ----------
    soft_weight : "auto" or float
    augmentation : "auto", None or str
    unlabeled : bool
        Whether the user has rows without labels: they come before any that could be made.
    tabular : bool
        Whether rows have columns, so that new ones can be made of them.
    classification : bool
        Students of classes gain most from munge, those of values from resampled cells (measured
        on seven tables of 600 to 800 rows, with LightGBM, one tree and a network).
    n_samples : int
        Rows that the teacher learns from.
    """
    if augmentation == "auto":
        extras = ["", "unlabeled"] if unlabeled else [""]
        if not unlabeled and tabular and n_samples <= _ROWS_FOR_SYNTHETIC:
            extras.append("munge" if classification else "resample")
    elif augmentation is None:
        extras = ["unlabeled" if unlabeled else ""]
    else:
        extras = [f"unlabeled{AND}{augmentation}" if unlabeled else augmentation]
    return [Mix(weight, extra) for extra in extras for weight in _weights(soft_weight, extra)]


def _weights(soft_weight: Any, extra: str) -> tuple[float, ...]:
    if soft_weight != "auto":
        return (float(soft_weight),)
    return _SOFT_WEIGHTS_WITH_EXTRA if extra else _SOFT_WEIGHTS

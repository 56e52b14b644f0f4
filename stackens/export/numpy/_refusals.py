"""Tells which row a model refuses, and why, with the standard library alone.

The text of this file is put into exported files whose model refuses rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["RefusedRow", "refusal"]

_LARGEST_SINGLE = 3.4028234663852886e38


class RefusedRow(ValueError):
    """A row that the model refuses; its argument is the numbers that ought to be finite."""


def refusal(
    where: str,
    values: Sequence[Any],
    checked: Sequence[float],
    columns: Sequence[tuple[str, str]],
    behind: Sequence[Sequence[int]],
) -> ValueError:
    """Say which row is refused, and what in it.

    Parameters
    ----------
    where : str
        How the row is called.
    values : sequence of float, str or None
        The row.
    checked : sequence of float
        Numbers of which at least one is not finite.
    columns : sequence of (name, kind)
    behind : sequence of sequences of int
        The columns that each checked number is made from.
    """
    suspects = sorted(
        {j for number, js in zip(checked, behind) if number - number != 0 for j in js}  # noqa: B905
    )
    strange = [
        j
        for j in suspects
        if values[j] is None
        or (isinstance(values[j], float) and not abs(values[j]) <= _LARGEST_SINGLE)
    ]
    found = [f"{columns[j][0]}={values[j]!r}" for j in strange or suspects]
    shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return ValueError(
        f"{where} must be one that the model takes. Got {shown}, which the model that this was "
        "made from refuses: a missing, infinite, too large or unknown value. Replace it, or leave "
        "the row out."
    )

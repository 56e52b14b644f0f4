"""Paths in training order: a warning where they were sorted as text, so that 1000 precedes 900."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

from stackens.exceptions import StackensWarning
from stackens.schedules import Newest

__all__ = ["warn_if_sorted_as_text"]


def warn_if_sorted_as_text(
    checkpoints: Sequence[Any], *, newest: Newest = "last", stacklevel: int = 2
) -> None:
    """Warn if paths that differ in their numbers are in the order of text, not of numbers.

    Warns
    -----
    StackensWarning
    """
    if not all(isinstance(path, str | os.PathLike) for path in checkpoints):
        return
    names = [os.fspath(path) for path in checkpoints]
    if newest == "first":
        names.reverse()
    parts = [re.split(r"(\d+(?:\.\d+)?)", name) for name in names]
    if len({(*texts[::2],) for texts in parts}) > 1 or names != sorted(names):
        return  # names of several patterns, or in an order that somebody has chosen
    numbers = [[float(number) for number in part[1::2]] for part in parts]
    for i in range(1, len(names)):
        if numbers[i] < numbers[i - 1]:
            before, after = (os.path.basename(names[j]) for j in (i - 1, i))
            warnings.warn(
                f"Checkpoints must stand in training order. Got {before!r} before {after!r}, as "
                "sorted() orders text. Sort them by their numbers, such as with "
                "key=lambda path: int(re.findall(r'\\d+', path.name)[-1]).",
                StackensWarning,
                stacklevel=stacklevel + 1,
            )
            return

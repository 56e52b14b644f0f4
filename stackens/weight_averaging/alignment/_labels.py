"""Signs and scales as unknowns: linear forms, the equations between them, and their solution."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Form", "Labels", "free_forms", "plus"]

Form = dict[int, int]  # unknown -> how often it is a factor of what stands on a unit


def plus(one: Form, other: Form, times: int = 1) -> Form:
    """Return one form plus a multiple of another one: factors multiply, exponents add."""
    if not other:
        return one
    total = dict(one)
    for unknown, count in other.items():
        total[unknown] = total.get(unknown, 0) + times * count
    return {unknown: count for unknown, count in total.items() if count}


class Labels:
    """Unknown factors on units, and what operators ask of them.

    An unknown is a sign and a positive scale for each unit. What an operator asks is that a product
    of powers of unknowns is one: a linear equation of the exponents, over the integers for scales
    and modulo 2 for signs.

    Attributes
    ----------
    homes : list
        For each unknown what it stands on.
    equations : list of (Form, bool, bool)
        Forms that are zero, for signs and for scales.
    """

    def __init__(self) -> None:
        self.homes: list[Any] = []
        self.equations: list[tuple[Form, bool, bool]] = []

    def unknown(self, home: Any) -> Form:
        """Return a new unknown."""
        self.homes.append(home)
        return {len(self.homes) - 1: 1}

    def is_zero(self, form: Form, sign: bool = True, scale: bool = True) -> None:
        """Ask that a form is zero."""
        if form:
            self.equations.append((form, sign, scale))


def free_forms(equations: list[Form], n_unknowns: int, modulus: int = 0) -> list[Form]:
    """Return each unknown as a form of those that stay free.

    Of the unknowns in an equation the newest one is expressed by the others, so that the oldest
    stay free.

    Parameters
    ----------
    equations : list of Form
        Forms that are zero.
    n_unknowns : int
    modulus : int, default=0
        2 for signs.
    """
    solved: dict[int, Form] = {}

    def reduced(form: Form) -> Form:
        total: Form = {}
        for unknown, count in form.items():
            if unknown in solved:
                solved[unknown] = reduced(solved[unknown])
                total = plus(total, solved[unknown], count)
            else:
                total = plus(total, {unknown: count})
        return {u: c % modulus if modulus else c for u, c in total.items() if not modulus or c % 2}

    for equation in equations:
        form = reduced(equation)
        common = math.gcd(*form.values())
        units = [unknown for unknown, count in form.items() if abs(count) == common]
        if form and not units:  # such as 2 a = 3 b: rarely met, and zero is always a solution
            solved.update({unknown: {} for unknown in form})
        elif form:
            pivot = max(units)
            side = -1 if form[pivot] > 0 else 1
            solved[pivot] = {u: side * c // common for u, c in form.items() if u != pivot}
    return [reduced({unknown: 1}) for unknown in range(n_unknowns)]

"""What an axis of a tensor is made of: runs of indices, each a product of units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from stackens.weight_averaging.alignment._labels import Form

__all__ = [
    "Axis",
    "Choice",
    "Factor",
    "Run",
    "Value",
    "Variable",
    "bounds_of",
    "factors_of",
    "find",
    "leaves",
    "length",
    "product_of",
    "strides_of",
    "unlabelled",
]


@dataclass(eq=False)
class Variable:
    """Units that may trade places, until something pins them. Variables that must agree are joined.

    Parameters
    ----------
    size : int
    parent : Variable or None
        The variable that it was joined to.
    power : {1, -1}
        A matrix along the units is that of the parent, or the transpose of its inverse.
    pinned, rigid, orthogonal : bool
        Units stay where they are; no matrix may mix them; only an orthogonal one.
    blocks : int
        Blocks of neighbours that must stay together.
    leads : bool
        Heads: they move rather than what is inside them.
    stacked : bool
        Single indices are selected: what lies there is on its own.
    hint : str
        Name, where that of the first parameter is not the best.
    pieces : tuple of Variable
        Those that took its place.
    side_by_side : bool
        The pieces are consecutive runs, in place of factors.
    """

    size: int
    parent: Variable | None = None
    power: int = 1
    pinned: bool = False
    rigid: bool = False
    orthogonal: bool = False
    blocks: int = 1
    leads: bool = False
    stacked: bool = False
    hint: str = ""
    pieces: tuple[Variable, ...] = ()
    side_by_side: bool = False


@dataclass(frozen=True, eq=False)
class Choice:
    """A pinned axis, whose index chooses what stands on other axes."""

    size: int


class Factor(NamedTuple):
    """One factor of an axis: its units, and how signs, scales and matrices act along it."""

    variable: Variable
    form: Form
    power: int = 1
    choice: Choice | None = None  # the factor is this choice, or depends on it:
    options: tuple[Factor, ...] = ()

    @property
    def size(self) -> int:
        return self.variable.size


Run = tuple[Factor, ...]  # a product, slowest factor first, without factors of size 1
Axis = tuple[Run, ...]  # consecutive runs


@dataclass(frozen=True)
class Value:
    """What is known of a tensor: its axes, whether all of it is zero, its name if it has one."""

    axes: tuple[Axis, ...]
    zero: bool = False
    name: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(length(axis) for axis in self.axes)


def length(axis: Axis) -> int:
    """Return the number of indices of an axis."""
    return sum(product_of(run) for run in axis)


def find(variable: Variable) -> tuple[Variable, int]:
    """Return the variable that stands for all that were joined, and the power to it."""
    root, power = variable, 1
    while root.parent is not None:
        power *= root.power
        root = root.parent
    left = power
    while variable.parent is not None:  # the next time the way is short
        following, step = variable.parent, variable.power
        variable.parent, variable.power = root, left
        variable, left = following, left * step
    return root, power


def product_of(run: Run) -> int:
    """Return the number of indices of a run."""
    return math.prod(factor.size for factor in run)


def strides_of(run: Run) -> set[int]:
    """Inner lengths at which one factor ends and the next one starts."""
    strides, inner = set(), 1
    for factor in reversed(run):
        inner *= factor.size
        strides.add(inner)
    return strides


def factors_of(axis: Axis) -> list[Factor]:
    """Return all factors of all runs."""
    return [factor for run in axis for factor in run]


def leaves(factor: Factor) -> list[Factor]:
    """Return what a factor is for each choice; for one that depends on none the factor itself."""
    return [leaf for option in factor.options for leaf in leaves(option)] or [factor]


def bounds_of(axis: Axis) -> set[int]:
    """Return where runs end."""
    bounds, end = set(), 0
    for run in axis:
        end += product_of(run)
        bounds.add(end)
    return bounds


def unlabelled(axis: Axis) -> Axis:
    """Return an axis on which no signs and scales stand."""
    return tuple(tuple(Factor(f.variable, {}, f.power) for f in run) for run in axis)

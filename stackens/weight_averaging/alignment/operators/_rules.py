"""The table of rules: operator name -> what it does with the units of its operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Value

__all__ = ["Call", "Result", "Rule", "rule", "rule_of", "values_in"]

Result = Value | tuple[Value, ...] | None  # None: the operator is unknown after all


@dataclass(frozen=True)
class Call:
    """One call of an operator.

    Parameters
    ----------
    name : str
        Of the operator, as in ``torch.ops.aten``; without the underscore of one that works in
        place.
    arguments : dict of str to object
        By the names in the operator's schema, defaults filled in; tensors are :class:`Value`.
    shapes : tuple of tuple of int
        Of the tensors that it returns.
    floating : bool, default=True
        The first of them holds floating point numbers.
    """

    name: str
    arguments: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    floating: bool = True

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument that only some forms of the operator have."""
        return self.arguments.get(name, default)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first tensor that is returned."""
        return self.shapes[0]


@dataclass(frozen=True)
class Rule:
    """What an operator does.

    Parameters
    ----------
    function : callable ``(axes, call) -> Value, tuple of Value, or None``
    moves_only : bool
        The operator moves numbers and computes none: zero stays zero, and what it returns may share
        memory with its first operand.
    takes_choices : bool
        The rule understands axes that depend on a choice; so do all that only move.
    """

    function: Callable[[Axes, Call], Result]
    moves_only: bool
    takes_choices: bool


_RULES: dict[str, Rule] = {}


def rule(
    *names: str, moves_only: bool = False, takes_choices: bool = False
) -> Callable[[Any], Any]:
    """Enter a function as the rule of operators."""

    def entered(function: Callable[[Axes, Call], Result]) -> Callable[[Axes, Call], Result]:
        entry = Rule(function, moves_only, takes_choices or moves_only)
        _RULES.update(dict.fromkeys(names, entry))
        return function

    return entered


def rule_of(name: str) -> Rule | None:
    """Return the rule of an operator; None if there is none."""
    return _RULES.get(name)


def values_in(argument: Any) -> list[Value]:
    """Return the tensors in an argument, also those in lists."""
    if isinstance(argument, Value):
        return [argument]
    if isinstance(argument, (list, tuple)):
        return [value for item in argument for value in values_in(item)]
    if isinstance(argument, dict):
        return values_in(list(argument.values()))
    return []


def replaced(value: Value, position: int, *axes: Axis) -> Value:
    """Return a tensor with other axes in place of one."""
    position %= len(value.axes)
    return Value((*value.axes[:position], *axes, *value.axes[position + 1 :]), value.zero)


def positions(dims: int | Sequence[int] | None, n_axes: int) -> list[int]:
    """Return axes as non-negative positions; all of them for None or an empty list."""
    if dims is None or (not isinstance(dims, int) and len(dims) == 0):
        return list(range(n_axes))
    return [dim % n_axes for dim in ([dims] if isinstance(dims, int) else dims)]

"""Operators that only give another shape: views, transpositions, broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import (
    Axis,
    Choice,
    Factor,
    Value,
    Variable,
    factors_of,
    length,
)
from stackens.weight_averaging.alignment.operators._rules import (
    Call,
    Result,
    positions,
    replaced,
    rule,
)


def viewed(axes: Axes, value: Value, shape: Sequence[int]) -> Value:
    """Return a tensor in another shape; what does not divide evenly is pinned."""
    result: list[Axis] = []
    left, wanted = list(value.axes), list(shape)
    while wanted:
        taken, sizes = ([left.pop(0)] if left else []), [wanted.pop(0)]
        have, need = math.prod(map(length, taken)), sizes[0]
        while have != need:
            if have < need:
                taken.append(left.pop(0))
                have *= length(taken[-1])
            else:
                sizes.append(wanted.pop(0))
                need *= sizes[-1]
        if len(taken) == 1 and (chosen := factors_of(taken[0])) and _is_choice(chosen):
            parts, divided = _choices(chosen[0], sizes)
            left = [divided(axis) for axis in left]
            result = [divided(axis) for axis in result] + parts
            continue
        result += _regrouped(axes, taken, sizes)
    return Value(tuple(result), value.zero)


def _is_choice(factors: Sequence[Factor]) -> bool:
    return len(factors) == 1 and factors[0].choice is not None and not factors[0].options


def _choices(factor: Factor, sizes: Sequence[int]) -> tuple[list[Axis], Callable[[Axis], Axis]]:
    """Return several choices in place of one, as of layer and direction in place of a cell.

    The second is a function that says so of an axis that depends on the choice.
    """
    choices = [Choice(size) for size in sizes]

    def nested(options: tuple[Factor, ...], depth: int) -> Factor:
        if len(options) == 1:
            return options[0]
        if sizes[depth] == 1:
            return nested(options, depth + 1)
        inner = len(options) // sizes[depth]
        parts = [options[k : k + inner] for k in range(0, len(options), inner)]
        found = tuple(nested(part, depth + 1) for part in parts)
        return Factor(found[0].variable, {}, 1, choices[depth], found)

    def divided(axis: Axis) -> Axis:
        return tuple(
            tuple(
                nested(f.options, 0) if f.choice is factor.choice and f.options else f for f in run
            )
            for run in axis
        )

    axes: list[Axis] = [
        ((Factor(Variable(size, pinned=True), {}, 1, choice),) if size > 1 else (),)
        for size, choice in zip(sizes, choices, strict=True)
    ]
    return axes, divided


def _regrouped(axes: Axes, taken: list[Axis], sizes: list[int]) -> list[Axis]:
    if len(sizes) == 1 and len(taken) == 1:
        return taken
    parts = axes.quotient(axes.product(taken), sizes)
    if parts is not None:
        return parts
    plain = axes.resolved(Value(tuple(taken)))
    parts = axes.quotient(axes.product(plain.axes), sizes)
    if parts is not None:
        return parts
    for axis in plain.axes:
        axes.hold(axis)
    return [axes.pinned(size) for size in sizes]


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", moves_only=True)
@rule("reshape_as", "squeeze", "unsqueeze", moves_only=True)
def _view(axes: Axes, call: Call) -> Result:
    if "dtype" in call.arguments:
        return None
    return viewed(axes, call["self"], call.shape)


@rule("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", moves_only=True)
def _transpose(axes: Axes, call: Call) -> Result:
    value = call["self"]
    n_axes = len(value.axes)
    if call.name == "numpy_T":
        return Value(value.axes[::-1], value.zero)
    if n_axes < 2:
        return value
    first = call.get("dim0", call.get("axis0", n_axes - 2)) % n_axes
    second = call.get("dim1", call.get("axis1", n_axes - 1)) % n_axes
    order = list(range(n_axes))
    order[first], order[second] = second, first
    return Value(tuple(value.axes[k] for k in order), value.zero)


@rule("permute", "movedim", "moveaxis", moves_only=True)
def _permute(axes: Axes, call: Call) -> Result:
    value = call["self"]
    n_axes = len(value.axes)
    if call.name == "permute":
        order = positions(call["dims"], n_axes)
    else:
        source = positions(call["source"], n_axes)
        target = positions(call["destination"], n_axes)
        order = [k for k in range(n_axes) if k not in source]
        for place, k in sorted(zip(target, source, strict=True)):
            order.insert(place, k)
    return Value(tuple(value.axes[k] for k in order), value.zero)


@rule("expand", "expand_as", "broadcast_to")
def _expand(axes: Axes, call: Call) -> Result:
    """Along a new axis all entries are the same: their order does not matter."""
    value = call["self"]
    axes_before = [((),)] * (len(call.shape) - len(value.axes)) + list(value.axes)
    pairs = zip(axes_before, call.shape, strict=True)
    return Value(
        tuple(axis if length(axis) == size else axes.free(size) for axis, size in pairs), value.zero
    )


@rule("repeat", "tile")
def _repeat(axes: Axes, call: Call) -> Result:
    value = call["self"]
    before = [((),)] * (len(call.shape) - len(value.axes)) + list(value.axes)
    result = []
    for axis, size in zip(before, call.shape, strict=True):
        times = size // length(axis)
        result.append(axes.free(size) if length(axis) == 1 and times > 1 else axis * times)
    return Value(tuple(result), value.zero)


@rule("repeat_interleave")
def _repeat_each(axes: Axes, call: Call) -> Result:
    value, times = call["self"], call["repeats"]
    if not isinstance(times, int) or call["dim"] is None:
        return None
    dim = call["dim"] % len(value.axes)
    return replaced(value, dim, axes.product([value.axes[dim], axes.free(times)]))

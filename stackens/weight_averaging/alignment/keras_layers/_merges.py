"""Layers that bring several values together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
)

__all__ = ["added", "concatenated", "greatest", "multiplied"]


def added(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """What is added must change in the same way: a residual stream has one set of units."""
    wide, constant = _by_width(net, inputs)
    if not wide:
        return [Signal(shapes[0])]
    if constant:
        net.wiring.hold_signs(wide[0].parts)
        net.wiring.hold_scales(wide[0].parts)
    for signal in wide[1:]:
        net.wiring.tie(wide[0].parts, signal.parts)
    return [Signal(shapes[0], wide[0].axis, wide[0].parts)]


def greatest(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """The greatest or smallest of several values: as their sum, but it is not odd."""
    found = added(net, layer, inputs, shapes)
    net.wiring.hold_signs(found[0].parts)
    return found


def multiplied(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Units must fit; signs and scales are multiplied, too."""
    wide, _ = _by_width(net, inputs)
    if not wide:
        return [Signal(shapes[0])]
    product = wide[0].parts
    for signal in wide[1:]:
        net.wiring.tie(bare(product), bare(signal.parts))
        product = tuple(
            replace(one, signs=one.signs + other.signs, scales=one.scales + other.scales)
            for one, other in zip(product, signal.parts, strict=True)
        )
    return [Signal(shapes[0], wide[0].axis, product)]


def concatenated(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Along the units' axis one after the other; along another one they must be the same."""
    free = [signal for signal in inputs if signal.parts]
    along = layer.axis % len(shapes[0])
    axes = {signal.axis for signal in free}
    if axes == {along} and all(signal.shape[along] for signal in inputs):
        parts = (signal.parts or (Part(signal.shape[along] or 0),) for signal in inputs)
        return [Signal(shapes[0], along, tuple(part for one in parts for part in one))]
    if len(axes) != 1 or len(free) < len(inputs):
        net.hold(*inputs)
        return [Signal(shapes[0])]
    for signal in inputs[1:]:
        net.wiring.tie(inputs[0].parts, signal.parts)
    return [Signal(shapes[0], inputs[0].axis, inputs[0].parts)]


def _by_width(net: Network, inputs: list[Signal]) -> tuple[list[Signal], bool]:
    """Return the values that have units at one axis, and whether others meet all units alike.

    Whatever cannot be brought together is held, and then there are no values.
    """
    free = [signal for signal in inputs if signal.parts and signal.shape[signal.axis] != 1]
    others = [signal for signal in inputs if signal not in free]
    net.hold(*others)
    if not free:
        return [], False
    first = free[0]
    fit = all(
        len(signal.shape) == len(first.shape)
        and signal.shape[first.axis] == (1 if signal in others else first.shape[first.axis])
        for signal in inputs
    )
    forms = {
        (signal.axis, tuple((part.size, part.outer, part.inner) for part in signal.parts))
        for signal in free
    }
    if not fit or len(forms) > 1:
        net.hold(*inputs)
        return [], False
    return free, bool(others)

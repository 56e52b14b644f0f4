"""Normalisation: signs and scales end in front of it, and new ones begin behind its gain."""

from __future__ import annotations

from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
    gained,
)

__all__ = [
    "batch_normalization",
    "group_normalization",
    "layer_normalization",
    "rms_normalization",
    "unit_normalization",
]


def batch_normalization(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Units may change signs in front of it for any activation behind it: the gain follows."""
    before, after = _normalised(net, inputs[0], [layer.axis], layer.gamma, layer.beta, odd=True)
    if layer.moving_mean is not None:
        net.tensor(layer.moving_mean, before)
        net.tensor(layer.moving_variance, bare(before))
    return _value(inputs[0], layer.axis, shapes[0], after)


def layer_normalization(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """The mean is one over all units, so none of them changes its sign alone."""
    _, after = _normalised(net, inputs[0], layer.axis, layer.gamma, layer.beta, odd=False)
    return _value(inputs[0], inputs[0].axis, shapes[0], after)


def rms_normalization(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Without a mean signs pass."""
    _, after = _normalised(net, inputs[0], layer.axis, layer.scale, None, odd=True)
    return _value(inputs[0], inputs[0].axis, shapes[0], after)


def group_normalization(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Units stay with those of their group; a group for each is like batch normalisation."""
    size = inputs[0].shape[layer.axis]
    if layer.groups not in (1, size):
        net.wiring.blocks(net.read(inputs[0], layer.axis), layer.groups)
    odd = layer.groups == size
    _, after = _normalised(net, inputs[0], [layer.axis], layer.gamma, layer.beta, odd=odd)
    return _value(inputs[0], layer.axis, shapes[0], after)


def unit_normalization(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Division by the length of the vector, without weights."""
    net.wiring.hold_scales(inputs[0].parts)
    return [Signal(shapes[0], inputs[0].axis, inputs[0].parts)]


def _normalised(
    net: Network, signal: Signal, axes: list[int], gain: Any, bias: Any, *, odd: bool
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return the units before and after; gain and bias have a dimension for each of the axes."""
    rank = len(signal.shape)
    along = next((axis for axis in axes if axis % rank == signal.axis), axes[-1])
    before = net.read(signal, along)
    net.wiring.hold_scales(before)  # a small constant is added to the variance
    if not odd:
        net.wiring.hold_signs(before)
    after = before if gain is None else net.wiring.rescaled(bare(before), net.name(gain))

    def over_axes(parts: tuple[Part, ...]) -> list[tuple[Part, ...]]:
        return [parts if axis == along else (Part(signal.shape[axis] or 0),) for axis in axes]

    net.tensor(gain, *over_axes(gained(before, after)))
    net.tensor(bias, *over_axes(after))
    return before, after


def _value(signal: Signal, axis: int, shape: Shape, parts: tuple[Part, ...]) -> list[Signal]:
    free = any(part.units is not None for part in parts)
    return [Signal(shape, axis % len(shape), parts if free else ())]

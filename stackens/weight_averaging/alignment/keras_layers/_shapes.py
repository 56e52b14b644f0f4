"""Layers that pool, cut, pad and reshape values, and activations that are layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment.keras_layers._linear import channel_axis
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
)

__all__ = [
    "activation",
    "average_pooling",
    "flatten",
    "indexed",
    "masking",
    "max_pooling",
    "passed_on",
    "permute",
    "prelu",
    "repeat_vector",
    "reshape",
]


_OTHERS = (type(None), type(...))  # in an index: a new axis, and all axes that are not named


def passed_on(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Nothing happens to the value, as with dropout when a model is used."""
    return [replace(inputs[0], shape=shapes[0])]


def average_pooling(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Linear in each channel, as are padding, cropping and resizing."""
    parts = inputs[0].parts
    if not parts or inputs[0].axis != channel_axis(layer, inputs[0].shape):
        net.hold(*inputs)
        return [Signal(shapes[0])]
    return [Signal(shapes[0], channel_axis(layer, shapes[0]), parts)]


def max_pooling(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """The greatest value is another one after a change of signs."""
    net.wiring.hold_signs(inputs[0].parts)
    return average_pooling(net, layer, inputs, shapes)


def flatten(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """All values of a row side by side; channels-first images are turned around before."""
    signal = inputs[0]
    if layer.data_format == "channels_first" and len(signal.shape) > 2:
        batch, channels, *rest = signal.shape
        axis = len(rest) + 1 if signal.axis == 1 else signal.axis - 1
        signal = replace(signal, shape=(batch, *rest, channels), axis=axis)
    return _flattened(net, signal, shapes[0])


def reshape(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Units stay units where the last axis stays, or where all axes become one."""
    signal, shape = inputs[0], shapes[0]
    is_last = signal.parts and signal.axis == len(signal.shape) - 1
    if is_last and shape[-1] == signal.shape[-1]:
        return [Signal(shape, len(shape) - 1, signal.parts)]
    if len(shape) == 2:
        return _flattened(net, signal, shape)
    return net.unknown(layer, inputs, shapes, "this reshaping")


def permute(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Axes in another order."""
    if not inputs[0].parts:
        return [Signal(shapes[0])]
    return [Signal(shapes[0], tuple(layer.dims).index(inputs[0].axis) + 1, inputs[0].parts)]


def indexed(
    net: Network, layer: Any, arguments: Mapping[str, Any], shapes: list[Shape]
) -> list[Signal]:
    """A part of a value, as in ``x[:, -1]``: all units, or none of them can change."""
    signal, key = arguments["x"], arguments["key"]
    key = list(key) if isinstance(key, tuple) else [key]
    if any(not isinstance(item, (int, slice, *_OTHERS)) or isinstance(item, bool) for item in key):
        return net.unknown(layer, [signal], shapes, "this index")
    if ... not in key:
        key.append(...)
    there, missing = key.index(...), len(signal.shape) - sum(k not in (None, ...) for k in key)
    key[there : there + 1] = [slice(None)] * missing
    before, after = 0, 0
    for item in key:
        if before == signal.axis and item is not None:
            break
        before += item is not None
        after += not isinstance(item, int)
    if not signal.parts:
        return [Signal(shapes[0])]
    is_run = isinstance(item, slice) and item.step in (None, 1)
    if not is_run or shapes[0][after] != signal.shape[signal.axis]:
        return net.unknown(layer, [signal], shapes, "a choice of units")
    return [Signal(shapes[0], after, signal.parts)]


def repeat_vector(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """From shape (batch, units) to (batch, times, units)."""
    return [Signal(shapes[0], 2, inputs[0].parts)]


def masking(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Steps are left out in which all units have one value."""
    parts = net.read(inputs[0], -1)
    if layer.mask_value != 0:
        net.wiring.hold_signs(parts)
        net.wiring.hold_scales(parts)
    return passed_on(net, layer, inputs, shapes)


def activation(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """A function such as ``keras.ops.tanh``, a layer such as ReLU, or Activation with either."""
    return net.activated(getattr(layer, "activation", layer), inputs[0], layer)


def prelu(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """A slope for each unit, unless its axis is shared."""
    signal = inputs[0]
    net.wiring.hold_signs(signal.parts)
    axes: list[tuple[Part, ...]] = [(Part(size),) for size in layer.alpha.shape]
    if signal.parts and layer.alpha.shape[signal.axis - 1] == signal.shape[signal.axis]:
        axes[signal.axis - 1] = bare(signal.parts)
    net.tensor(layer.alpha, *axes)
    return passed_on(net, layer, inputs, shapes)


def _flattened(net: Network, signal: Signal, shape: Shape) -> list[Signal]:
    before, after = signal.shape[1 : signal.axis], signal.shape[signal.axis + 1 :]
    if not signal.parts or signal.axis == 0 or None in before or None in after:
        net.hold(signal)
        return [Signal(shape)]
    times = math.prod(size for size in before if size is not None)
    inner = math.prod(size for size in after if size is not None)
    parts = tuple(replace(part, inner=part.inner * inner) for part in signal.parts)
    if len(parts) == 1:
        parts = (replace(parts[0], outer=parts[0].outer * times),)
    else:
        parts *= times
    return [Signal(shape, 1, parts)]

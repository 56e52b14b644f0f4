"""Dense layers, convolutions and embeddings: new units from a linear map of the old ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment._wiring import read_by
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
    gained,
)

__all__ = [
    "channel_axis",
    "convolution",
    "dense",
    "depthwise_convolution",
    "embedding",
    "is_altered",
    "separable_convolution",
    "transposed_convolution",
]


def dense(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Kernel of shape (inputs, units)."""
    if is_altered(layer):
        return net.unknown(layer, inputs, shapes, "a kernel with LoRA or quantisation")
    out = net.wiring.new(net.name(layer.kernel), layer.units)
    net.tensor(layer.kernel, read_by(net.read(inputs[0], -1)), out)
    net.tensor(layer.bias, out)
    return net.activated(layer.activation, Signal(shapes[0], len(shapes[0]) - 1, out), layer)


def embedding(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Table of shape (tokens, units)."""
    if is_altered(layer):
        return net.unknown(layer, inputs, shapes, "a table with LoRA or quantisation")
    net.hold(*inputs)
    out = net.wiring.new(net.name(layer.embeddings), layer.output_dim)
    net.tensor(layer.embeddings, (Part(layer.input_dim),), out)
    return [Signal(shapes[0], len(shapes[0]) - 1, out)]


def convolution(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Kernel of shape (..., inputs of a group, units)."""
    if is_altered(layer):
        return net.unknown(layer, inputs, shapes, "a kernel with LoRA or quantisation")
    axis, name = channel_axis(layer, shapes[0]), net.name(layer.kernel)
    parts = net.read(inputs[0], axis)
    window = _window(layer.kernel)
    width = layer.kernel.shape[-2]  # inputs of a group
    if layer.groups > 1 and width == 1:
        out = _separate(net, parts, layer.filters // layer.groups, name)
        net.tensor(layer.kernel, *window, (Part(1),), gained(_repeated(parts, out), out))
    elif layer.groups > 1:  # each group has its own units, but the kernel's inputs are common
        net.wiring.hold(parts)
        size = layer.filters // layer.groups
        each = [net.wiring.new(f"{name} group {g}", size) for g in range(layer.groups)]
        out = tuple(part for one in each for part in one)
        net.tensor(layer.kernel, *window, (Part(width),), out)
    else:
        out = net.wiring.new(name, layer.filters)
        net.tensor(layer.kernel, *window, read_by(parts), out)
    net.tensor(layer.bias, out)
    return net.activated(layer.activation, Signal(shapes[0], axis, out), layer)


def transposed_convolution(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Kernel of shape (..., units, inputs)."""
    axis = channel_axis(layer, shapes[0])
    out = net.wiring.new(net.name(layer.kernel), layer.filters)
    net.tensor(layer.kernel, *_window(layer.kernel), out, read_by(net.read(inputs[0], axis)))
    net.tensor(layer.bias, out)
    return net.activated(layer.activation, Signal(shapes[0], axis, out), layer)


def depthwise_convolution(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Kernel of shape (..., inputs, outputs of each input)."""
    axis = channel_axis(layer, shapes[0])
    parts, times = net.read(inputs[0], axis), layer.depth_multiplier
    out = _separate(net, parts, times, net.name(layer.kernel))
    kernel = gained(parts, _fewer(out, times))
    net.tensor(layer.kernel, *_window(layer.kernel), kernel, (Part(times),))
    net.tensor(layer.bias, out)
    return net.activated(layer.activation, Signal(shapes[0], axis, out), layer)


def separable_convolution(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """A depthwise kernel, and one that mixes what comes out of it."""
    axis, name = channel_axis(layer, shapes[0]), net.name(layer.pointwise_kernel)
    parts, times = net.read(inputs[0], axis), layer.depth_multiplier
    between = _separate(net, parts, times, f"{name} depthwise")
    kernel = gained(parts, _fewer(between, times))
    net.tensor(layer.depthwise_kernel, *_window(layer.depthwise_kernel), kernel, (Part(times),))
    out = net.wiring.new(name, layer.filters)
    net.tensor(layer.pointwise_kernel, *_window(layer.pointwise_kernel), read_by(between), out)
    net.tensor(layer.bias, out)
    return net.activated(layer.activation, Signal(shapes[0], axis, out), layer)


def channel_axis(layer: Any, shape: Shape) -> int:
    """Return the axis where a layer over images or sequences has its channels."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else len(shape) - 1


def _separate(net: Network, parts: tuple[Part, ...], times: int, name: str) -> tuple[Part, ...]:
    """Return the outputs of a map that works on each unit on its own, so many for each."""
    more = (replace(part, inner=part.inner * times) for part in bare(parts))
    return net.wiring.rescaled(tuple(more), name)


def _fewer(parts: tuple[Part, ...], times: int) -> tuple[Part, ...]:
    return tuple(replace(part, inner=part.inner // times) for part in parts)


def _repeated(parts: tuple[Part, ...], out: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(replace(old, inner=new.inner) for old, new in zip(parts, out, strict=True))


def _window(kernel: Any) -> list[tuple[Part, ...]]:
    return [(Part(size),) for size in kernel.shape[:-2]]


def is_altered(layer: Any) -> bool:
    """Whether there is more to a layer's kernel than its numbers."""
    return bool(getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None))

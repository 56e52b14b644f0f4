"""Multi-head attention: heads trade places, and each has a sign and a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment._wiring import read_by
from stackens.weight_averaging.alignment.keras_layers._linear import is_altered
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
)

__all__ = ["attention"]


def attention(
    net: Network, layer: Any, arguments: Mapping[str, Any], shapes: list[Shape]
) -> list[Signal]:
    """Kernels of shape (inputs, heads, size), and (heads, size, units) at the end.

    Inside of a head nothing moves.
    """
    query, value = arguments["query"], arguments["value"]
    key = value if arguments.get("key") is None else arguments["key"]
    read = {"query": query, "key": key, "value": value}
    signals = {name: given for name, given in arguments.items() if isinstance(given, Signal)}
    maps = {name: getattr(layer, f"_{name}_dense") for name in (*read, "output")}
    if len(shapes) > 1 or getattr(layer, "_use_gate", False) or any(map(is_altered, maps.values())):
        return net.unknown(layer, list(signals.values()), shapes, "attention of this form")
    net.hold(*(signal for name, signal in signals.items() if name not in read))  # masks
    first = maps["query"].kernel
    name = net.name(first)
    scores = net.wiring.new(name, first.shape[1])
    answers = net.wiring.rescaled(bare(scores), f"{name} values")
    heads = {"query": scores, "key": read_by(scores), "value": answers}
    for role, signal in read.items():
        size = (Part(maps[role].kernel.shape[2]),)
        net.tensor(maps[role].kernel, read_by(net.read(signal, -1)), heads[role], size)
        net.tensor(maps[role].bias, heads[role], size)
    last = maps["output"].kernel
    out = net.wiring.new(f"{name} output", last.shape[2])
    net.tensor(last, read_by(answers), (Part(last.shape[1]),), out)
    net.tensor(maps["output"].bias, out)
    return [Signal(shapes[0], len(shapes[0]) - 1, out)]

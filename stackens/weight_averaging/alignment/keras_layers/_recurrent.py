"""Recurrent layers: the units of the state are those of every gate."""

from __future__ import annotations

from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment._wiring import read_by
from stackens.weight_averaging.alignment.keras_layers._merges import added, multiplied
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Shape,
    Signal,
    bare,
    parity,
)

__all__ = ["bidirectional", "recurrent"]

# Which of the blocks in a kernel write the state, and so bear its signs and scales; the others
# are gates between 0 and 1.
_BLOCKS = {
    "SimpleRNNCell": (True,),
    "GRUCell": (False, False, True),  # z, r, h
    "LSTMCell": (False, False, True, False),  # i, f, c, o
}


def recurrent(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """SimpleRNN, GRU and LSTM, by the cell; what comes out are sequences and states alike."""
    out = _state(net, layer, inputs[0], inputs[1:], "")
    if out is None:
        return net.unknown(layer, inputs, shapes, "such a cell")
    return [Signal(shape, len(shape) - 1, out) for shape in shapes]


def bidirectional(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """Two layers with units of their own."""
    states, half = inputs[1:], len(inputs) // 2
    ways = (layer.forward_layer, layer.backward_layer)
    forward = _state(net, ways[0], inputs[0], states[:half], " forward")
    backward = _state(net, ways[1], inputs[0], states[half:], " backward")
    if forward is None or backward is None:
        return net.unknown(layer, inputs, shapes, "such a cell")
    shape, last = shapes[0], len(shapes[0]) - 1
    if layer.merge_mode == "concat":
        merged = [Signal(shape, last, (*forward, *backward))]
    else:
        merged = [Signal(shape, last, forward), Signal(shape, last, backward)]
        if layer.merge_mode is not None:
            rule = multiplied if layer.merge_mode == "mul" else added
            merged = rule(net, layer, merged, [shape])
    of_states = shapes[len(merged) :]
    for i, shape in enumerate(of_states):
        way = forward if i < len(of_states) // 2 else backward
        merged.append(Signal(shape, len(shape) - 1, way))
    return merged


def _state(
    net: Network, layer: Any, signal: Signal, states: list[Signal], way: str
) -> tuple[Part, ...] | None:
    """Return the units of the state, or None if the layer has another form."""
    cell: Any = getattr(layer, "cell", None)
    blocks = _BLOCKS.get(type(cell).__name__)
    if (
        blocks is None
        or not type(cell).__module__.startswith("keras.")
        or layer.stateful
        or parity(getattr(cell, "recurrent_activation", None)) is None
    ):
        return None
    out = net.wiring.new(net.name(cell.kernel) + way, cell.units)
    gates = tuple(part for writes in blocks for part in (out if writes else bare(out)))
    net.tensor(cell.kernel, read_by(net.read(signal, -1)), gates)
    net.tensor(cell.recurrent_kernel, read_by(out), gates)
    if cell.bias is not None:
        rows = [(Part(size),) for size in cell.bias.shape[:-1]]  # GRU: those of both kernels
        net.tensor(cell.bias, *rows, gates)
    net.activated(cell.activation, Signal((None, cell.units), 1, out), layer)
    for state in states:
        net.wiring.tie(net.read(state, -1), out)
    return out

"""LSTM, GRU and plain recurrent layers: units per layer and direction, signs where tanh is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import (
    Axis,
    Choice,
    Factor,
    Value,
    Variable,
    factors_of,
    find,
    length,
)
from stackens.weight_averaging.alignment.operators._indexing import at_choice
from stackens.weight_averaging.alignment.operators._rules import Call, Result, rule

# Of the gates, those that are odd functions whose sign the units carry; and those of which only
# the sum of both biases matters. torch's order: LSTM i, f, g, o; GRU r, z, n.
_CARRIES_SIGN = {"lstm": {2}, "gru": {2}, "rnn_tanh": {0}, "rnn_relu": {0}}
_SUMMED = {"lstm": 4, "gru": 2, "rnn_tanh": 1, "rnn_relu": 1}
_N_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@dataclass(frozen=True)
class _Cell:
    """The weights of one layer in one direction."""

    inputs: Value
    recurrent: Value
    biases: tuple[Value, ...]
    projection: Value | None
    label: str


@rule(*_N_GATES, takes_choices=True)
def _recurrent(axes: Axes, call: Call) -> Result:
    if "batch_sizes" in call.arguments:
        return None  # packed sequences
    if call["train"] and call["dropout"]:
        return None
    value, kind = axes.resolved(call["input"]), call.name
    states = call["hx"] if kind == "lstm" else [call["hx"]]
    for axis in value.axes[:-1]:
        axes.pin(axis)
    directions = 2 if call["bidirectional"] else 1
    cells = list(_cells(axes, call, directions))
    below, outputs, hidden, kept = value.axes[-1], [], [], []
    for k, cell in enumerate(cells):
        out, inner = _walk_cell(axes, kind, below, cell)
        for state, axis in zip(states, (out, inner), strict=False):
            if not state.zero:
                own = at_choice(state, 0, k) or state
                axes.unify(axes.resolved(own).axes[-1], axis)
        hidden.append(out)
        kept.append(inner)
        outputs.append(out)
        if (k + 1) % directions == 0:
            below = tuple(run for out in outputs for run in out)
            outputs = []
    for state in states:
        for axis in axes.resolved(state, plain=False).axes[:-1]:
            axes.pin(axis)
    result = Value((*(axes.pinned(size) for size in call.shape[:-1]), below))
    last = [_per_cell(axes, hidden, call.shapes[1])]
    last += [_per_cell(axes, kept, call.shapes[2])] if kind == "lstm" else []
    return tuple(axes.resolved(part, plain=False) for part in (result, *last))


@rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _one_step(axes: Axes, call: Call) -> Result:
    value, kind = call["input"], call.name.removesuffix("_cell")
    states = call["hx"] if kind == "lstm" else [call["hx"]]
    biases = tuple(bias for bias in (call["b_ih"], call["b_hh"]) if bias is not None)
    cell = _Cell(call["w_ih"], call["w_hh"], biases, None, "")
    units, _ = _walk_cell(axes, kind, value.axes[-1], cell)
    for state in states:
        if not state.zero:
            axes.unify(state.axes[-1], units)
    for axis in (axis for tensor in (value, *states) for axis in tensor.axes[:-1]):
        axes.pin(axis)
    result = axes.resolved(Value((*value.axes[:-1], units)))
    return (result, result) if kind == "lstm" else result


def _cells(axes: Axes, call: Call, directions: int) -> Iterator[_Cell]:
    weights = [axes.resolved(weight) for weight in call["params"]]
    count = len(weights) // (call["num_layers"] * directions)
    has_biases = call["has_biases"]
    for k in range(0, len(weights), count):
        own = weights[k : k + count]
        biases = tuple(own[2:4]) if has_biases else ()
        rest = own[2 + len(biases) :]
        layer, direction = divmod(k // count, directions)
        label = f"l{layer}" + ("_reverse" if direction else "")
        yield _Cell(own[0], own[1], biases, rest[0] if rest else None, label)


def _walk_cell(axes: Axes, kind: str, below: Axis, cell: _Cell) -> tuple[Axis, Axis]:
    """Return the axis of a cell's output, and that of its units before a projection."""
    axes.unify(below, cell.inputs.axes[1], -1)
    n_gates = _N_GATES[kind]
    size = length(cell.inputs.axes[0]) // n_gates
    tensors = (cell.inputs, cell.recurrent, *cell.biases)
    gates = [axes.cut(tensor.axes[0], [size] * n_gates) for tensor in tensors]
    units = gates[0][max(_CARRIES_SIGN[kind])]
    for rows in gates:
        for gate, axis in enumerate(rows):
            if gate in _CARRIES_SIGN[kind]:
                axes.unify(units, axis)
            else:
                axes.fixed(axis)
                axes.move_alike(units, axis)
    units = axes.resolved(Value((units,))).axes[0]
    axes.rigid(units)
    axes.fixed(units, sign=kind == "rnn_relu", scale=kind != "rnn_relu")
    prefix = cell.inputs.name.rpartition(".")[0]
    name = ".".join(part for part in (prefix, cell.label) if part)
    _suggest(units, name)
    if len(cell.biases) == 2:
        one, other = (bias.name for bias in cell.biases)
        if one and other:
            axes.summed.append((one, other, 0, _SUMMED[kind] * size))
    out = units
    if cell.projection is not None:
        axes.unify(units, cell.projection.axes[1], -1)
        out = cell.projection.axes[0]
        _suggest(out, f"{name} projected")
    axes.unify(out, cell.recurrent.axes[1], -1)
    return out, units


def _suggest(axis: Axis, name: str) -> None:
    """Propose a name for units."""
    for factor in factors_of(axis):
        root = find(factor.variable)[0]
        root.hint = root.hint or name


def _per_cell(axes: Axes, found: list[Axis], shape: tuple[int, ...]) -> Value:
    """Return the last states of all cells: the first axis chooses the cell."""
    others = [axes.pinned(size) for size in shape[1:-1]]
    plain = all(len(axis) == 1 and len(axis[0]) == len(found[0][0]) for axis in found)
    if len(found) == 1:
        return Value((((),), *others, found[0]))
    if not plain or any(len(axis[0]) != 1 for axis in found):
        for axis in found[1:]:
            axes.unify(found[0], axis)
        return Value((axes.pinned(shape[0]), *others, found[0]))
    choice = Choice(shape[0])
    chosen = ((Factor(Variable(shape[0], pinned=True), {}, 1, choice),),)
    options = tuple(axis[0][0] for axis in found)
    unit = ((Factor(options[0].variable, {}, 1, choice, options),),)
    return Value((chosen, *others, unit))

"""Operators that take tensors apart and put them together, and those that make new ones."""

from __future__ import annotations

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
from stackens.weight_averaging.alignment.operators._elementwise import combined, entrywise
from stackens.weight_averaging.alignment.operators._rules import Call, Result, replaced, rule

__all__ = ["at_choice"]


@rule("cat", "concat")
def _cat(axes: Axes, call: Call) -> Result:
    parts = [part for part in call["tensors"] if part.shape != (0,)]
    dim = call["dim"] % len(parts[0].axes)
    rest = combined(axes, *(replaced(part, dim, ((),)) for part in parts))
    joined = tuple(run for part in parts for run in part.axes[dim])
    return axes.resolved(replaced(rest, dim, joined))


@rule("stack")
def _stack(axes: Axes, call: Call) -> Result:
    together = combined(axes, *call["tensors"])
    dim = call["dim"] % (len(together.axes) + 1)
    new = axes.pinned(len(call["tensors"]))
    return Value((*together.axes[:dim], new, *together.axes[dim:]), together.zero)


@rule("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def _split(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dim = call["dim"] % len(value.axes)
    runs = axes.cut(value.axes[dim], [shape[dim] for shape in call.shapes])
    return tuple(axes.resolved(replaced(value, dim, run)) for run in runs)


@rule("unbind", moves_only=True)
def _unbind(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dim = call["dim"] % len(value.axes)
    return tuple(_selected(axes, value, dim, k) for k in range(length(value.axes[dim])))


@rule("select", moves_only=True)
def _select(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dim = call["dim"] % len(value.axes)
    return _selected(axes, value, dim, call["index"] % length(value.axes[dim]))


def _selected(axes: Axes, value: Value, dim: int, index: int) -> Value:
    if (chosen := at_choice(value, dim, index)) is not None:
        return chosen
    axis = value.axes[dim]
    factors = factors_of(axis)
    axes.fixed(axis)
    if len(axis) == len(factors) == 1 and not axes.settled and not axes.is_pinned(axis):
        axes.divided = find(factors[0].variable)[0].stacked = True
    else:
        axes.hold(axis)
    return replaced(value, dim)


def at_choice(value: Value, dim: int, index: int) -> Value | None:
    """Return what stands at one place of an axis that is a choice; None if it is no such axis."""
    factors = factors_of(value.axes[dim])
    if len(factors) != 1 or factors[0].choice is None or factors[0].options:
        return None
    return replaced(_chosen(value, factors[0].choice, [index]), dim)


def _chosen(value: Value, choice: Choice, indices: list[int]) -> Value:
    """Return a tensor for some values of a choice."""
    smaller = Choice(len(indices))

    def taken(factor: Factor) -> Factor:
        if factor.choice is not choice:
            return factor._replace(options=tuple(map(taken, factor.options)))
        if not factor.options:
            return Factor(Variable(len(indices), pinned=True), {}, 1, smaller)
        options = tuple(factor.options[k] for k in indices)
        if len(options) == 1:
            return options[0]
        return Factor(options[0].variable, {}, 1, smaller, options)

    axes = [tuple(tuple(map(taken, run)) for run in axis) for axis in value.axes]
    if len(indices) == 1:  # the axis of the choice has one place left
        axes = [((),) if _is_choice(axis, smaller) else axis for axis in axes]
    return Value(tuple(axes), value.zero)


def _is_choice(axis: Axis, choice: Choice) -> bool:
    return any(factor.choice is choice and not factor.options for factor in factors_of(axis))


@rule("slice", "narrow", moves_only=True)
def _slice(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dim = call["dim"] % len(value.axes)
    axis = value.axes[dim]
    size = length(axis)
    if call.name == "narrow":
        start, step = call["start"], 1
        start += size if start < 0 else 0
        kept = range(start, start + call["length"])
    else:
        kept = range(size)[slice(call["start"], call["end"], call["step"])]
        step = call["step"]
    if len(kept) == size and step == 1:
        return value
    factors = factors_of(axis)
    if len(axis) == len(factors) == 1 and factors[0].choice and not factors[0].options:
        return _chosen(value, factors[0].choice, list(kept))
    value = axes.resolved(value)
    axis = value.axes[dim]
    if step != 1 or not kept:
        axes.hold(axis)
        return replaced(value, dim, axes.pinned(len(kept)))
    sizes = [kept.start, len(kept), size - kept.stop]
    runs = iter(axes.cut(axis, [n for n in sizes if n]))
    if kept.start:
        next(runs)
    return axes.resolved(replaced(value, dim, next(runs)))


@rule("index_select")
def _index_select(axes: Axes, call: Call) -> Result:
    value, dim = call["self"], call["dim"] % len(call["self"].axes)
    for axis in (value.axes[dim], *call["index"].axes):
        axes.hold(axis)
    return replaced(value, dim, axes.pinned(call.shape[dim]))


@rule("index")
def _index(axes: Axes, call: Call) -> Result:
    value, indices = call["self"], call["indices"]
    places = [k for k, index in enumerate(indices) if index is not None]
    if not places or places != list(range(places[0], places[-1] + 1)):
        return None
    picked = combined(axes, *(entrywise(axes, indices[k]) for k in places))
    for axis in (*picked.axes, *value.axes[places[0] : places[-1] + 1]):
        axes.hold(axis)
    kept = (*value.axes[: places[0]], *picked.axes, *value.axes[places[-1] + 1 :])
    result = Value(kept)
    return result if result.shape == call.shape else None  # a mask has another number of axes


@rule("index_add", "scatter_add")
def _add_at(axes: Axes, call: Call) -> Result:
    """Rows are added to those of another tensor, as of neighbours in a graph."""
    value, index = call["self"], call["index"]
    source = call["source"] if call.name == "index_add" else call["src"]
    dim = call["dim"] % len(value.axes)
    if call.name == "scatter_add":
        if index.shape != source.shape:
            return None
        entrywise(axes, index)
        for k in (k for k in range(len(value.axes)) if k != dim):
            axes.move_alike(source.axes[k], index.axes[k])
    axes.hold(source.axes[dim])
    axes.pin(value.axes[dim])
    axes.pin(index.axes[dim % len(index.axes)])
    value, source = (axes.resolved(replaced(part, dim, ((),))) for part in (value, source))
    if value.shape != source.shape:
        return None
    return replaced(combined(axes, value, source), dim, axes.pinned(call.shape[dim]))


@rule("constant_pad_nd", "pad")
def _pad(axes: Axes, call: Call) -> Result:
    value, widths = call["self"], call["pad"]
    result = list(value.axes)
    for k in range(len(widths) // 2):
        before, after = widths[2 * k : 2 * k + 2]
        axis = result[-1 - k]
        if not (before or after):
            continue
        if not axes.is_pinned(axis) and call.get("mode", "constant") == "constant":
            if call["value"] or min(before, after) < 0:
                return None
            # Zeros are the same in any order and with any factor.
            sides = [axes.free(n, labelled=True) if n else () for n in (before, after)]
            result[-1 - k] = (*sides[0], *axis, *sides[1])
        else:
            axes.hold(axis)
            result[-1 - k] = axes.pinned(call.shape[-1 - k])
    if call.get("value"):
        axes.fixed(*result)
        axes.rigid(*result)
    return Value(tuple(result))


@rule("zeros", "new_zeros", "zeros_like", "empty", "new_empty", "empty_like")
def _zeros(axes: Axes, call: Call) -> Result:
    if "empty" in call.name:
        return None
    return Value(tuple(axes.free(size, labelled=True) for size in call.shape), zero=True)


@rule("ones", "new_ones", "full", "new_full", "ones_like", "full_like", "scalar_tensor")
def _uniform(axes: Axes, call: Call) -> Result:
    """All entries are the same: their order does not matter."""
    fill = call.get("fill_value", 1)
    if isinstance(fill, Value):
        return None
    return Value(tuple(axes.free(size, labelled=fill == 0) for size in call.shape), zero=fill == 0)

"""Operators that reduce an axis to a number, or work along it: sums, softmax, cumulative sums."""

from __future__ import annotations

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Value, unlabelled
from stackens.weight_averaging.alignment.operators._contraction import note_sum
from stackens.weight_averaging.alignment.operators._elementwise import combined, entrywise
from stackens.weight_averaging.alignment.operators._rules import (
    Call,
    Result,
    positions,
    replaced,
    rule,
)


def _without(value: Value, dims: list[int], keep: bool) -> Value:
    kept: list[Axis] = []
    for k, axis in enumerate(value.axes):
        if k not in dims:
            kept.append(axis)
        elif keep:
            kept.append(((),))
    return Value(tuple(kept))


@rule("sum", "mean")
def _sum(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dims = positions(call.get("dim"), len(value.axes))
    for k in dims:
        axes.fixed(value.axes[k])
        axes.rigid(value.axes[k])
    note_sum(axes, value, dims)
    return _without(value, dims, call.get("keepdim", False))


@rule("amax", "amin", "max", "min", "any", "all", "argmax", "argmin")
def _extreme(axes: Axes, call: Call) -> Result:
    value = call["self"]
    if isinstance(call.get("other"), Value):
        return entrywise(axes, combined(axes, value, call["other"]), scale=False)
    dims = positions(call.get("dim"), len(value.axes))
    gives_places = len(call.shapes) > 1 or call.name.startswith("arg")
    entrywise(axes, value, scale=False)
    for k in dims:
        axes.fixed(value.axes[k])
        if gives_places:
            axes.hold(value.axes[k])
    if gives_places or call.name in ("any", "all"):
        axes.fixed(*value.axes)
    result = _without(value, dims, call.get("keepdim", False))
    return result if len(call.shapes) == 1 else (result, result)


@rule("linalg_vector_norm", "norm")
def _norm(axes: Axes, call: Call) -> Result:
    value = call["self"]
    dims = positions(call.get("dim"), len(value.axes))
    for k, axis in enumerate(value.axes):
        axes.rigid(axis)
        axes.fixed(axis, sign=k not in dims)
    result = _without(value, dims, call.get("keepdim", False))
    return Value(tuple(unlabelled(axis) for axis in result.axes))


@rule("var", "std", "logsumexp", "prod")
def _nonlinear(axes: Axes, call: Call) -> Result:
    value = entrywise(axes, call["self"])
    return _without(value, positions(call.get("dim"), len(value.axes)), call.get("keepdim", False))


@rule("softmax", "log_softmax", "softmin")
def _along(axes: Axes, call: Call) -> Result:
    """What one unit gets depends on all, but not on their order."""
    return entrywise(axes, call["self"])


@rule("tril", "triu")
def _triangle(axes: Axes, call: Call) -> Result:
    value = call["self"]
    for axis in value.axes[-2:]:
        axes.pin(axis)
    return value


@rule("cumsum", "flip", "roll")
def _in_order(axes: Axes, call: Call) -> Result:
    """The order along some axes matters; the operator is linear."""
    value = call["self"]
    for k in positions(call.get("dim", call.get("dims")), len(value.axes)):
        axes.hold(value.axes[k])
    return value


@rule("cumprod", "cummax", "cummin", "sort", "topk", "argsort")
def _ordered(axes: Axes, call: Call) -> Result:
    """The order along an axis matters, or is made."""
    value = entrywise(axes, call["self"])
    dim = call["dim"] % len(value.axes)
    axes.hold(value.axes[dim])
    results = tuple(replaced(value, dim, axes.pinned(shape[dim])) for shape in call.shapes)
    return results if len(results) > 1 else results[0]

"""Operators that work entry by entry: sums, products, activations, comparisons, types."""

from __future__ import annotations

from typing import Any

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Factor, Value, length
from stackens.weight_averaging.alignment._labels import Form, plus
from stackens.weight_averaging.alignment.operators._rules import Call, Result, rule, values_in

__all__ = ["combined", "entrywise", "labels_added", "multiplied"]

# f(-x) = -f(x)
_ODD = ["tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "erf", "erfinv", "softsign"]
_ODD += ["tanhshrink", "trunc", "round", "hardshrink", "softshrink"]
# f(c x) = c f(x) for c > 0
_HOMOGENEOUS = ["relu", "leaky_relu", "rrelu", "maximum", "minimum", "fmax", "fmin"]
# Neither.
_PLAIN = [
    "gelu",
    "silu",
    "sigmoid",
    "logit",
    "elu",
    "selu",
    "celu",
    "softplus",
    "mish",
    "hardswish",
]
_PLAIN += [
    "hardsigmoid",
    "relu6",
    "log_sigmoid",
    "threshold",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
]
_PLAIN += [
    "log10",
    "log1p",
    "cos",
    "cosh",
    "acos",
    "acosh",
    "erfc",
    "sqrt",
    "rsqrt",
    "square",
    "pow",
]
_PLAIN += ["clamp", "clamp_min", "clamp_max", "floor", "ceil", "frac", "sgn", "heaviside", "lerp"]
_PLAIN += ["eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_not", "isnan"]
_PLAIN += ["logical_xor", "bitwise_and", "bitwise_or", "bitwise_not", "isinf", "isfinite", "where"]
_PLAIN += ["remainder", "fmod", "atan2", "addcmul", "addcdiv", "nan_to_num"]
_PLAIN += ["floor_divide", "xlogy", "logaddexp", "bitwise_xor"]


def entrywise(axes: Axes, value: Value, sign: bool = True, scale: bool = True) -> Value:
    """Return a tensor after a function of each entry, which no sign and no scale can pass."""
    axes.fixed(*value.axes, sign=sign, scale=scale)
    axes.rigid(*value.axes)
    return Value(value.axes)


def combined(axes: Axes, *operands: Value) -> Value:
    """Return the sum of tensors, or any function of their entries that they enter alike."""
    rank = max(len(operand.axes) for operand in operands)
    result: list[Axis] = []
    for position in range(-rank, 0):
        present = [op.axes[position] for op in operands if len(op.axes) >= -position]
        wide = [axis for axis in present if length(axis) != 1]
        for axis in wide[1:]:
            axes.unify(wide[0], axis)
        if wide and len(wide) < len(operands):  # the others are the same along it
            axes.fixed(wide[0])
            axes.rigid(wide[0])
        result.append(wide[0] if wide else present[0])
    return axes.resolved(Value(tuple(result), all(operand.zero for operand in operands)))


def multiplied(axes: Axes, one: Value, other: Value, times: int = 1) -> Value:
    """Return the product of tensors (times 1) or their quotient (-1)."""
    if times < 0:
        axes.rigid(*other.axes)
    rank = max(len(one.axes), len(other.axes))
    result: list[Axis] = []
    for position in range(-rank, 0):
        a = one.axes[position] if len(one.axes) >= -position else ((),)
        b = other.axes[position] if len(other.axes) >= -position else ((),)
        result.append(_multiplied(axes, a, b, times))
    return axes.resolved(Value(tuple(result), one.zero))


def _multiplied(axes: Axes, a: Axis, b: Axis, times: int) -> Axis:
    if length(b) == 1:
        return a
    if length(a) == 1:
        return tuple(tuple(_labelled(f, plus({}, f.form, times)) for f in run) for run in b)
    axes.rigid(a, b)
    return labels_added(*axes.move_alike(a, b), times)


def labels_added(a: Axis, b: Axis, times: int = 1) -> Axis:
    """Return an axis with the signs and scales of another one, divided alike, on top."""
    return tuple(
        tuple(_labelled(f, plus(f.form, g.form, times)) for f, g in zip(run, other, strict=True))
        for run, other in zip(a, b, strict=True)
    )


def _labelled(factor: Factor, form: Form) -> Factor:
    return Factor(factor.variable, form, factor.power)


def _is_number(argument: Any) -> bool:
    return isinstance(argument, (int, float)) and not isinstance(argument, bool)


@rule("add", "sub", "rsub")
def _sum(axes: Axes, call: Call) -> Result:
    one, other = call["self"], call["other"]
    if isinstance(other, Value):
        return combined(axes, one, other)
    return entrywise(axes, one) if other != 0 or call.name == "rsub" else one


@rule("mul", "div")
def _product(axes: Axes, call: Call) -> Result:
    one, other = call["self"], call["other"]
    result = one
    if isinstance(other, Value):
        result = multiplied(axes, one, other, -1 if call.name == "div" else 1)
    elif not _is_number(other):
        return None
    mode = call.get("rounding_mode")
    return result if mode is None else entrywise(axes, result)


@rule("reciprocal")
def _reciprocal(axes: Axes, call: Call) -> Result:
    return multiplied(axes, Value(()), call["self"], -1)


@rule("neg", "positive")
def _negative(axes: Axes, call: Call) -> Result:
    return call["self"]


@rule("abs")
def _absolute(axes: Axes, call: Call) -> Result:
    value = call["self"]
    axes.rigid(*value.axes)
    return Value(tuple(_without_signs(axes, axis) for axis in value.axes))


def _without_signs(axes: Axes, axis: Axis) -> Axis:
    runs = []
    for run in axis:
        factors = []
        for factor in run:
            form = axes.unknown(factor.variable) if factor.form else {}
            axes.is_zero(form, scale=False)
            axes.is_zero(plus(form, factor.form, -1), sign=False)
            factors.append(_labelled(factor, form))
        runs.append(tuple(factors))
    return tuple(runs)


@rule(*_ODD)
def _odd(axes: Axes, call: Call) -> Result:
    operands = values_in(call.arguments)
    return entrywise(axes, combined(axes, *operands), sign=False)


@rule(*_HOMOGENEOUS)
def _homogeneous(axes: Axes, call: Call) -> Result:
    if call.get("training"):
        return None
    return entrywise(axes, combined(axes, *values_in(call.arguments)), scale=False)


@rule(*_PLAIN)
def _plain(axes: Axes, call: Call) -> Result:
    operands = values_in(call.arguments)
    for operand in operands:
        entrywise(axes, operand)
    return entrywise(axes, combined(axes, *operands))


@rule("masked_fill")
def _masked_fill(axes: Axes, call: Call) -> Result:
    if call["value"] == 0:
        return multiplied(axes, call["self"], entrywise(axes, call["mask"]))
    return _plain(axes, call)


@rule("hardtanh")
def _hardtanh(axes: Axes, call: Call) -> Result:
    symmetric = call["min_val"] == -call["max_val"]
    return entrywise(axes, call["self"], sign=not symmetric)


@rule("prelu")
def _prelu(axes: Axes, call: Call) -> Result:
    value, slope = call["self"], call["weight"]
    axes.fixed(*slope.axes)
    if slope.shape != (1,):
        channel = 1 if len(value.axes) > 1 else 0
        axes.move_alike(value.axes[channel], slope.axes[0])
    return axes.resolved(entrywise(axes, value, scale=False))


@rule("glu")
def _glu(axes: Axes, call: Call) -> Result:
    value, dim = call["self"], call["dim"] % len(call["self"].axes)
    half = length(value.axes[dim]) // 2
    content, gate = axes.cut(value.axes[dim], [half, half])
    axes.fixed(gate)
    axes.move_alike(content, gate)
    axes.rigid(*value.axes)
    others = (*value.axes[:dim], *value.axes[dim + 1 :])
    axes.fixed(*others)
    return axes.resolved(Value((*value.axes[:dim], content, *value.axes[dim + 1 :])))


@rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", moves_only=True)
def _dropout(axes: Axes, call: Call) -> Result:
    return None if call["train"] else call["input"]


@rule("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "lift_fresh", moves_only=True)
def _identity(axes: Axes, call: Call) -> Result:
    return call["self"]


@rule("to", "_to_copy", "type_as", "float", "double", "half", "bfloat16", moves_only=True)
def _cast(axes: Axes, call: Call) -> Result:
    value = call["self"]
    return value if call.floating else entrywise(axes, axes.resolved(value))

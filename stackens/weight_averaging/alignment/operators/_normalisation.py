"""Operators that normalise: over a batch, a layer, groups of channels, weights."""

from __future__ import annotations

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Value, length, unlabelled
from stackens.weight_averaging.alignment.operators._elementwise import labels_added
from stackens.weight_averaging.alignment.operators._rules import Call, Result, replaced, rule


def _scaled(axes: Axes, axis: Axis, weight: Value | None, bias: Value | None) -> Axis:
    """Return an axis after a weight and a bias for each unit: they carry new signs and scales."""
    if weight is not None:
        axis = labels_added(*axes.move_alike(axis, weight.axes[0]))
    if bias is not None:
        axis = axes.unify(axis, bias.axes[0])
    return axis


def _others(value: Value, position: int) -> list[Axis]:
    return [axis for k, axis in enumerate(value.axes) if k != position % len(value.axes)]


@rule("batch_norm", "instance_norm")
def _per_channel(axes: Axes, call: Call) -> Result:
    """Signs pass; scales do not, because of epsilon."""
    value, mean, variance = call["input"], call["running_mean"], call["running_var"]
    if call.get("training") and mean is not None:
        return None  # the running mean changes
    channels = value.axes[1]
    axes.rigid(*value.axes)
    axes.fixed(*_others(value, 1))
    if call.get("use_input_stats"):  # of the mean over space
        for axis in value.axes[2:]:
            axes.pin(axis)
    elif mean is not None:
        channels = axes.unify(channels, mean.axes[0])
        channels, spread = axes.move_alike(channels, variance.axes[0])
        axes.fixed(spread)
    axes.fixed(channels, sign=False)
    channels = _scaled(axes, channels, call["weight"], call["bias"])
    return axes.resolved(replaced(value, 1, channels))


@rule("layer_norm", "rms_norm")
def _per_row(axes: Axes, call: Call) -> Result:
    """With a mean, no signs pass: a flipped unit would change it."""
    value, n_axes = call["input"], len(call["normalized_shape"])
    weight, bias = call["weight"], call.get("bias")
    sign_passes = call.name == "rms_norm"
    before, after = value.axes[:-n_axes], value.axes[-n_axes:]
    axes.rigid(*before)
    axes.fixed(*before)
    axes.fixed(*after, sign=not sign_passes)
    if call.name == "rms_norm" and weight is None and n_axes == 1:
        axes.orthogonal(after[0])
    else:
        axes.rigid(*after)
    parts = []
    for k, axis in enumerate(after):
        one, other = (None if part is None else Value((part.axes[k],)) for part in (weight, bias))
        parts.append(axis if one is None and other is None else _scaled(axes, axis, one, other))
    return axes.resolved(Value((*before, *parts)))


@rule("group_norm")
def _per_group(axes: Axes, call: Call) -> Result:
    value, groups = call["input"], call["num_groups"]
    channels = value.axes[1]
    width = length(channels) // groups
    axes.rigid(*value.axes)
    axes.fixed(*_others(value, 1))
    for axis in value.axes[2:]:
        axes.pin(axis)
    axes.fixed(channels, sign=width > 1)
    axes.keep_blocks(channels, width)
    channels = _scaled(axes, channels, call["weight"], call["bias"])
    return axes.resolved(replaced(value, 1, channels))


@rule("_weight_norm")
def _weight_norm(axes: Axes, call: Call) -> Result:
    """G v / |v|, the norm over all axes but one; signs of v pass along each."""
    direction, size, dim = call["v"], call["g"], call["dim"]
    if not 0 <= dim < len(direction.axes):
        return None
    axes.rigid(*direction.axes)
    axes.fixed(*direction.axes, sign=False)
    both = axes.move_alike(direction.axes[dim], size.axes[dim])
    return axes.resolved(replaced(direction, dim, labels_added(*both)))


@rule("cosine_similarity")
def _cosine(axes: Axes, call: Call) -> Result:
    one, other = call["x1"], call["x2"]
    if one.shape != other.shape:
        return None
    dim = call["dim"] % len(one.axes)
    for k, (a, b) in enumerate(zip(one.axes, other.axes, strict=True)):
        axes.fixed(a, b, sign=k != dim)
        axes.rigid(a, b)
        axes.unify(a, b)
    return Value(tuple(unlabelled(axis) for k, axis in enumerate(one.axes) if k != dim))

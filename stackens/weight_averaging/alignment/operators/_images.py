"""Operators on images and sequences with channels: convolution, pooling, resizing."""

from __future__ import annotations

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Value, length, unlabelled
from stackens.weight_averaging.alignment.operators._contraction import added
from stackens.weight_averaging.alignment.operators._elementwise import entrywise, labels_added
from stackens.weight_averaging.alignment.operators._rules import Call, Result, rule


@rule("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _convolution(axes: Axes, call: Call) -> Result:
    value, weight = call["input"], call["weight"]
    groups, space = call["groups"], len(weight.axes) - 2
    before, channels = value.axes[: -space - 1], value.axes[-space - 1]
    for axis in (*value.axes[-space:], *weight.axes[-space:]):
        axes.pin(axis)
    first, second = weight.axes[:2]
    if call.name.startswith("conv_transpose"):  # [in, out / groups, ...]
        into, (first, inside) = _per_group(axes, channels, groups), _per_group(axes, first, groups)
        axes.unify(into[1], inside, -1)
        out = [_times(axes, first, into[0]), second]
    else:  # [out, in / groups, ...]
        into, (first, outside) = _per_group(axes, channels, groups), _per_group(axes, first, groups)
        axes.unify(into[1], second, -1)
        out = [_times(axes, first, into[0]), outside]
    spatial = [axes.pinned(size) for size in call.shape[-space:]]
    result = axes.resolved(Value((*before, axes.product(out), *spatial)))
    return added(axes, result, call["bias"], -space - 1)


def _per_group(axes: Axes, axis: Axis, groups: int) -> list[Axis]:
    """Return the axis of the groups and that inside a group."""
    if groups == 1:
        return [((),), axis]
    inside = length(axis) // groups
    parts = axes.quotient(axis, [groups, inside])
    if parts is None or len(axis) > 1:
        axes.pin(axis)
        return [axes.pinned(groups), axes.pinned(inside)]
    axes.rigid(axis)
    return parts


def _times(axes: Axes, one: Axis, other: Axis) -> Axis:
    return labels_added(*axes.move_alike(one, other))


_POOLS = [f"max_pool{n}d" for n in (1, 2, 3)] + [f"adaptive_max_pool{n}d" for n in (1, 2, 3)]
_LINEAR = [f"avg_pool{n}d" for n in (1, 2, 3)] + [f"adaptive_avg_pool{n}d" for n in (1, 2, 3)]
_LINEAR += ["upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d"]
_LINEAR += ["upsample_trilinear3d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"]
_LINEAR += [f"upsample_nearest{n}d" for n in (1, 2, 3)]
_LINEAR += [f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)]


@rule(*_POOLS, *_LINEAR)
def _pool(axes: Axes, call: Call) -> Result:
    value = call.get("self") or call["input"]
    space = int(call.name.removesuffix("_aa").removesuffix("d")[-1])
    for axis in value.axes[-space:]:
        axes.pin(axis)
    spatial = [axes.pinned(size) for size in call.shape[-space:]]
    result = Value((*value.axes[:-space], *spatial))
    if call.name not in _POOLS:
        return result
    largest = entrywise(axes, result, scale=False)
    places = Value(tuple(unlabelled(axis) for axis in result.axes))
    return largest if len(call.shapes) == 1 else (largest, places)


@rule("pixel_shuffle", "pixel_unshuffle")
def _pixel_shuffle(axes: Axes, call: Call) -> Result:
    value = call["self"]
    *before, channels, height, width = value.axes
    axes.pin(height)
    axes.pin(width)
    space = [axes.pinned(size) for size in call.shape[-2:]]
    if call.name == "pixel_unshuffle":
        inner = axes.pinned(call["downscale_factor"] ** 2)
        return Value((*before, axes.product([channels, inner]), *space))
    inner_size = call["upscale_factor"] ** 2
    parts = axes.quotient(channels, [length(channels) // inner_size, inner_size])
    if parts is None:
        return None
    axes.pin(parts[1])
    return axes.resolved(Value((*before, parts[0], *space)))

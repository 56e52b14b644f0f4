"""Writes each step of a program as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stackens.export.onnx._builder import Tensor, TensorKind
from stackens.export.onnx._curves import count, interpolate
from stackens.export.onnx._forests import add_trees
from stackens.export.onnx._functions import elementwise, operator_of
from stackens.export.onnx._lookups import look_up_numbers
from stackens.export.onnx._membership import sets_by_feature, table_of_members
from stackens.export.onnx._ramps import ramps
from stackens.export.onnx._views import Layout, View
from stackens.export.program import (
    Argmax,
    Arithmetic,
    Choose,
    Concatenate,
    Constant,
    Count,
    Dense,
    Elementwise,
    Interpolate,
    Lookup,
    Node,
    Numbers,
    Program,
    Ramps,
    Reduce,
    Select,
    Softmax,
    Sort,
    Trees,
    WeightedSum,
)

__all__ = ["Writer", "write_steps"]

# A sum of this many parts or more is one running sum instead of a node for each.
_MANY_PARTS = 4


@dataclass(frozen=True, eq=False)
class Writer:
    """What steps are written with.

    Attributes
    ----------
    program : Program
    layout : Layout
    numbers : dict of int -> View
        A view of width 1 for each column of the input that is read as a number.
    lookups : dict of int -> View
        The matrix of each lookup.
    members : dict of (int, int) -> View
        For trees (their position) and one of their columns the columns of its sets, where these
        stand in the table of a lookup.
    single, finite, mixed_only : set of int
        Nodes that may be computed in single precision, that are always finite, and that reach the
        output only through means.
    views : dict of int -> View
        The nodes written so far.
    """

    program: Program
    layout: Layout
    numbers: dict[int, View]
    lookups: dict[int, View]
    members: dict[tuple[int, int], View]
    single: set[int]
    finite: set[int]
    mixed_only: set[int]
    views: dict[int, View]

    def whole(self, node: int, kind: TensorKind = "double") -> Tensor:
        """Return the matrix of a node as one tensor."""
        return self.layout.whole(self.views[node], kind)

    def full(self, node: int) -> Tensor:
        """Return the matrix of a node as one tensor of doubles with a row for each sample."""
        return self.layout.in_every_row(self.whole(node))


def write_steps(writer: Writer) -> None:
    """Write all nodes, curves as late as can be, so that many are there to be written together."""
    waiting = list(range(len(writer.program.nodes)))
    while waiting:
        for position in waiting:
            if not isinstance(writer.program.nodes[position], Count | Interpolate):
                _write_if_ready(writer, position)
        waiting = [position for position in waiting if position not in writer.views]
        for position in waiting:
            if _write_if_ready(writer, position):
                break
        waiting = [position for position in waiting if position not in writer.views]


def _write_if_ready(writer: Writer, position: int) -> bool:
    """Write a node if its sources are written, and say whether they are."""
    node = writer.program.nodes[position]
    if not writer.views.keys() >= set(node.sources):
        return False
    answer = _STEPS[type(node)](writer, node, position)
    writer.views[position] = View.of(answer) if isinstance(answer, Tensor) else answer
    return True


def _numbers(writer: Writer, node: Numbers, _: int) -> View:
    return View.beside([writer.numbers[column] for column in node.columns.tolist()])


def _lookup(writer: Writer, node: Lookup, position: int) -> View:
    return writer.lookups[position]


def _constant(writer: Writer, node: Constant, _: int) -> Tensor:
    return writer.layout.constant(node.values)


def _select(writer: Writer, node: Select, _: int) -> View:
    return writer.views[node.source].select(node.columns)


def _concatenate(writer: Writer, node: Concatenate, _: int) -> View | Tensor:
    second = _second_of_two(writer, node)
    if second is None:
        return View.beside([writer.views[part] for part in node.parts])
    # [p] times [-1, 1] plus [1, 0] is [1 - p, p], bit for bit, in one node.
    constant = writer.layout.builder.constant
    p = writer.full(second).name
    weights, bias = constant(np.array([[-1.0, 1.0]])), constant(np.array([1.0, 0.0]))
    return Tensor(writer.layout.builder.node("Gemm", p, weights, bias), 2)


def _second_of_two(writer: Writer, node: Concatenate) -> int | None:
    """Return p where the parts are 1 - p and p, else None."""
    if len(node.parts) != 2 or node.width != 2:
        return None
    first, nodes = writer.program.nodes[node.parts[0]], writer.program.nodes
    if not (isinstance(first, Arithmetic) and first.function == "subtract"):
        return None
    one = nodes[first.left]
    is_one = isinstance(one, Constant) and np.array_equal(one.values, [1.0])
    return node.parts[1] if is_one and first.right == node.parts[1] else None


def _kind_of(writer: Writer, position: int) -> TensorKind:
    return "float" if position in writer.single else "double"


def _elementwise(writer: Writer, node: Elementwise, position: int) -> Tensor:
    source = writer.whole(node.source, _kind_of(writer, position))
    if node.function == "erf":
        source = writer.layout.in_every_row(source)
    rough = position in writer.mixed_only
    return elementwise(writer.layout.builder, node.function, source, rough=rough)


def _arithmetic(writer: Writer, node: Arithmetic, position: int) -> Tensor:
    kind = _kind_of(writer, position)
    operator, is_flag = operator_of(node.function)
    builder, parts = writer.layout.builder, []
    for source in (node.left, node.right):
        part = writer.program.nodes[source]
        if isinstance(part, Constant) and kind == "float":
            parts.append(Tensor(builder.constant(part.values.astype(np.float32)), 1, kind, True))
        else:
            parts.append(writer.whole(source, kind))
    constant = all(part.constant for part in parts)
    rectifies = node.function == "maximum" and _is_zero(writer.program.nodes[node.right])
    if kind == "float" and rectifies and parts[0].width == node.width:
        # Not for doubles: onnxruntime cannot load a Relu of those before a Clip.
        return Tensor(builder.node("Relu", parts[0].name), node.width, kind, constant)
    if node.function == "minimum" and not constant:
        clipped = _clipped(writer, node, kind)
        if clipped is not None:
            return clipped
    name = builder.node(operator, *[part.name for part in parts])
    return Tensor(name, node.width, "bool" if is_flag else kind, constant)


def _is_zero(node: Node) -> bool:
    return isinstance(node, Constant) and not node.values.any()


def _clipped(writer: Writer, node: Arithmetic, kind: TensorKind) -> Tensor | None:
    """Write the lesser of a number and the greater of another number and x as one node."""
    nodes = writer.program.nodes
    inner, upper = nodes[node.left], nodes[node.right]
    if not (isinstance(inner, Arithmetic) and inner.function == "maximum"):
        return None
    lower = nodes[inner.right]
    if not (isinstance(lower, Constant) and isinstance(upper, Constant)):
        return None
    if lower.width != 1 or upper.width != 1 or not lower.values[0] <= upper.values[0]:
        return None
    dtype = np.float32 if kind == "float" else np.float64
    ends = [writer.layout.builder.constant(e.values[0].astype(dtype)) for e in (lower, upper)]
    source = writer.whole(inner.left, kind)
    name = writer.layout.builder.node("Clip", source.name, *ends)
    return Tensor(name, node.width, kind, source.constant)


def _choose(writer: Writer, node: Choose, _: int) -> Tensor:
    condition = writer.whole(node.condition, "bool")
    yes, no = writer.whole(node.yes), writer.whole(node.no)
    name = writer.layout.builder.node("Where", condition.name, yes.name, no.name)
    return Tensor(name, node.width, constant=all(t.constant for t in (condition, yes, no)))


def _reduce(writer: Writer, node: Reduce, _: int) -> View | Tensor:
    builder, source = writer.layout.builder, writer.full(node.source)
    if source.width == 1:
        return source
    if node.function == "sum":  # from left to right, as ReduceSum does not
        sums = builder.node("CumSum", source.name, builder.constant(np.array(1)))
        return View.of(Tensor(sums, source.width), [source.width - 1])
    operator = "ReduceMax" if node.function == "maximum" else "ReduceMin"
    if node.source in writer.finite:
        return Tensor(builder.node(operator, source.name, axes=[1], keepdims=1), 1)
    # These operators lose NaN in places, so NaN is added to the extreme of the others.
    missing = builder.node("IsNaN", source.name)
    least = builder.constant(np.array(-np.inf if node.function == "maximum" else np.inf))
    others = builder.node("Where", missing, least, source.name)
    extreme = builder.node(operator, others, axes=[1], keepdims=1)
    nan, zero = builder.constant(np.array(np.nan)), builder.constant(np.array(0.0))
    flags = builder.node("Where", missing, nan, zero)
    flag = builder.node("ReduceSum", flags, builder.constant(np.array([1])), keepdims=1)
    return Tensor(builder.node("Add", extreme, flag), 1)


def _weighted_sum(writer: Writer, node: WeightedSum, _: int) -> View | Tensor:
    builder, n = writer.layout.builder, len(node.parts)
    if n >= _MANY_PARTS:
        return _running_sum(writer, node)
    parts: list[str] = []
    for part, weight in zip(node.parts, node.weights, strict=True):
        name = writer.whole(part).name
        if weight != 1:
            name = builder.node("Mul", name, builder.constant(np.array([weight])))
        parts.append(name)
    constant = all(writer.views[part].constant for part in node.parts)
    total = parts[0]
    for name in parts[1:]:
        total = builder.node("Add", total, name)
    return Tensor(total, node.width, constant=constant)


def _running_sum(writer: Writer, node: WeightedSum) -> View | Tensor:
    builder, layout, n = writer.layout.builder, writer.layout, len(node.parts)
    together = layout.in_every_row(
        layout.whole(View.beside([writer.views[part] for part in node.parts]))
    ).name
    if np.any(node.weights != 1):
        weights = builder.constant(np.repeat(node.weights, node.width))
        together = builder.node("Mul", together, weights)
    if node.width > 1:
        shape = builder.constant(np.array([0, n, node.width]))
        together = builder.node("Reshape", together, shape)
    sums = builder.node("CumSum", together, builder.constant(np.array(1)))
    if node.width == 1:
        return View.of(Tensor(sums, n), [n - 1])
    last = builder.constant(np.array(n - 1))
    return Tensor(builder.node("Gather", sums, last, axis=1), node.width)


def _dense(writer: Writer, node: Dense, position: int) -> Tensor:
    single = node.weights.dtype == np.float32
    kind: TensorKind = "float" if single else "double"
    builder, layout = writer.layout.builder, writer.layout
    source, place = layout.loose(writer.views[node.source], kind)
    others = set(range(source.width)) - set(place.tolist()) - source.always_zero
    if others:  # a NaN there would spread
        source = layout.whole(writer.views[node.source], kind)
        place = np.arange(source.width)
    weights = np.zeros((source.width, node.width), dtype=node.weights.dtype)
    np.add.at(weights, place, node.weights)
    name = layout.in_every_row(source).name
    extra = [builder.constant(node.bias)] if np.any(node.bias) else []
    answer = builder.node("Gemm", name, builder.constant(weights), *extra)
    return Tensor(answer, node.width, kind)


def _ramps(writer: Writer, node: Ramps, _: int) -> Tensor:
    return ramps(writer.layout, writer.views[node.source], node)


def _softmax(writer: Writer, node: Softmax, _: int) -> Tensor:
    source = writer.whole(node.source)
    return replace(source, name=writer.layout.builder.node("Softmax", source.name, axis=-1))


def _sort(writer: Writer, node: Sort, _: int) -> Tensor:
    builder, source = writer.layout.builder, writer.full(node.source)
    name, width = source.name, source.width
    size = builder.constant(np.array([width]))
    if node.source in writer.finite:
        name, _index = builder.node("TopK", name, size, n_outputs=2, axis=1, largest=0, sorted=1)
        return Tensor(name, width)
    # TopK does not know an order for NaN: infinities go in their place, and NaN back to the end.
    missing = builder.node("IsNaN", name)
    name = builder.node("Where", missing, builder.constant(np.array(np.inf)), name)
    name, _index = builder.node("TopK", name, size, n_outputs=2, axis=1, largest=0, sorted=1)
    axis = builder.constant(np.array([1]))
    n_missing = builder.node("ReduceSum", builder.node("Cast", missing, to=7), axis, keepdims=1)
    from_end = builder.constant(np.arange(width, 0, -1))
    at_end = builder.node("LessOrEqual", from_end, n_missing)
    nan = builder.constant(np.array(np.nan))
    return Tensor(builder.node("Where", at_end, nan, name), width)


def _argmax(writer: Writer, node: Argmax, _: int) -> Tensor:
    builder, source = writer.layout.builder, writer.full(node.source)
    name = source.name
    if node.source not in writer.finite:  # the first NaN is the largest, as numpy has it
        missing = builder.node("Cast", builder.node("IsNaN", name), to=11)
        some = builder.node("ReduceMax", missing, axes=[1], keepdims=1)
        name = builder.node("Where", builder.node("Cast", some, to=9), missing, name)
    return Tensor(builder.node("ArgMax", name, axis=1, keepdims=1), 1, "int64")


def _interpolate(writer: Writer, _: Interpolate, position: int) -> View:
    return _together(writer, position, Interpolate, interpolate)


def _count(writer: Writer, _: Count, position: int) -> View:
    return _together(writer, position, Count, count)


def _together(
    writer: Writer,
    position: int,
    kind: type[Node],
    write: Callable[[Layout, Tensor, Sequence[Any]], Tensor],
) -> View:
    """Write a step of one column with all others of its kind whose columns are there already."""
    ready = [
        i
        for i, node in writer.program
        if isinstance(node, kind) and i not in writer.views and node.sources[0] in writer.views
    ]
    nodes = [writer.program.nodes[i] for i in ready]
    source = writer.layout.whole(View.beside([writer.views[n.sources[0]] for n in nodes]))
    answer = write(writer.layout, writer.layout.in_every_row(source), nodes)
    writer.views.update({i: View.of(answer, [column]) for column, i in enumerate(ready)})
    return writer.views[position]


def _trees(writer: Writer, node: Trees, position: int) -> Tensor:
    layout = writer.layout
    by_feature = sets_by_feature(node)
    beside = {f: writer.members.get((position, f)) for f in by_feature}
    unknown = [f for f, view in beside.items() if view is None]
    if unknown:
        tables = [table_of_members(node, by_feature[f]) for f in unknown]
        source, place = layout.loose(writer.views[node.source])
        source = layout.in_every_row(source)
        found = look_up_numbers(layout, source, [int(place[f]) for f in unknown], tables)
        beside.update(zip(unknown, found, strict=True))
    views = [writer.views[node.source], *[view for view in beside.values() if view is not None]]
    feature, threshold = node.feature.astype(np.int64), node.threshold.copy()
    start = views[0].width
    for f, sets in by_feature.items():
        here = np.flatnonzero((node.category_set >= 0) & (node.feature == f))
        feature[here] = start + np.searchsorted(sets, node.category_set[here])
        threshold[here] = 0.5
        start += len(sets)
    source, place = layout.loose(View.beside(views))
    return add_trees(layout.builder, layout.in_every_row(source), node, place[feature], threshold)


_STEPS: dict[type[Node], Callable[[Writer, Any, int], Tensor | View]] = {
    Argmax: _argmax,
    Arithmetic: _arithmetic,
    Choose: _choose,
    Concatenate: _concatenate,
    Constant: _constant,
    Count: _count,
    Dense: _dense,
    Elementwise: _elementwise,
    Interpolate: _interpolate,
    Lookup: _lookup,
    Numbers: _numbers,
    Ramps: _ramps,
    Reduce: _reduce,
    Select: _select,
    Softmax: _softmax,
    Sort: _sort,
    Trees: _trees,
    WeightedSum: _weighted_sum,
}

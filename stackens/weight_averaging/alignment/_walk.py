"""One walk through the operators of a graph: what each does with the units of its operands."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import torch

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Run, Value, find
from stackens.weight_averaging.alignment._graph import Graph
from stackens.weight_averaging.alignment.operators import Call, rule_of
from stackens.weight_averaging.alignment.operators._rules import Result, values_in

__all__ = ["Sizes", "Walk"]

Sizes = tuple[tuple[tuple[int, ...], ...], ...]  # per axis, per run: sizes of the factors

# A tensor without entries, or with as many as the data say: nothing is known of it, nor of what it
# meets.
_OTHER_SHAPE = object()

Time = tuple[float, ...]  # place of a node; what follows are places in blocks inside it

# Blocks of code: with torch.no_grad() and with torch.autocast(...).
_BLOCKS = ("wrap_with_set_grad_enabled", "wrap_with_autocast")

# These look at shapes and types only.
_ASK_NOTHING = ("_assert", "sym_", "_guard")


class Walk:
    """One walk through the operators of a graph.

    Attributes
    ----------
    axes : Axes
        What was learnt.
    parameters : dict of str to Value
        In the order of their first use.
    """

    def __init__(self, graph: Graph, divided: Mapping[str, Sizes], settled: bool) -> None:
        self.axes = Axes(settled)
        self.axes.notes += graph.notes
        self.parameters: dict[str, Value] = {}
        self._graph = graph
        self._divided = divided
        self._known: dict[Any, Any] = {}
        self._changed: set[Any] = set()  # nodes that were changed in place
        self._base: dict[Any, Any] = {}  # node -> the one whose memory it may share
        self._results: dict[Any, Any] = {}  # node of a block -> the nodes that it returns
        self._last_use: dict[Any, Time] = {}
        self._walk(graph.nodes, ())

    def sizes(self) -> dict[str, Sizes]:
        """Return how the axes of each parameter are divided in the end."""
        return {
            name: tuple(
                tuple(sizes for run in axis for sizes in _sizes(run))
                for axis in self.axes.resolved(value).axes
            )
            for name, value in self.parameters.items()
        }

    def values(self) -> dict[Any, Value]:
        """Return what is known of each tensor at the moment at which a node computes it."""
        return {
            node: self.axes.resolved(value, plain=False)
            for node, value in self._known.items()
            if node.op == "call_function" and isinstance(value, Value) and node not in self._changed
        }

    def _walk(self, nodes: list[Any], before: Time) -> None:
        times = {node: (*before, k) for k, node in enumerate(nodes)}
        for node in nodes:
            uses = [(math.inf,) if user.op == "output" else times[user] for user in node.users]
            self._last_use[node] = max(uses, default=())
        for node, time in times.items():
            self._visit(time, node)

    def _visit(self, time: Time, node: Any) -> None:
        if node.op == "output" and node.graph is self._graph.nodes[0].graph:
            self._pin(self._arguments(node.args, plain=True))
        elif node.op == "call_function" and node.target is operator.getitem:
            source, index = node.args
            found = self._known[source]
            self._known[node] = found[index] if isinstance(found, (tuple, list)) else found
            origin = self._results[source][index] if source in self._results else source
            self._base[node] = self._base.get(origin, origin)
        elif node.op == "call_function":
            self._known[node] = self._called(time, node)

    def _start(self, node: Any) -> Any:
        """Return what is known of a placeholder or an attribute, when it is first used."""
        example = node.meta.get("val")
        tensor = self._graph.constants.get(node.name)
        if node.op == "get_attr":
            tensor = example = getattr(node.graph.owning_module, node.target, None)
        if node.name in self._graph.parameters:
            name = self._graph.parameters[node.name]
            if name not in self.parameters:
                self.parameters[name] = self._parameter(name, example.shape)
            return self.parameters[name]
        if not isinstance(example, torch.Tensor):
            return example
        if not _has_fixed_shape(example):
            return _OTHER_SHAPE
        if tensor is not None and tensor.numel() and bool((tensor == tensor.flatten()[0]).all()):
            return Value(tuple(self.axes.free(size) for size in tensor.shape))
        return self.axes.constant(example.shape)

    def _parameter(self, name: str, shape: tuple[int, ...]) -> Value:
        divided = self._divided.get(name, tuple(((size,),) for size in shape))
        labelled = name not in self._graph.unlearnt
        return Value(
            tuple(
                tuple(self.axes.free(*sizes, labelled=labelled)[0] for sizes in runs)
                for runs in divided
            ),
            name=name,
        )

    def _arguments(self, argument: Any, plain: bool) -> Any:
        if isinstance(argument, torch.fx.Node):
            if argument not in self._known:
                self._known[argument] = self._start(argument)
            found = self._known[argument]
            return self.axes.resolved(found, plain) if isinstance(found, Value) else found
        if isinstance(argument, (list, tuple)):
            return [self._arguments(item, plain) for item in argument]
        if isinstance(argument, dict):
            return {key: self._arguments(item, plain) for key, item in argument.items()}
        return argument

    # ------------------------------------------------------------ calls

    def _called(self, time: Time, node: Any) -> Any:
        schema = getattr(node.target, "_schema", None)
        name = schema.name.partition("::")[2] if schema else str(node.target)
        if name.startswith(_ASK_NOTHING):
            return None
        if name in _BLOCKS:
            return self._inside(time, node)
        outputs = _tensors(node.meta.get("val"))
        fixed = all(_has_fixed_shape(tensor) for tensor in outputs) and not any(
            self._known.get(source) is _OTHER_SHAPE for source in node.all_input_nodes
        )
        changes_input = schema is not None and schema.is_mutable
        in_place = changes_input and name.endswith("_")
        name = name.removesuffix("_") if in_place else name
        rule = rule_of(name) if schema is not None and schema.name.startswith("aten::") else None
        shares = in_place or (rule is not None and rule.moves_only) or _is_view(schema)
        first = node.args[0] if node.args and isinstance(node.args[0], torch.fx.Node) else None
        if shares and first is not None:
            self._base[node] = self._base.get(first, first)
        result: Result = None
        clash: list[Any] = []
        for changed in ([first] if in_place else node.all_input_nodes) if changes_input else []:
            clash += self._others_that_change(time, node, changed)
        if rule is not None and fixed and not clash and in_place == changes_input:
            call = Call(
                name,
                _bound(
                    schema, node, lambda arg: self._arguments(arg, plain=not rule.takes_choices)
                ),
                tuple(tuple(out.shape) for out in outputs),
                bool(outputs) and outputs[0].is_floating_point(),
            )
            self.axes.held = False
            result = rule.function(self.axes, call)
            if self.axes.held and any(map(_holds_numbers, node.all_input_nodes)):
                self._note(node, name, "some units have to stay in their order")
        if result is None:
            result = self._unknown(node, name, clash)
        if in_place:
            self._known[first] = result
            self._changed.add(first)
        return result

    def _inside(self, time: Time, node: Any) -> Any:
        """Walk through a block that is a graph of its own, with the tensors that it is given."""
        given = [arg for arg in node.args if isinstance(arg, torch.fx.Node)]
        nodes = list(self._arguments(given[0], plain=False).graph.nodes)
        inputs = [inner for inner in nodes if inner.op == "placeholder"]
        for inner, source in zip(inputs, given[1:], strict=True):
            self._known[inner] = self._arguments(source, plain=False)
            self._base[inner] = self._base.get(source, source)
        self._walk(nodes, time)
        self._results[node] = nodes[-1].args[0]
        return tuple(self._known[result] for result in self._results[node])

    def _others_that_change(self, time: Time, node: Any, first: Any) -> list[Any]:
        """Return nodes used later that may see what an operator changes in place."""
        base = self._base.get(first, first)
        if base.op != "call_function":
            return [base]  # a tensor of the module itself, or an input
        return [
            other
            for other in self._known
            if other not in (first, node)
            and self._base.get(other, other) is base
            and self._last_use[other] > time
        ]

    def _unknown(self, node: Any, name: str, others: list[Any]) -> Any:
        """Hold everything that an operator touches where it is."""
        operands = self._arguments([*node.args, *node.kwargs.values(), *others], plain=True)
        if not all(self.axes.is_pinned(a) for value in values_in(operands) for a in value.axes):
            self._note(node, name, "not known, so that what it touches stays as it is")
        self._pin(operands)
        outputs = [
            self.axes.constant(out.shape) if _has_fixed_shape(out) else _OTHER_SHAPE
            for out in _tensors(node.meta.get("val"))
        ]
        return outputs[0] if len(outputs) == 1 and not _is_list(node) else tuple(outputs)

    def _note(self, node: Any, name: str, what: str) -> None:
        stack = list((node.meta.get("nn_module_stack") or {"": ("", "")}).values())
        self.axes.notes.append(f"{name} in {stack[-1][0] or self._graph.module_name}: {what}")

    def _pin(self, operands: Any) -> None:
        for value in values_in(operands):
            for axis in value.axes:
                self.axes.pin(axis)


def _sizes(run: Run) -> list[tuple[int, ...]]:
    sizes = tuple(factor.size for factor in run)
    if len(run) > 1 and find(run[0].variable)[0].stacked:
        return [sizes[1:]] * sizes[0]  # each selected index is on its own
    return [sizes]


def _tensors(example: Any) -> list[torch.Tensor]:
    if isinstance(example, torch.Tensor):
        return [example]
    if isinstance(example, (list, tuple)):
        return [tensor for item in example for tensor in _tensors(item)]
    return []


def _holds_numbers(node: Any) -> bool:
    """Whether a node has tensors of anything but whole numbers, such as lengths."""
    kinds = [tensor.dtype for tensor in _tensors(node.meta.get("val"))]
    return any(kind.is_floating_point or kind.is_complex for kind in kinds)


def _has_fixed_shape(tensor: torch.Tensor) -> bool:
    return all(isinstance(size, int) and size > 0 for size in tensor.shape)


def _is_list(node: Any) -> bool:
    return isinstance(node.meta.get("val"), (list, tuple))


def _is_view(schema: Any) -> bool:
    return schema is not None and any(output.alias_info is not None for output in schema.returns)


def _bound(schema: Any, node: Any, known: Any) -> dict[str, Any]:
    """Return the arguments of a call by name, defaults filled in."""
    arguments = {}
    for position, argument in enumerate(schema.arguments):
        if position < len(node.args):
            arguments[argument.name] = known(node.args[position])
        elif argument.name in node.kwargs:
            arguments[argument.name] = known(node.kwargs[argument.name])
        elif argument.has_default_value():
            arguments[argument.name] = argument.default_value
    return arguments

"""What the units of networks answer to the same rows, at the places where units can be seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._outputs import mlp_layers
from stackens.weight_averaging.alignment._scikit_learn import mlp_symmetry
from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment.matching._activations import Activations

__all__ = ["Answers", "mlp_answers", "torch_answers"]

Arrays = Mapping[str, NDArray]
Answers = Callable[[Sequence[Arrays]], dict[str, Activations]]

# Of a table; the rest is left out, by chance. Correlations are then known to about one percent, and
# the tables of deep and wide networks stay in memory.
_MOST_ROWS = 5_000
_MOST_ENTRIES = 5_000_000


def torch_answers(module: Any, rows: Any, constants: Collection[str] = frozenset()) -> Answers:
    """Return a function from the tensors of networks to what their units answer.

    Every group of units is seen twice, where it is computed first and where last: before and after
    an activation function, at the begin and the end of a residual stream. Units inside one
    operator, such as those of all but the last of stacked recurrent layers, are not seen.
    Infinite answers, as under a mask, count as zero.

    Parameters
    ----------
    module : torch.nn.Module
        Runs in evaluation mode, as a copy.
    rows : inputs, or list of inputs
        Of ``forward``; a tuple holds several, a dict those given by name. A list holds batches,
        all of the same shapes; a last, smaller one is left out.
    constants : collection of str, default=frozenset()
        Names of tensors that must stay as they are.

    Raises
    ------
    ValueError
        If the module cannot be traced, batches are of other shapes, rows are too few, or an
        answer is NaN.
    """
    from torch.utils._pytree import tree_leaves

    from stackens.weight_averaging.alignment._graph import Graph
    from stackens.weight_averaging.alignment._torch import walked

    batches = rows if isinstance(rows, list) else [rows]
    shapes = [[np.shape(leaf) for leaf in tree_leaves(batch)] for batch in batches]
    if len(shapes) > 1 and shapes[-1] != shapes[0]:
        batches, shapes = batches[:-1], shapes[:-1]
    if not batches or any(shape != shapes[0] for shape in shapes):
        raise ValueError(
            "The batches in 'activations' must all have the same shapes, but for the last. Got "
            f"{len(batches)} batches, with shapes {shapes}. Cut rows into batches of one size, or "
            "give them as one."
        )
    graph = Graph(module, batches[0], constants)
    places = _places(graph, walked(graph))

    def answers(states: Sequence[Arrays]) -> dict[str, Activations]:
        tables = [_tables(graph, places, state, batches) for state in states]
        return {
            name: _seen(name, parts, [table[name] for table in tables])
            for name, (_, _, parts) in places.items()
        }

    return answers


def mlp_answers(model: Any, rows: Any) -> Answers:
    """Return a function from the tensors of scikit-learn's MLPs to what their units answer.

    Every hidden layer is seen before and after its activation function.

    Parameters
    ----------
    model : estimator
    rows : array of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If rows are too few, or an answer is NaN.
    """
    layout = mlp_symmetry(model).layout
    layers = mlp_layers(model, np.asarray(rows, np.float64))

    def answers(states: Sequence[Arrays]) -> dict[str, Activations]:
        hidden = [list(layers(state))[:-1] for state in states]
        found = {}
        for i, sides in enumerate(zip(*hidden, strict=True)):
            for when, tables in zip(("before", "after"), zip(*sides, strict=True), strict=True):
                name = f"layer {i}, {when} its activation"
                kept = _kept(tables[0].shape)
                parts = layout[f"coefs_.{i}"][1]
                found[name] = _seen(name, parts, [table[kept] for table in tables])
        return found

    return answers


def _seen(name: str, parts: tuple[Part, ...], tables: list[NDArray]) -> Activations:
    """Return answers at one place, after a look at them."""
    if len(tables[0]) < 2 or any(np.isnan(table).any() for table in tables):
        raise ValueError(
            "To 'activations' all networks must answer with numbers, to two rows or more. Got "
            f"{len(tables[0])} answers at {name!r}, "
            f"{sum(int(np.isnan(table).any(axis=1).sum()) for table in tables)} of them with NaN "
            "in the networks together. Give more rows, without NaN, of the kind that the networks "
            "were trained on."
        )
    return Activations(parts, [np.where(np.isfinite(table), table, 0.0) for table in tables])


def _places(graph: Any, walk: Any) -> dict[str, tuple[Any, int, tuple[Part, ...]]]:
    """Return places at which units are seen: a node, the axis of their units and its parts."""
    from stackens.weight_averaging.alignment._collected import collected

    values = walk.values()
    nodes = {
        f"output of {node.name}": node  # not the name of a parameter
        for node in _answering(graph)
        if node in values and node.users and node.meta["val"].is_floating_point()
    }
    others = {name: values[node] for name, node in nodes.items()}
    layout = collected(walk.axes, walk.parameters, others).layout
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    places = {}
    known = set()
    for name, node in nodes.items():
        moving = [
            (node, k, parts)
            for k, parts in enumerate(layout.get(name, ()))
            if any(part.units is not None for part in parts)
        ]
        if len(moving) != 1:
            continue
        known.add(node)
        if _only_moves(node) and node.args[0] in known:
            continue  # the same answers, or some of them, once more
        (places[name],) = moving
        for units in (part.units for part in moving[0][2] if part.units is not None):
            first.setdefault(units, name)
            last[units] = name
    chosen = {*first.values(), *last.values()}
    return {name: place for name, place in places.items() if name in chosen}


def _only_moves(node: Any) -> bool:
    """Whether an operator computes nothing: views, selections, casts."""
    from stackens.weight_averaging.alignment.operators import rule_of

    schema = getattr(node.target, "_schema", None)
    rule = None if schema is None else rule_of(schema.name.removeprefix("aten::"))
    return rule is not None and rule.moves_only


def _answering(graph: Any) -> Iterator[Any]:
    """Nodes, in their order, whose results depend on the inputs."""
    depends = set()
    for node in graph.nodes:
        own = node.name in graph.parameters or node.name in graph.constants
        if node.op == "placeholder" and not own:
            depends.add(node)
        elif not depends.isdisjoint(node.all_input_nodes):
            depends.add(node)
            yield node


def _tables(graph: Any, places: Any, state: Arrays, batches: list[Any]) -> dict[str, NDArray]:
    """Run a network; return for each place a table of shape (n_samples, length)."""
    import torch

    pieces: dict[str, list[NDArray]] = {name: [] for name in places}
    watched = {node: (name, axis) for name, (node, axis, _) in places.items()}

    class Watched(torch.fx.Interpreter):
        def run_node(self, node: Any) -> Any:
            result = super().run_node(node)
            if node in watched:
                name, axis = watched[node]
                seen = result.movedim(axis, -1)
                seen = seen.reshape(-1, seen.shape[-1])
                kept = torch.from_numpy(_kept(seen.shape, len(batches)))
                seen = seen[kept.to(seen.device)].cpu()
                pieces[name].append(seen.to(torch.promote_types(seen.dtype, torch.float32)).numpy())
            return result

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # noise in forward is the same for all networks
        for batch in batches:
            inputs = graph.inputs(state, batch)
            Watched(graph.module).run(*inputs, enable_io_processing=False)
    return {name: np.concatenate(found) for name, found in pieces.items()}


def _kept(shape: tuple[int, ...], n_tables: int = 1) -> NDArray:
    """Return which rows of a table are kept: always the same for tables of one shape."""
    most = min(_MOST_ROWS, _MOST_ENTRIES // shape[1]) // n_tables
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(shape[0], size=min(shape[0], max(most, 1)), replace=False))

"""What of a program may be computed in single precision, and what never yields NaN."""

from __future__ import annotations

import numpy as np

from stackens.export.program import (
    Argmax,
    Arithmetic,
    Concatenate,
    Constant,
    Dense,
    Elementwise,
    Lookup,
    Node,
    Program,
    Reduce,
    Select,
    Softmax,
    Sort,
    Trees,
    WeightedSum,
)

__all__ = ["finite_nodes", "mixed_only", "single_nodes"]

_SINGLE_FUNCTIONS = {"absolute", "erf", "negative", "sigmoid", "tanh"}
_SINGLE_FUNCTIONS |= {"add", "maximum", "minimum", "multiply", "subtract"}
_BOUNDED = {"erf", "sigmoid", "tanh"}
_FLAGS = {"is_missing", "is_finite", "less", "less_equal", "equal"}
_CHOICES = {"maximum", "minimum"}


def mixed_only(program: Program) -> set[int]:
    """Find nodes that reach the output only through means and the like.

    What is off by 1e-16 there stays so, while the logarithm of a probability of 1e-17 would not.
    """
    consumers = _consumers(program)
    found: set[int] = set()
    for i in reversed(range(len(program.nodes))):
        if all(j in found and _mixes(program, j, i) for j in consumers[i]):
            found.add(i)
    return found


def _mixes(program: Program, position: int, source: int) -> bool:
    """Say whether a step does no more to a source than weigh, shift or move it."""
    node = program.nodes[position]
    if isinstance(node, Arithmetic):
        other = program.nodes[node.right if node.left == source else node.left]
        by_constant = isinstance(other, Constant) and node.left != node.right
        if node.function == "divide":
            return by_constant and node.left == source
        return by_constant and node.function in ("add", "subtract")
    return isinstance(node, Concatenate | Select | WeightedSum)


def _consumers(program: Program) -> dict[int, list[int]]:
    """Return for each node those that read it."""
    consumers: dict[int, list[int]] = {i: [] for i, _ in program}
    for i, node in program:
        for source in node.sources:
            consumers[source].append(i)
    return consumers


def single_nodes(program: Program) -> set[int]:
    """Find the steps between two layers of a network of single precision, such as activations.

    What follows the last layer (temperatures, the scale of a target) is computed in double.
    """
    consumers = _consumers(program)
    ends = {program.output, program.refused}
    candidates = {i for i, node in program if _may_be_single(node) and i not in ends}
    while True:
        kept = {
            i
            for i in candidates
            if all(j in candidates or _is_single_layer(program.nodes[j]) for j in consumers[i])
            and all(
                j in candidates
                or _is_single_layer(program.nodes[j])
                or isinstance(program.nodes[j], Constant)
                for j in program.nodes[i].sources
            )
        }
        if kept == candidates:
            return kept
        candidates = kept


def _may_be_single(node: Node) -> bool:
    return isinstance(node, Elementwise | Arithmetic) and node.function in _SINGLE_FUNCTIONS


def _is_single_layer(node: Node) -> bool:
    return isinstance(node, Dense) and node.weights.dtype == np.float32


def finite_nodes(program: Program) -> set[int]:
    """Find nodes that are finite for every row whatsoever."""
    finite: set[int] = set()
    for i, node in program:
        if _is_finite(node, sources_finite=finite.issuperset(node.sources)):
            finite.add(i)
    return finite


def _is_finite(node: Node, *, sources_finite: bool) -> bool:
    if isinstance(node, Constant):
        return bool(np.isfinite(node.values).all())
    if isinstance(node, Lookup):
        parts = (node.values, node.missing, node.unknown)
        return all(bool(np.isfinite(part).all()) for part in parts)
    if isinstance(node, Trees):
        with np.errstate(over="ignore"):
            reach = np.abs(node.leaf).max(initial=0.0) * node.n_trees + np.abs(node.base).max()
        return bool(np.isfinite(reach))
    if isinstance(node, Elementwise):
        if node.function in _FLAGS:
            return True
        return node.function in _BOUNDED and sources_finite
    if isinstance(node, Arithmetic):
        return node.function in _FLAGS or (node.function in _CHOICES and sources_finite)
    if isinstance(node, Reduce):
        return node.function != "sum" and sources_finite
    if isinstance(node, Argmax):
        return True
    return isinstance(node, Concatenate | Select | Softmax | Sort) and sources_finite

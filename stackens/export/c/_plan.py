"""Decides which steps get room for their matrix, and where; the others are written as expressions.

The rows of a block go through the program together. Each step that needs it has a matrix in one
piece of scratch memory, and takes over the place of one that nobody reads any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    Trees,
    WeightedSum,
)

__all__ = ["Plan", "is_run", "plan_of", "scratch_of_trees"]

_CHEAP = (Constant, Numbers, Select)
_FUNCTIONS = (Arithmetic, Choose, Count, Elementwise, Interpolate)
# Steps that go through the matrix of their source in their own way.
_NEED_A_MATRIX = (Argmax, Dense, Ramps)
# Steps that read each number of a source once, from the first column to the last.
_LOOPS = (*_FUNCTIONS, Concatenate, Reduce, WeightedSum)
_DEEPEST = 8  # expressions within expressions


@dataclass(frozen=True)
class Plan:
    """Where the matrices are.

    Attributes
    ----------
    offset : dict of int -> int
        Place in the scratch memory, in numbers for one row, of each node that has a matrix there.
    trees_offset : dict of int -> int
        Likewise, of what the trees of a node read.
    width : int
        Numbers of scratch memory for each row.
    """

    offset: dict[int, int]
    trees_offset: dict[int, int]
    width: int


def is_run(node: Node) -> bool:
    """Whether a node is a run of neighbouring columns of the input: a matrix as it is."""
    return isinstance(node, Numbers) and bool(np.all(np.diff(node.columns) == 1))


def _is_cheap(node: Node) -> bool:
    """Whether a node's numbers are as easily written again as read from a matrix."""
    return isinstance(node, _CHEAP) or (
        isinstance(node, Lookup) and node.width == 1 and isinstance(node.keys, tuple)
    )


def scratch_of_trees(trees: Trees) -> int:
    """Return how many numbers the trees of a node read at most, and a 0 before them."""
    return 1 + 2 * len(set(trees.feature.tolist()))


def plan_of(program: Program) -> Plan:
    """Plan the memory of a program."""
    nodes = program.nodes
    readers: list[list[int]] = [[] for _ in nodes]
    for i, node in program:
        for source in node.sources:
            readers[source].append(i)
    ends = {end for end in (program.output, program.refused) if end is not None}
    inlined = _inlined(nodes, readers, ends)
    # A node that is written as an expression is read where its reader is.
    last_use = list(range(len(nodes)))
    for i in range(len(nodes) - 1, -1, -1):
        reached = [last_use[r] if r in inlined else r for r in readers[i]]
        last_use[i] = max([i, *reached])
    for end in ends:
        _keep_to_the_end(end, nodes, inlined, last_use)
    memory = _Memory()
    offset, trees_offset = {}, {}
    dying: dict[int, list[int]] = {}
    for i, node in program:
        if isinstance(node, Trees):
            trees_offset[i] = memory.take(scratch_of_trees(node))
        if i not in inlined and i != program.output:
            offset[i] = memory.take(node.width)
            dying.setdefault(last_use[i], []).append(i)
        if isinstance(node, Trees):
            memory.give_back(trees_offset[i], scratch_of_trees(node))
        for dead in dying.get(i, ()):
            memory.give_back(offset[dead], nodes[dead].width)
    return Plan(offset, trees_offset, memory.size)


def _keep_to_the_end(
    end: int, nodes: tuple[Node, ...], inlined: set[int], last_use: list[int]
) -> None:
    last_use[end] = len(nodes)
    if end in inlined:
        for source in nodes[end].sources:
            _keep_to_the_end(source, nodes, inlined, last_use)


def _inlined(nodes: tuple[Node, ...], readers: list[list[int]], ends: set[int]) -> set[int]:
    """Find the nodes that are written as expressions in the loops of those that read them."""
    found: set[int] = set()
    depth = [0] * len(nodes)
    for i, node in enumerate(nodes):
        inner = max((depth[s] for s in node.sources if s in found), default=0)
        if _is_cheap(node):
            as_matrix = any(isinstance(nodes[r], _NEED_A_MATRIX) for r in readers[i])
            if inner < _DEEPEST and (is_run(node) or not as_matrix):
                found.add(i)
        elif isinstance(node, _FUNCTIONS) and len(readers[i]) == 1 and i not in ends:
            reader = nodes[readers[i][0]]
            loops = isinstance(reader, _LOOPS) and (
                reader.width == node.width or isinstance(reader, (Concatenate, Reduce))
            )
            if loops and inner < _DEEPEST:
                found.add(i)
        depth[i] = inner + 1
    return found


class _Memory:
    """A row of numbers, parts of which are taken and given back."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # offset, width; rising, apart from each other

    def take(self, width: int) -> int:
        for place, (offset, room) in enumerate(self._free):
            if room >= width:
                rest = [(offset + width, room - width)] if room > width else []
                self._free[place : place + 1] = rest
                return offset
        offset = self.size
        self.size += width
        return offset

    def give_back(self, offset: int, width: int) -> None:
        joined: list[tuple[int, int]] = []
        for start, room in sorted([*self._free, (offset, width)]):
            if joined and sum(joined[-1]) == start:
                joined[-1] = (joined[-1][0], joined[-1][1] + room)
            else:
                joined.append((start, room))
        self._free = joined

"""Builds a program: readers of models ask for nodes here, and equal nodes are made once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program._nodes import (
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
    Reduce,
    Select,
    Softmax,
    Sort,
    WeightedSum,
)
from stackens.export.program._program import InputColumn, Kind, Program, Response, needed_nodes
from stackens.export.program._ramps import Ramps

__all__ = ["Graph"]

_Operand = int | float | np.ndarray


class Graph:
    """A program in the making.

    Every method that makes a step returns its position, by which others refer to it. Steps that
    change nothing (selecting all columns, adding 0, concatenating one matrix) are not made.

    Parameters
    ----------
    names : sequence of str
        Names of the columns of raw rows.
    named : bool, default=True
        Whether the source model was fitted on rows with names.
    """

    def __init__(self, names: Sequence[str], *, named: bool = True) -> None:
        self.names = tuple(names)
        self.named = named
        self._nodes: list[Node] = []
        self._position: dict[bytes, int] = {}
        self._kinds: list[set[Kind]] = [set() for _ in self.names]
        self._refused: list[int] = []
        self._in_single = False

    def __getitem__(self, position: int) -> Node:
        return self._nodes[position]

    def width(self, node: int) -> int:
        """Return the number of columns of a node's matrix."""
        return self._nodes[node].width

    def add(self, node: Node) -> int:
        """Add a step, or return the position of an equal one."""
        digest = _digest(node)
        if digest not in self._position:
            self._position[digest] = len(self._nodes)
            self._nodes.append(node)
        return self._position[digest]

    def reads_as(self, column: int) -> frozenset[Kind]:
        """Return the kinds that steps have read a column as, so far."""
        return frozenset(self._kinds[column])

    # --- input ------------------------------------------------------------------------------

    def numbers(self, columns: Sequence[int], kind: Kind = "number") -> int:
        """Read columns of the input as numbers, of kind "number", "datetime" or "timedelta"."""
        for column in columns:
            self._kinds[column].add(kind)
        return self.add(Numbers(len(columns), np.array(columns, dtype=np.int64)))

    def lookup(
        self,
        column: int,
        keys: Sequence[str] | np.ndarray,
        values: np.ndarray,
        *,
        missing: np.ndarray,
        unknown: np.ndarray,
    ) -> int:
        """Look one column up: as text where keys are text, else as numbers.

        Parameters
        ----------
        column : int
        keys : sequence of str, or float64 array of shape (n_keys,)
        values : array of shape (n_keys, width)
        missing, unknown : array of shape (width,)
        """
        values = np.asarray(values, dtype=np.float64)
        text = not isinstance(keys, np.ndarray)
        self._kinds[column].add("category" if text else "number")
        kept = tuple(keys) if text else np.asarray(keys, dtype=np.float64)
        ends = [np.asarray(end, dtype=np.float64) for end in (missing, unknown)]
        return self.add(Lookup(values.shape[1], column, kept, values, *ends))

    @property
    def reads_only_numbers(self) -> bool:
        """Whether no column was read as anything else than a number so far."""
        return all(kinds <= {"number"} for kinds in self._kinds)

    def note_single_precision(self) -> None:
        """Say that the source adds up in single precision what the steps add up in double."""
        self._in_single = True

    def refuse(self, node: int) -> None:
        """Say that the source model refuses rows in which this matrix is not finite."""
        if node not in self._refused:
            self._refused.append(node)

    def refuses(self, node: int) -> bool:
        """Whether rows in which this matrix is not finite are refused already."""
        return node in self._refused

    # --- layout -----------------------------------------------------------------------------

    def constant(self, values: _Operand) -> int:
        """Make a row of numbers."""
        row = np.atleast_1d(np.asarray(values, dtype=np.float64))
        return self.add(Constant(len(row), row))

    def select(self, source: int, columns: Sequence[int] | np.ndarray) -> int:
        """Take columns of a matrix."""
        columns = np.asarray(columns, dtype=np.int64)
        inner = self._nodes[source]
        if isinstance(inner, Numbers):
            return self.add(Numbers(len(columns), inner.columns[columns]))
        if isinstance(inner, Select):
            return self.select(inner.source, inner.columns[columns])
        if np.array_equal(columns, np.arange(inner.width)):
            return source
        if isinstance(inner, Concatenate) and len(columns):
            start = 0
            for part in inner.parts:
                if start <= columns.min() and columns.max() < start + self.width(part):
                    return self.select(part, columns - start)
                start += self.width(part)
        return self.add(Select(len(columns), source, columns))

    def concatenate(self, parts: Sequence[int]) -> int:
        """Put matrices side by side."""
        parts = tuple(part for part in parts if self.width(part) > 0)
        if len(parts) == 1:
            return parts[0]
        nodes = [self._nodes[part] for part in parts]
        if all(isinstance(node, Numbers) for node in nodes):
            columns = np.concatenate([node.columns for node in nodes])  # type: ignore[attr-defined]
            return self.add(Numbers(len(columns), columns))
        return self.add(Concatenate(sum(node.width for node in nodes), parts))

    # --- arithmetic -------------------------------------------------------------------------

    def elementwise(self, function: str, source: int) -> int:
        """Apply a function of `ELEMENTWISE` to each number."""
        return self.add(Elementwise(self.width(source), source, function))

    def arithmetic(self, function: str, left: int, right: int) -> int:
        """Apply a function of `ARITHMETIC` to two nodes."""
        width = max(self.width(left), self.width(right))
        return self.add(Arithmetic(width, left, right, function))

    def plus(self, source: int, values: _Operand) -> int:
        """Add a row of numbers, unless they are all 0."""
        return self._with_row("add", source, values, neutral=0.0)

    def minus(self, source: int, values: _Operand) -> int:
        """Subtract a row of numbers, unless they are all 0."""
        return self._with_row("subtract", source, values, neutral=0.0)

    def times(self, source: int, values: _Operand) -> int:
        """Multiply by a row of numbers, unless they are all 1."""
        return self._with_row("multiply", source, values, neutral=1.0)

    def over(self, source: int, values: _Operand) -> int:
        """Divide by a row of numbers, unless they are all 1."""
        return self._with_row("divide", source, values, neutral=1.0)

    def _with_row(self, function: str, source: int, values: _Operand, neutral: float) -> int:
        row = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if np.all(row == neutral):
            return source
        if np.all(row == row[0]):
            row = row[:1]
        return self.arithmetic(function, source, self.constant(row))

    def choose(self, condition: int, yes: int, no: int) -> int:
        """Take `yes` where the condition is not 0, else `no`."""
        width = max(self.width(condition), self.width(yes), self.width(no))
        return self.add(Choose(width, condition, yes, no))

    def clip(self, source: int, low: _Operand, high: _Operand) -> int:
        """Hold a matrix between two bounds; NaN stays."""
        at_least = self.arithmetic("maximum", source, self.constant(low))
        return self.arithmetic("minimum", at_least, self.constant(high))

    def fill_missing(self, source: int, values: _Operand) -> int:
        """Replace NaN by a number of each column (one that is NaN leaves it)."""
        if np.all(np.isnan(np.asarray(values, dtype=np.float64))):
            return source
        missing = self.elementwise("is_missing", source)
        row = np.broadcast_to(np.asarray(values, dtype=np.float64), (self.width(source),))
        return self.choose(missing, self.constant(row), source)

    def reduce(self, function: str, source: int) -> int:
        """Reduce each row to one number by a function of `REDUCTIONS`."""
        return self.add(Reduce(1, source, function))

    def weighted_sum(self, parts: Sequence[int], weights: Sequence[float] | np.ndarray) -> int:
        """Add matrices, each times its weight."""
        row = np.asarray(weights, dtype=np.float64)
        if len(parts) == 1 and row[0] == 1:
            return parts[0]
        return self.add(WeightedSum(self.width(parts[0]), tuple(parts), row))

    def mean(self, parts: Sequence[int]) -> int:
        """Return the mean of several matrices: their sum, then divided by their number."""
        return self.over(self.weighted_sum(parts, np.ones(len(parts))), float(len(parts)))

    def normalised(self, source: int) -> int:
        """Divide each row by its sum."""
        return self.arithmetic("divide", source, self.reduce("sum", source))

    def dense(self, source: int, weights: np.ndarray, bias: np.ndarray | None = None) -> int:
        """Multiply by weights of shape (n_in, n_out), and add a bias of shape (n_out,)."""
        if bias is None:
            bias = np.zeros(weights.shape[1], dtype=weights.dtype)
        bias = np.broadcast_to(np.asarray(bias, dtype=weights.dtype), (weights.shape[1],))
        return self.add(Dense(weights.shape[1], source, weights, bias))

    def ramps(
        self,
        source: int,
        column: np.ndarray,
        left: np.ndarray,
        slope: np.ndarray,
        weights: np.ndarray,
    ) -> int:
        """Add ramps of columns, each times its row of weights."""
        return self.add(Ramps(weights.shape[-1], source, column, left, slope, weights))

    def softmax(self, source: int) -> int:
        """Turn rows of logits into probabilities."""
        return self.add(Softmax(self.width(source), source))

    def two_classes(self, second: int) -> int:
        """Turn the probability of the second class, width 1, into those of both."""
        first = self.arithmetic("subtract", self.constant(1.0), second)
        return self.concatenate([first, second])

    def sort(self, source: int) -> int:
        """Sort the numbers of each row."""
        return self.add(Sort(self.width(source), source))

    def argmax(self, source: int) -> int:
        """Find the position of the largest number of each row, the first of equals."""
        return self.add(Argmax(1, source))

    def one_hot(self, positions: int, width: int) -> int:
        """Turn positions, width 1, into rows with a 1 at that place."""
        return self.arithmetic("equal", positions, self.constant(np.arange(width)))

    def interpolate(self, source: int, x: np.ndarray, y: np.ndarray) -> int:
        """Interpolate one column between knots, constant beyond them."""
        return self.add(Interpolate(1, source, np.asarray(x, float), np.asarray(y, float)))

    def count(self, source: int, edges: np.ndarray) -> int:
        """Count the edges that are at most x, for one column."""
        return self.add(Count(1, source, np.asarray(edges, float)))

    # --- the whole --------------------------------------------------------------------------

    def program(
        self,
        output: int,
        response: Response,
        classes: np.ndarray | None = None,
        *,
        one_target: bool = True,
    ) -> Program:
        """Return the program that answers with a node, without steps that it does not need.

        Raises
        ------
        ExportError
            If a column is read in ways that exclude each other.
        """
        kinds = [
            _one_kind(name, kinds) for name, kinds in zip(self.names, self._kinds, strict=True)
        ]
        refused = self._refused and self.concatenate(self._refused)
        ends = [output, refused] if isinstance(refused, int) else [output]
        needed = needed_nodes(self._nodes, ends)
        place = {old: new for new, old in enumerate(needed)}
        nodes = [_moved(self._nodes[old], place) for old in needed]
        program = Program(
            tuple(InputColumn(n, k) for n, k in zip(self.names, kinds, strict=True)),
            self.named,
            tuple(_numeric_keys(node, kinds) for node in nodes),
            place[output],
            response,
            classes,
            place[refused] if isinstance(refused, int) else None,
            one_target,
            self._in_single,
        )
        read = set(program.read_columns())
        columns = enumerate(program.columns)
        return replace(
            program,
            columns=tuple(c if i in read else InputColumn(c.name, "number") for i, c in columns),
        )


def _digest(node: Node) -> bytes:
    """Return a key that two nodes share only where they are the same step."""
    key = hashlib.sha256(type(node).__name__.encode())
    for field in fields(node):
        _feed(key, getattr(node, field.name))
    return key.digest()


def _feed(key: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        key.update(f"{value.dtype.str}{value.shape}".encode())
        key.update(np.ascontiguousarray(value).data)
    elif isinstance(value, tuple):
        key.update(f"({len(value)}".encode())
        for item in value:
            _feed(key, item)
    else:
        key.update(f"{value!r};".encode())


def _one_kind(name: str, kinds: set[Kind]) -> Kind:
    if kinds == {"number", "category"}:
        return "number"
    if len(kinds) > 1:
        raise ExportError(
            f"A column must be read in one way. Got {name!r}, which parts of the model read as "
            f"{' and as '.join(sorted(kinds))}. Give them two columns, one for each way."
        )
    return next(iter(kinds), "number")


def _moved(node: Node, place: dict[int, int]) -> Node:
    changes: dict[str, Any] = {}
    for name in node.source_fields:
        old = getattr(node, name)
        changes[name] = tuple(place[p] for p in old) if isinstance(old, tuple) else place[old]
    return replace(node, **changes) if changes else node


def _numeric_keys(node: Node, kinds: Sequence[Kind]) -> Node:
    """Turn a lookup of text into one of numbers, where another step reads the column as numbers.

    A category's text is then that of a number; other texts can never come.
    """
    if not isinstance(node, Lookup) or isinstance(node.keys, np.ndarray):
        return node
    if kinds[node.column] == "category":
        return node
    numbers = [_number_of(key) for key in node.keys]
    first = {number: i for i, number in reversed(list(enumerate(numbers))) if number is not None}
    kept = sorted(first.values())
    keys = np.array([numbers[i] for i in kept], dtype=np.float64)
    return replace(node, keys=keys, values=node.values[kept])


def _number_of(text: str) -> float | None:
    """Return the number whose level is written as this text, or None where it is another's."""
    if text in ("True", "False"):
        return float(text == "True")
    try:
        number = float(text)
    except ValueError:
        return None
    if math.isnan(number):
        return None
    whole = number.is_integer() and abs(number) < 2**53
    return number if text == (str(int(number)) if whole else str(number)) else None

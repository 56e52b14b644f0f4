"""Writes the numbers of steps as C expressions, in row r of a block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackens.export.c._literals import array, number
from stackens.export.c._plan import plan_of
from stackens.export.program import (
    Arithmetic,
    Choose,
    Constant,
    Count,
    Elementwise,
    Interpolate,
    Lookup,
    Node,
    Numbers,
    Program,
    Select,
)

__all__ = ["ARITHMETIC", "Expressions"]

ELEMENTWISE = {
    "absolute": "fabs({0})",
    "erf": "erf({0})",
    "exp": "exp({0})",
    "floor": "floor({0})",
    "is_finite": "(double)is_finite({0})",
    "is_missing": "(double)is_missing({0})",
    "log": "log({0})",
    "negative": "(-({0}))",
    "round_single": "round_single({0})",
    "sigmoid": "sigmoid({0})",
    "sign": "sign({0})",
    "softplus": "softplus({0})",
    "sqrt": "sqrt({0})",
    "tanh": "tanh({0})",
    "truncate": "trunc({0})",
}
ARITHMETIC = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "power": "pow({0}, {1})",
    "minimum": "smallest({0}, {1})",
    "maximum": "largest({0}, {1})",
    "less": "(double)({0} < {1})",
    "less_equal": "(double)({0} <= {1})",
    "equal": "(double)({0} == {1})",
}


class Expressions:
    """Expressions for the numbers of a program's steps, and the constants that they need.

    In C, ``x`` are the numbers of the rows of a block, ``k`` the codes of their categories, ``s``
    the scratch memory, ``room`` the number of rows that it is made for, ``r`` a row.

    Parameters
    ----------
    program : Program
    place : sequence of int
        Position of each of the program's columns among the numbers, or among the codes.
    keys : dict of int -> list of str
        Texts of each column of categories; their codes are 2, 3, ...

    Attributes
    ----------
    plan : Plan
    data : list of str
        Declarations of constants.
    """

    def __init__(self, program: Program, place: Sequence[int], keys: dict[int, list[str]]) -> None:
        self.program = program
        self.plan = plan_of(program)
        self.data: list[str] = []
        self._place = np.asarray(place, dtype=np.int64)
        self._keys = keys
        self._declared: set[str] = set()
        self._n_codes = sum(column.kind == "category" for column in program.columns)
        self._n_numbers = len(program.columns) - self._n_codes

    def has_matrix(self, i: int) -> bool:
        """Whether a node's numbers are kept, in the scratch memory or as the answer."""
        return i in self.plan.offset or i == self.program.output

    def matrix(self, i: int) -> str:
        """Return an expression for the place of a node's first number."""
        node = self.program.nodes[i]
        if i == self.program.output:
            return "out"
        if not self.has_matrix(i) and isinstance(node, Numbers):  # a run of columns
            return f"(x + {self._place[node.columns[0]]})"
        return f"(s + {self.plan.offset[i]} * room)"

    def distance(self, i: int) -> int:
        """Return the distance between the rows of a node's matrix."""
        return self.program.nodes[i].width if self.has_matrix(i) else self._n_numbers

    def at(self, i: int, j: str) -> str:
        """Return an expression for a node's number in column j, itself an expression."""
        width = self.program.nodes[i].width
        if self.has_matrix(i):
            return f"{self.matrix(i)}[r * {width} + {j}]" if width > 1 else f"{self.matrix(i)}[r]"
        return self.computed(i, j if width > 1 else "0")

    def computed(self, i: int, j: str) -> str:
        """Return the expression that a node's number in column j is computed by."""
        node = self.program.nodes[i]
        return _EXPRESSIONS[type(node)](self, i, node, j)

    def constant(self, name: str, values: np.ndarray, c_type: str | None = None) -> str:
        """Declare a constant array once, and return its name."""
        if name not in self._declared:
            self._declared.add(name)
            self.data.append(array(name, values, c_type))
        return name

    def function(self, name: str, text: Callable[[], str]) -> str:
        """Define a function once, and return its name."""
        if name not in self._declared:
            self._declared.add(name)
            self.data.append(text())
        return name

    def position(self, name: str, positions: np.ndarray, j: str) -> str:
        """Return an expression for the j-th of some positions."""
        if j.isdigit():
            return str(positions[int(j)])
        if np.all(np.diff(positions) == 1):
            return f"({j} + {positions[0]})" if positions[0] else j
        return f"{self.constant(name, positions.astype(np.int32))}[{j}]"

    def table(self, i: int, node: Lookup) -> np.ndarray:
        """Return the rows of a lookup for codes 0 (missing), 1 (unknown) and those of its keys."""
        if isinstance(node.keys, np.ndarray):
            known = node.values[np.argsort(node.keys)]
            return np.vstack([node.missing, node.unknown, known])
        place = {key: row for row, key in enumerate(node.keys)}
        rows = np.vstack([node.values, node.unknown])
        own = [place.get(key, -1) for key in self._keys[node.column]]
        return np.vstack([node.missing, node.unknown, rows[np.array(own, dtype=np.intp)]])

    def code(self, i: int, node: Lookup) -> str:
        """Return an expression for the row of a lookup's table that a row of the input gets."""
        place = self._place[node.column]
        if not isinstance(node.keys, np.ndarray):
            return f"k[r * {self._n_codes} + {place}]"
        keys = self.constant(f"k_{i}", np.sort(node.keys))
        return f"code_of_number(x[r * {self._n_numbers} + {place}], {keys}, {len(node.keys)})"

    def _numbers(self, i: int, node: Numbers, j: str) -> str:
        return f"x[r * {self._n_numbers} + {self.position(f'i_{i}', self._place[node.columns], j)}]"

    def _constant(self, i: int, node: Constant, j: str) -> str:
        if j.isdigit():
            return number(node.values[int(j)])
        if len(np.unique(node.values.view(np.int64))) == 1:
            return number(node.values[0])
        return f"{self.constant(f'c_{i}', node.values)}[{j}]"

    def _select(self, i: int, node: Select, j: str) -> str:
        if self.program.nodes[node.source].width == 1:
            return self.at(node.source, "0")
        return self.at(node.source, self.position(f"i_{i}", node.columns, j))

    def _lookup(self, i: int, node: Lookup, j: str) -> str:
        table = self.constant(f"l_{i}", self.table(i, node))
        return f"{table}[{self.code(i, node)}]"

    def _elementwise(self, i: int, node: Elementwise, j: str) -> str:
        return ELEMENTWISE[node.function].format(self.at(node.source, j))

    def _arithmetic(self, i: int, node: Arithmetic, j: str) -> str:
        return ARITHMETIC[node.function].format(self.at(node.left, j), self.at(node.right, j))

    def _choose(self, i: int, node: Choose, j: str) -> str:
        condition, yes, no = (self.at(source, j) for source in node.sources)
        return f"({condition} != 0 ? {yes} : {no})"

    def _interpolate(self, i: int, node: Interpolate, j: str) -> str:
        with np.errstate(all="ignore"):
            slope = np.diff(node.y) / np.diff(node.x)
        names = [
            self.constant(f"{letter}_{i}", values)
            for letter, values in (("x", node.x), ("y", node.y), ("m", slope))
        ]
        return f"interpolate({self.at(node.source, j)}, {', '.join(names)}, {len(node.x)})"

    def _count(self, i: int, node: Count, j: str) -> str:
        edges = self.constant(f"e_{i}", node.edges)
        return f"count_edges({self.at(node.source, j)}, {edges}, {len(node.edges)})"


_EXPRESSIONS: dict[type[Node], Callable[[Expressions, int, Any, str], str]] = {
    Arithmetic: Expressions._arithmetic,
    Choose: Expressions._choose,
    Constant: Expressions._constant,
    Count: Expressions._count,
    Elementwise: Expressions._elementwise,
    Interpolate: Expressions._interpolate,
    Lookup: Expressions._lookup,
    Numbers: Expressions._numbers,
    Select: Expressions._select,
}

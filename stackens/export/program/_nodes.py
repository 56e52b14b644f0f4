"""The vocabulary that every exported model is written in: a few kinds of steps on matrices.

Each step yields a matrix of doubles with a row for each row of the input. A model is read into
such steps once, and each target (ONNX, numpy, C) knows how to write each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

__all__ = [
    "ARITHMETIC",
    "ELEMENTWISE",
    "REDUCTIONS",
    "Argmax",
    "Arithmetic",
    "Choose",
    "Concatenate",
    "Constant",
    "Count",
    "Dense",
    "Elementwise",
    "Interpolate",
    "Lookup",
    "Node",
    "Numbers",
    "OneSource",
    "Reduce",
    "Select",
    "Softmax",
    "Sort",
    "WeightedSum",
]

# x -> f(x), in double precision. "round_single" is the nearest number of single precision, as a
# double (beyond its range: an infinity); "sigmoid" is 1 / (1 + exp(-x)); "truncate" rounds towards
# zero; "is_missing" is 1 for NaN, else 0; "is_finite" 1 for what is neither NaN nor infinite.
# NaN goes in, NaN comes out, except for the last two.
ELEMENTWISE = (
    "absolute",
    "erf",
    "exp",
    "floor",
    "is_finite",
    "is_missing",
    "log",
    "negative",
    "round_single",
    "sigmoid",
    "sign",
    "softplus",
    "sqrt",
    "tanh",
    "truncate",
)
# (x, y) -> f(x, y). Comparisons give 1 or 0, and 0 where either is NaN. "minimum" and "maximum"
# give NaN where either is NaN.
ARITHMETIC = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "minimum",
    "maximum",
    "less",
    "less_equal",
    "equal",
)
# All columns of a row -> one number, from left to right. NaN in, NaN out.
REDUCTIONS = ("sum", "maximum", "minimum")


@dataclass(frozen=True, eq=False)
class Node:
    """One step.

    Attributes
    ----------
    width : int
        Number of columns of its matrix.
    """

    width: int

    # Names of the fields that hold positions of other nodes.
    source_fields: ClassVar[tuple[str, ...]] = ()

    @property
    def sources(self) -> tuple[int, ...]:
        """Positions in the program of the nodes whose matrices this one reads."""
        found: list[int] = []
        for name in self.source_fields:
            value = getattr(self, name)
            found.extend(value if isinstance(value, tuple) else (value,))
        return tuple(found)


@dataclass(frozen=True, eq=False)
class OneSource(Node):
    """A step that reads one matrix.

    Attributes
    ----------
    source : int
        Position of its node.
    """

    source_fields = ("source",)

    source: int


@dataclass(frozen=True, eq=False)
class Numbers(Node):
    """Columns of the input that hold numbers, side by side; NaN where one is missing.

    Attributes
    ----------
    columns : int array of shape (width,)
        Positions among the program's columns.
    """

    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Lookup(Node):
    """A row of numbers for each value of one column of the input.

    Attributes
    ----------
    column : int
        Position among the program's columns.
    keys : tuple of str, or float64 array of shape (n_keys,)
        Text for a column of categories, numbers (none is NaN) for a column of numbers; each
        once. Numbers are compared as doubles.
    values : float64 array of shape (n_keys, width)
    missing, unknown : float64 array of shape (width,)
        What a missing value, and any value that is no key, give.
    """

    column: int
    keys: tuple[str, ...] | np.ndarray
    values: np.ndarray
    missing: np.ndarray
    unknown: np.ndarray


@dataclass(frozen=True, eq=False)
class Constant(Node):
    """The same row of numbers for every row.

    Attributes
    ----------
    values : float64 array of shape (width,)
    """

    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Select(OneSource):
    """Columns of a matrix, in any order, also more than once.

    Attributes
    ----------
    columns : int array of shape (width,)
    """

    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Concatenate(Node):
    """Several matrices side by side.

    Attributes
    ----------
    parts : tuple of int
        At least two nodes.
    """

    source_fields = ("parts",)

    parts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Elementwise(OneSource):
    """A function of each number.

    Attributes
    ----------
    function : str
        One of `ELEMENTWISE`.
    """

    function: str


@dataclass(frozen=True, eq=False)
class Arithmetic(Node):
    """A function of two matrices, number by number.

    Attributes
    ----------
    left, right : int
        Nodes of this node's width, or of width 1, whose column then meets every column.
    function : str
        One of `ARITHMETIC`.
    """

    source_fields = ("left", "right")

    left: int
    right: int
    function: str


@dataclass(frozen=True, eq=False)
class Choose(Node):
    """Number by number, one matrix where a condition is not 0 and another where it is.

    Attributes
    ----------
    condition, yes, no : int
        Nodes of this node's width, or of width 1. The condition is never NaN.
    """

    source_fields = ("condition", "yes", "no")

    condition: int
    yes: int
    no: int


@dataclass(frozen=True, eq=False)
class Reduce(OneSource):
    """One number for each row: the sum or an extreme of its columns.

    Attributes
    ----------
    function : str
        One of `REDUCTIONS`.
    """

    function: str


@dataclass(frozen=True, eq=False)
class WeightedSum(Node):
    """Sum of matrices of one width, each times its weight, from first to last.

    Attributes
    ----------
    parts : tuple of int
        At least one node.
    weights : float64 array of shape (n_parts,)
        All finite. A part with weight 0 still counts where it is NaN.
    """

    source_fields = ("parts",)

    parts: tuple[int, ...]
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Dense(OneSource):
    """Matrix times weights, plus a bias.

    Attributes
    ----------
    weights : float64 or float32 array of shape (n_in, width)
        float32 says that the source model computes this step in single precision; then so may
        the export, and its answers agree to rounding of that precision.
    bias : array of shape (width,), of the same type
    """

    weights: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class Softmax(OneSource):
    """Exponentials of each row (less its maximum) over their sum."""


@dataclass(frozen=True, eq=False)
class Sort(OneSource):
    """The numbers of each row in rising order."""


@dataclass(frozen=True, eq=False)
class Argmax(OneSource):
    """Position of the largest number of each row, the first of equals; width 1."""


@dataclass(frozen=True, eq=False)
class Interpolate(OneSource):
    """A piecewise linear function of one column, constant beyond its ends; width 1.

    Between two knots it is ``y0 + (x - x0) * ((y1 - y0) / (x1 - x0))``, at a knot exactly its y,
    as :func:`numpy.interp` has it. NaN stays NaN.

    Attributes
    ----------
    x : float64 array of shape (n_knots,)
        Strictly rising.
    y : float64 array of shape (n_knots,)
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Count(OneSource):
    """How many of some edges are at most x, for one column; width 1. NaN stays NaN.

    Attributes
    ----------
    edges : float64 array of shape (n_edges,)
        Rising.
    """

    edges: np.ndarray

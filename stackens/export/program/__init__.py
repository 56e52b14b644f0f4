"""The intermediate form of every export: nodes, the program they make, and what they mean."""

from stackens.export.program._evaluate import evaluate
from stackens.export.program._graph import Graph
from stackens.export.program._nodes import (
    ARITHMETIC,
    ELEMENTWISE,
    REDUCTIONS,
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
from stackens.export.program._program import InputColumn, Program
from stackens.export.program._ramps import Pieces, Ramps, pieces_of
from stackens.export.program._trees import Trees

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
    "Graph",
    "InputColumn",
    "Interpolate",
    "Lookup",
    "Node",
    "Numbers",
    "Pieces",
    "Program",
    "Ramps",
    "Reduce",
    "Select",
    "Softmax",
    "Sort",
    "Trees",
    "WeightedSum",
    "evaluate",
    "pieces_of",
]

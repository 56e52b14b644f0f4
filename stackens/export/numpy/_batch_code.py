"""Writes a program as a function of numpy arrays: many rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.export.numpy._forest_data import forest_data
from stackens.export.numpy._formulas import ARITHMETIC, ELEMENTWISE
from stackens.export.numpy._literals import array_literal, literal, sequence_literal
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
    Pieces,
    Program,
    Ramps,
    Reduce,
    Select,
    Softmax,
    Sort,
    Trees,
    WeightedSum,
    pieces_of,
)

__all__ = ["batch_function", "constants", "plain_constants"]


def batch_function(program: Program) -> list[str]:
    """Write ``answer_rows(columns)``: the answers, and which rows the model takes (None: all).

    Its names for the matrices are ``m0``, ``m1``, ... by the positions of the nodes.
    """
    same = _single_rows(program)
    lines = [
        "def answer_rows(columns):",
        '    """Answer rows, given as one array for each column."""',
    ]
    for i, node in program:
        lines.append(f"    m{i} = {_STEPS[type(node)](program, i, node, same)}")
    answer = f"m{program.output}"
    if program.output in same:
        answer = f"np.broadcast_to({answer}, (len(columns[0]), {program.n_outputs}))"
    finite = "None"
    if program.refused is not None:
        finite = f"np.isfinite(m{program.refused}).all(axis=1)"
        if program.refused in same:
            finite = f"np.broadcast_to({finite}, (len(columns[0]),))"
    return [*lines, f"    return {answer}, {finite}"]


def constants(i: int, node: Node, program: Program) -> dict[str, str]:
    """Return what a step needs beside its formula: names of the file, and their values."""
    if isinstance(node, Trees):
        arguments = forest_data(node, program.nodes[node.source].width)
        lines = [f"    {name}={_argument(value)}," for name, value in arguments.items()]
        return {f"FOREST_{i}": "\n".join(["Forest(", *lines, ")"])}
    if isinstance(node, Lookup):
        rows = np.vstack([node.values, node.missing, node.unknown])
        places = f"{{key: place for place, key in enumerate({sequence_literal(_keys(node))})}}"
        return {
            f"PLACES_{i}": places,
            f"ROWS_{i}": array_literal(rows),
            f"TABLE_{i}": f"ROWS_{i}.tolist()",
        }
    if isinstance(node, Dense):
        weights = array_literal(node.weights)
        if node.weights.dtype == np.float32:
            weights += ".astype(float)"
        bias = array_literal(node.bias.astype(np.float64))
        return {f"WEIGHTS_{i}": weights, f"BIAS_{i}": bias}
    if isinstance(node, Ramps):
        parts = (node.column, node.left, node.slope, node.weights)
        lines = [f"    {array_literal(part)}," for part in parts]
        return {f"RAMPS_{i}": "\n".join(["(", *lines, ")"])}
    if isinstance(node, Constant):
        return {f"VALUES_{i}": array_literal(node.values)}
    return plain_constants(i, node, program)


def plain_constants(i: int, node: Node, program: Program) -> dict[str, str]:
    """Return the same for steps on plain numbers, which hold their other numbers themselves."""
    if isinstance(node, Lookup):
        rows = [
            literal(row[0]) if node.width == 1 else sequence_literal(row, "()")
            for row in node.values
        ]
        keys = _keys(node)
        lines = [f"    {literal(key)}: {row}," for key, row in zip(keys, rows, strict=True)]
        return {f"TABLE_{i}": "\n".join(["{", *lines, "}"])}
    if isinstance(node, Interpolate):
        return {f"X_{i}": _floats(node.x), f"Y_{i}": _floats(node.y)}
    if isinstance(node, Count):
        return {f"EDGES_{i}": _floats(node.edges)}
    if isinstance(node, Ramps):
        return {f"RAMPS_{i}": _ramps_as_text(pieces_of(program, node))}
    return {}


def _ramps_as_text(pieces: Pieces) -> str:
    """Write for each column its knots, and left, slope, base and rise of each piece."""
    ends = [*pieces.start.tolist(), len(pieces.left)]
    lines = ["["]
    for knots, first, last in zip(pieces.knots, ends, ends[1:]):  # noqa: B905
        lines.append(f"    ({_floats(knots)}, [")
        for place in range(first, last):
            rows = (sequence_literal(r[place], "()") for r in (pieces.base, pieces.rise))
            ends_of = f"{literal(pieces.left[place])}, {literal(pieces.slope[place])}"
            lines.append(f"        ({ends_of}, {', '.join(rows)}),")
        lines.append("    ]),")
    return "\n".join([*lines, "]"])


def _argument(value: Any) -> str:
    return array_literal(value) if isinstance(value, np.ndarray) else repr(value)


def _keys(node: Lookup) -> list[Any]:
    return node.keys.tolist() if isinstance(node.keys, np.ndarray) else list(node.keys)


def _floats(values: np.ndarray) -> str:
    return sequence_literal(values.tolist())


def _single_rows(program: Program) -> set[int]:
    """Find the nodes that are the same for all rows: they stay matrices of one row."""
    found: set[int] = set()
    for i, node in program:
        if isinstance(node, Constant) or (node.sources and found.issuperset(node.sources)):
            found.add(i)
    return found


def _places(columns: np.ndarray) -> str:
    """Columns of a matrix: a slice, where they are one after the other."""
    first, n = int(columns[0]), len(columns)
    if np.array_equal(columns, np.arange(first, first + n)):
        return f"{first}:{first + n}"
    return sequence_literal(columns.tolist())


def _numbers(program: Program, i: int, node: Numbers, same: set[int]) -> str:
    if node.width == 1:
        return f"columns[{node.columns[0]}][:, None]"
    places = _places(node.columns)
    if ":" in places:
        return f"np.column_stack(columns[{places}])"
    return f"np.column_stack([columns[j] for j in {places}])"


def _concatenate(program: Program, i: int, node: Concatenate, same: set[int]) -> str:
    parts = ", ".join(f"m{part}" for part in node.parts)
    if i not in same and same.intersection(node.parts):
        return f"side_by_side([{parts}], len(columns[0]))"
    return f"np.hstack([{parts}])"


def _weighted_sum(program: Program, i: int, node: WeightedSum, same: set[int]) -> str:
    terms = [
        f"m{part}" if weight == 1 else f"m{part} * {literal(weight)}"
        for part, weight in zip(node.parts, node.weights, strict=True)
    ]
    return " + ".join(terms)


def _arithmetic(program: Program, i: int, node: Arithmetic, same: set[int]) -> str:
    return ARITHMETIC[node.function].format(f"m{node.left}", f"m{node.right}")


def _choose(program: Program, i: int, node: Choose, same: set[int]) -> str:
    return f"np.where(m{node.condition} != 0, m{node.yes}, m{node.no})"


def _reduce(program: Program, i: int, node: Reduce, same: set[int]) -> str:
    combine = {"sum": "add", "maximum": "maximum", "minimum": "minimum"}[node.function]
    return f"reduce_columns(np.{combine}, m{node.source})"


_STEPS: dict[type[Node], Callable[[Program, int, Any, set[int]], str]] = {
    Argmax: lambda p, i, n, _: f"m{n.source}.argmax(axis=1)[:, None].astype(float)",
    Arithmetic: _arithmetic,
    Choose: _choose,
    Concatenate: _concatenate,
    Constant: lambda p, i, n, _: f"VALUES_{i}[None, :]",
    Count: lambda p, i, n, _: f"count_edges(m{n.source}, EDGES_{i})",
    Dense: lambda p, i, n, _: f"m{n.source} @ WEIGHTS_{i} + BIAS_{i}",
    Elementwise: lambda p, i, n, _: ELEMENTWISE[n.function].format(f"m{n.source}"),
    Interpolate: lambda p, i, n, _: f"interpolate_rows(m{n.source}, X_{i}, Y_{i})",
    Lookup: lambda p, i, n, _: f"lookup(columns[{n.column}], PLACES_{i}, ROWS_{i})",
    Numbers: _numbers,
    Ramps: lambda p, i, n, _: f"ramp_sums(m{n.source}, *RAMPS_{i})",
    Reduce: _reduce,
    Select: lambda p, i, n, _: f"m{n.source}[:, {_places(n.columns)}]",
    Softmax: lambda p, i, n, _: f"softmax_rows(m{n.source})",
    Sort: lambda p, i, n, _: f"np.sort(m{n.source}, axis=1)",
    Trees: lambda p, i, n, _: f"FOREST_{i}.sums(m{n.source})",
    WeightedSum: _weighted_sum,
}

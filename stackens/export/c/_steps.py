"""Writes each step that fills a matrix in C, for a block of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackens.export.c._expressions import ARITHMETIC, Expressions
from stackens.export.c._forest import forest_of, walker
from stackens.export.c._literals import number
from stackens.export.c._products import write_dense, write_ramps
from stackens.export.program import (
    Argmax,
    Concatenate,
    Dense,
    Lookup,
    Node,
    Ramps,
    Reduce,
    Softmax,
    Sort,
    Trees,
    WeightedSum,
)

__all__ = ["Steps", "write_steps"]

_PER_FUNCTION = 40  # steps in one C function: compilers slow down on long ones
_SPARSE_FROM = 16  # columns of a lookup table that may be kept as its numbers other than 0


@dataclass(frozen=True)
class Steps:
    """The steps of a program as C.

    Attributes
    ----------
    functions : str
        Definitions of what they need, and of the functions that do them.
    calls : list of str
        Calls of these functions, in their order.
    codes_width : int
        Integers of scratch memory for each row.
    """

    functions: str
    calls: list[str]
    codes_width: int


def write_steps(x: Expressions) -> Steps:
    """Write the steps of a program.

    Parameters
    ----------
    x : Expressions
        Of the program; its ``data`` gets what they need.
    """
    bodies = [
        f"    /* {i}: {type(node).__name__} */\n{_WRITERS.get(type(node), _each)(x, i, node)}"
        for i, node in x.program
        if x.has_matrix(i)
    ]
    functions, calls = [], []
    for first in range(0, len(bodies), _PER_FUNCTION):
        name = f"steps_{first // _PER_FUNCTION}"
        body = "".join(bodies[first : first + _PER_FUNCTION])
        functions.append(
            f"static void {name}(size_t n, size_t room, const double *x, const int32_t *k,\n"
            "    double *s, int32_t *w, double *out)\n{\n    size_t r, j;\n"
            "    (void)room, (void)x, (void)k, (void)s, (void)w, (void)out, (void)r, (void)j;\n"
            f"{body}}}\n"
        )
        calls.append(f"{name}(n, room, x, k, s, w, out);")
    codes_width = max((1 + _n_looked_up(trees) for trees in x.program.trees()), default=0)
    return Steps("\n".join([*x.data, *functions]), calls, codes_width)


def _n_looked_up(trees: Trees) -> int:
    return len(np.unique(trees.feature[trees.category_set >= 0]))


def _rows(body: str) -> str:
    return f"    for (r = 0; r < n; r++) {{\n{body}    }}\n"


def _fill(x: Expressions, i: int, expression: Callable[[str], str], after: str = "") -> str:
    """Fill a matrix with an expression of the column, and do something after each row."""
    width, out = x.program.nodes[i].width, x.matrix(i)
    if width == 1:
        return _rows(f"        {out}[r] = {expression('0')};\n{after}")
    return _rows(
        f"        for (j = 0; j < {width}; j++)\n"
        f"            {out}[r * {width} + j] = {expression('j')};\n{after}"
    )


def _each(x: Expressions, i: int, node: Node) -> str:
    return _fill(x, i, lambda j: x.computed(i, j))


def _concatenate(x: Expressions, i: int, node: Concatenate) -> str:
    body, start, out = "", 0, f"{x.matrix(i)}[r * {node.width}"
    for part in node.parts:
        width = x.program.nodes[part].width
        if width == 1:
            body += f"        {out} + {start}] = {x.at(part, '0')};\n"
        else:
            body += f"        for (j = 0; j < {width}; j++)\n"
            body += f"            {out} + {start} + j] = {x.at(part, 'j')};\n"
        start += width
    return _rows(body)


def _weighted_sum(x: Expressions, i: int, node: WeightedSum) -> str:
    def term(part: int, weight: float, j: str) -> str:
        return x.at(part, j) if weight == 1 else f"{x.at(part, j)} * {number(weight)}"

    def total(j: str) -> str:
        terms = zip(node.parts, node.weights.tolist(), strict=True)
        return "\n                + ".join(term(part, weight, j) for part, weight in terms)

    return _fill(x, i, total)


def _reduce(x: Expressions, i: int, node: Reduce) -> str:
    width = x.program.nodes[node.source].width
    combine = {"sum": "add", "maximum": "maximum", "minimum": "minimum"}[node.function]
    step = ARITHMETIC[combine].format("total", x.at(node.source, "j"))
    loop = f"        for (j = 1; j < {width}; j++)\n            total = {step};\n"
    return _rows(
        f"        double total = {x.at(node.source, '0')};\n{loop * (width > 1)}"
        f"        {x.matrix(i)}[r] = total;\n"
    )


def _in_place(x: Expressions, i: int, node: Softmax | Sort) -> str:
    name = "softmax" if isinstance(node, Softmax) else "sort_numbers"
    after = f"        {name}({x.matrix(i)} + r * {node.width}, {node.width});\n"
    return _fill(x, i, lambda j: x.at(node.source, j), after)


def _argmax(x: Expressions, i: int, node: Argmax) -> str:
    width = x.program.nodes[node.source].width
    row = f"{x.matrix(node.source)} + r * {x.distance(node.source)}"
    return _rows(f"        {x.matrix(i)}[r] = (double)place_of_largest({row}, {width});\n")


def _lookup(x: Expressions, i: int, node: Lookup) -> str:
    code, width, out = x.code(i, node), node.width, f"{x.matrix(i)} + r * {node.width}"
    rows = x.table(i, node)
    used = rows.view(np.int64) != 0  # by bits: -0.0 is not 0
    if width < _SPARSE_FROM or used.mean() > 0.25:
        return _rows(
            f"        memcpy({out}, {x.constant(f'l_{i}', rows)} + (size_t){code} * {width},\n"
            f"            {width} * sizeof(double));\n"
        )
    start = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int32)
    starts = x.constant(f"p_{i}", start)
    column = x.constant(f"i_{i}", np.nonzero(used)[1].astype(np.int32))
    values = x.constant(f"l_{i}", rows[used])
    return _rows(
        f"        const int32_t code = {code};\n"
        f"        memset({out}, 0, {width} * sizeof(double));\n"
        f"        for (j = (size_t){starts}[code]; j < (size_t){starts}[code + 1]; j++)\n"
        f"            ({out})[{column}[j]] = {values}[j];\n"
    )


def _trees(x: Expressions, i: int, node: Trees) -> str:
    forest = forest_of(node)
    kind = "_of_sets" if forest.has_sets else ""
    x.function(f"walker{kind}", lambda: walker(forest.has_sets))
    n_keep, n_fill = len(forest.keep), len(forest.fill)
    width, n_codes = 1 + n_keep + n_fill, 1 + len(forest.categories)
    z, out = f"(s + {x.plan.trees_offset[i]} * room)", x.matrix(i)
    body = f"        double *z = {z} + r * {width};\n        z[0] = 0;\n"
    if n_keep:
        value = x.at(node.source, x.position(f"a_{i}", forest.keep, "j"))
        body += f"        for (j = 0; j < {n_keep}; j++)\n            z[1 + j] = {value};\n"
    if n_fill:
        value = x.at(node.source, x.position(f"f_{i}", forest.fill, "j"))
        body += f"        for (j = 0; j < {n_fill}; j++)\n"
        body += f"            z[{1 + n_keep} + j] = missing_first({value});\n"
    if forest.has_sets:
        body += f"        w[r * {n_codes}] = 0;\n"
    for place, (column, keys) in enumerate(forest.categories, start=1):
        value, known = x.at(node.source, str(column)), f"k_{i}_{column}"
        if np.array_equal(keys, np.arange(len(keys))):
            code = f"code_of_place({value}, {len(keys)})"
        else:
            code = f"code_of_number({value}, {x.constant(known, keys)}, {len(keys)})"
        body += f"        w[r * {n_codes} + {place}] = {code};\n"
    body += f"        memcpy({out} + r * {node.width}, {x.constant(f'b_{i}', node.base)}, "
    body += f"{node.width} * sizeof(double));\n"
    parts = [
        x.constant(f"t_{i}", forest.nodes, f"struct node{kind}"),
        x.constant(f"o_{i}", node.offset.astype(np.int32)),
        x.constant(f"v_{i}", forest.leaf),
        str(node.n_trees),
        str(node.leaf_width),
    ]
    if forest.has_sets:
        parts.append(x.constant(f"s_{i}", forest.bits))
    x.data.append(f"static const struct forest{kind} forest_{i} = {{{', '.join(parts)}}};\n")
    return _rows(body) + (
        f"    walk{kind}(&forest_{i}, (int)n, {z}, {width}, w, {n_codes}, {out}, {node.width});\n"
    )


_WRITERS: dict[type[Node], Callable[[Expressions, int, Any], str]] = {
    Argmax: _argmax,
    Concatenate: _concatenate,
    Dense: write_dense,
    Lookup: _lookup,
    Ramps: write_ramps,
    Reduce: _reduce,
    Softmax: _in_place,
    Sort: _in_place,
    Trees: _trees,
    WeightedSum: _weighted_sum,
}

"""Writes matrix products in C, and sums of ramps, which are products with few factors."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Template

import numpy as np

from stackens.export.c._expressions import Expressions
from stackens.export.program import Arithmetic, Constant, Dense, Ramps, pieces_of

__all__ = ["write_dense", "write_ramps"]

_LANES = {"double": 4, "float": 8}
_SKIP_FROM = 256  # inputs of a matrix product, most of which are 0 then: places of categories
_SKIP_BEHIND_RELU = 16  # inputs that are 0 half of the time
_PLACES = 1024  # of inputs other than 0 that are collected at a time
_COLUMNS = 512  # with ramps that are done at a time


def write_dense(x: Expressions, i: int, node: Dense) -> str:
    """Write a matrix product in the order of its sums: from the first input to the last."""
    n_in, width = node.weights.shape
    weights = node.weights
    c_type = "float" if weights.dtype == np.float32 else "double"
    strip = _strip(width)
    if width <= 4:
        file, name, weights = "dot.c", f"dot_{c_type}", weights.T
    else:
        weights = _padded(weights, strip).reshape(n_in, -1, strip).transpose(1, 0, 2)
        file = "sparse.c" if _skips(x, node) else "dense.c"
        name = f"{file[:-2]}_{c_type}_{strip}"

    def kernel() -> str:
        return _kernel(file, name, c_type, strip, most=str(_PLACES))

    return (
        f"    {x.function(name, kernel)}((int)n, {x.matrix(node.source)}, "
        f"{x.distance(node.source)}, {n_in},\n"
        f"        {x.constant(f'w_{i}', weights)}, {x.constant(f'b_{i}', node.bias)}, "
        f"{x.matrix(i)}, {width});\n"
    )


def _skips(x: Expressions, node: Dense) -> bool:
    """Whether inputs that are 0 are left out, which changes nothing where weights are finite."""
    if not np.isfinite(node.weights).all():
        return False
    n_in = len(node.weights)
    return n_in >= (_SKIP_BEHIND_RELU if _is_relu(x, node.source) else _SKIP_FROM)


def _is_relu(x: Expressions, i: int) -> bool:
    node = x.program.nodes[i]
    if not isinstance(node, Arithmetic) or node.function != "maximum":
        return False
    sides = (x.program.nodes[side] for side in node.sources)
    return any(isinstance(side, Constant) and not side.values.any() for side in sides)


def write_ramps(x: Expressions, i: int, node: Ramps) -> str:
    """Write a sum of ramps: in each column, the one piece that x lies in counts."""
    pieces = pieces_of(x.program, node)
    strip = _strip(node.width)
    rise, base = (_padded(rows, strip) for rows in (pieces.rise, pieces.base))
    knots = pieces.padded_knots()
    knots = np.pad(knots, ((0, 0), (0, -knots.shape[1] % 4)), constant_values=np.inf)
    names = [
        x.constant(f"{letter}_{i}", values)
        for letter, values in (
            ("l", pieces.left), ("m", pieces.slope), ("b", base), ("w", rise),
        )
    ]  # fmt: skip
    row, out = f"{x.matrix(node.source)}, {x.distance(node.source)}", x.matrix(i)
    text = f"    memset({out}, 0, n * {node.width} * sizeof(double));\n"
    for first in range(0, len(knots), _COLUMNS):
        part = slice(first, first + _COLUMNS)
        n_columns, n_knots = knots[part].shape
        name = f"ramps_{strip}_{n_columns}_{n_knots}"
        sizes = {"n_columns": str(n_columns), "n_knots": str(n_knots)}

        def kernel(name: str = name, sizes: dict[str, str] = sizes) -> str:
            return _kernel("ramps.c", name, "double", strip, **sizes)

        own = [
            x.constant(f"{letter}_{i}_{first}", values[part])
            for letter, values in (
                ("i", pieces.columns.astype(np.int32)),
                ("s", pieces.start.astype(np.int32)),
                ("k", knots),
            )
        ]
        text += (
            f"    {x.function(name, kernel)}((int)n, {row}, {', '.join(own)},\n"
            f"        {', '.join(names)}, {out}, {node.width}, {base.shape[1]});\n"
        )
    return text


def _strip(width: int) -> int:
    return next((size for size in (8, 16) if width <= size), 32)


def _padded(rows: np.ndarray, strip: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % strip)))


def _kernel(file: str, name: str, c_type: str, strip: int, **sizes: str) -> str:
    """Write a function of strips, whose sums are kept in as many vectors."""
    each = _LANES[c_type]
    lines: dict[str, list[str]] = {"begin": [], "add": [], "end": []}
    for at in range(0, strip, each):
        begin, base, factor = (f"*(const lanes_{c_type} *)({x} + {at})" for x in ("sum", "b", "w"))
        begin = begin if file == "sparse.c" else "{0}"
        term = f"{base} + values * {factor}" if file == "ramps.c" else f"values * {factor}"
        lines["begin"].append(f"lanes_{c_type} sum_{at} = {begin};")
        lines["add"].append(f"sum_{at} += {term};")
        lines["end"].append(f"*(lanes_{c_type} *)(sum + {at}) = sum_{at};")

    def written(place: re.Match[str]) -> str:
        return "".join(f"{place[1]}{line}\n" for line in lines[place[2]])

    text = (files("stackens.export.c") / file).read_text(encoding="utf-8")
    text = re.sub(r"^( *)\$(begin|add|end)\n", written, text, flags=re.MULTILINE)
    values = "{" + ", ".join(["value"] * each) + "}"
    return Template(text).substitute(name=name, type=c_type, strip=strip, values=values, **sizes)

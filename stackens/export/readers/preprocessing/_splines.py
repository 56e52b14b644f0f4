"""Reads SplineTransformer: B-splines of all columns at once, by Cox and de Boor's recursion."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._refusal import refuse_not_finite

__all__: list[str] = []


@reads_transformer("sklearn.SplineTransformer")
def _spline_transformer(transformer: Any, graph: Graph, table: Table) -> Table:
    extrapolation = transformer.extrapolation
    if extrapolation == "periodic" or transformer.degree == 0:
        raise ExportError(
            "A SplineTransformer must have a degree of 1 or more and extrapolation 'constant', "
            f"'linear', 'continue' or 'error'. Got {transformer!r:.200}. Use one of those, or "
            "KBinsDiscretizer for steps."
        )
    if extrapolation == "linear" and transformer.degree == 1 and len(transformer.bsplines_) > 1:
        raise ExportError(
            "A SplineTransformer of degree 1 that extrapolates linearly must read one column: for "
            f"each further column scikit-learn moves the ends. Got {transformer!r:.200} of "
            f"{len(transformer.bsplines_)} columns. Use extrapolation='continue', which is linear "
            "for degree 1."
        )
    takes_missing = getattr(transformer, "handle_missing", "error") == "zeros"
    x = table.numbers(graph)
    if not takes_missing:
        refuse_not_finite(graph, x)
    degree, splines = transformer.degree, transformer.bsplines_
    knots = np.array([spline.t for spline in splines])
    low, high = knots[:, degree], knots[:, -degree - 1]
    inside = graph.clip(x, low, high)
    if extrapolation == "error":
        _refuse_outside(graph, x, inside)
    out = _basis(graph, x if extrapolation == "continue" else inside, knots, degree)
    if extrapolation in ("constant", "linear"):
        out = _beyond(graph, out, x, inside, splines, linear=extrapolation == "linear")
    n_splines = knots.shape[1] - degree - 1
    if takes_missing:
        missing = _repeated(graph, graph.elementwise("is_missing", x), n_splines)
        out = graph.choose(missing, graph.constant(0.0), out)
    kept = np.arange(graph.width(out)).reshape(len(splines), n_splines)
    if not transformer.include_bias:
        kept = kept[:, :-1]
    out = graph.select(out, kept.ravel())
    return Table.of_node(graph, out).marked(sparse=transformer.sparse_output)


def _refuse_outside(graph: Graph, x: int, inside: int) -> None:
    same = graph.arithmetic("equal", x, inside)
    fine = graph.arithmetic("maximum", same, graph.elementwise("is_missing", x))
    graph.refuse(graph.choose(fine, graph.constant(0.0), graph.constant(np.nan)))


def _repeated(graph: Graph, source: int, times: int) -> int:
    return graph.select(source, np.repeat(np.arange(graph.width(source)), times))


def _basis(graph: Graph, x: int, knots: np.ndarray, degree: int) -> int:
    """Evaluate all splines of all columns, those of a column side by side.

    Parameters
    ----------
    graph : Graph
    x : int
    knots : array of shape (n_features, n_splines + degree + 1)
        The first and the last piece go on beyond the knots that bound them.
    degree : int

    References
    ----------
    de Boor (2001), A Practical Guide to Splines, chapter IX, equation 14.
    """
    last = knots.shape[1] - degree - 2
    basis = _pieces(graph, x, knots[:, degree : last + 2])
    for r in range(1, degree + 1):
        # the splines of degree r that are not 0 everywhere begin at knots degree - r ... last
        starts = np.arange(degree - r, last + 1)
        left, right = _neighbours(graph, basis, len(knots), len(starts) - 1)
        wide = _repeated(graph, x, len(starts))
        rising = graph.minus(wide, knots[:, starts].ravel())
        ends = graph.constant(knots[:, starts + r + 1].ravel())
        falling = graph.arithmetic("subtract", ends, wide)
        rises = graph.times(rising, _inverse(knots[:, starts + r] - knots[:, starts]))
        falls = graph.times(falling, _inverse(knots[:, starts + r + 1] - knots[:, starts + 1]))
        basis = graph.arithmetic(
            "add",
            graph.arithmetic("multiply", rises, left),
            graph.arithmetic("multiply", falls, right),
        )
    return basis


def _inverse(lengths: np.ndarray) -> np.ndarray:
    """Return 1 / length, and 0 where knots fall together, as the recursion defines it."""
    fine = lengths > 0
    return np.where(fine, 1.0 / np.where(fine, lengths, 1.0), 0.0).ravel()


def _pieces(graph: Graph, x: int, bounds: np.ndarray) -> int:
    """Say by 1 between which bounds x lies, from the left bound to short of the right one."""
    first, last = bounds[:, :-1].copy(), bounds[:, 1:].copy()
    first[:, 0], last[:, -1] = -np.inf, np.inf
    wide = _repeated(graph, x, first.shape[1])
    begun = graph.arithmetic("less_equal", graph.constant(first.ravel()), wide)
    ended = graph.arithmetic("less_equal", graph.constant(last.ravel()), wide)
    return graph.arithmetic("subtract", begun, ended)


def _neighbours(graph: Graph, basis: int, n_features: int, n_each: int) -> tuple[int, int]:
    """Return the splines of one degree less that begin at the same knot, and at the next."""
    padded = graph.concatenate([basis, graph.constant(0.0)])
    own = np.arange(n_features * n_each).reshape(n_features, n_each)
    zero = np.full((n_features, 1), n_features * n_each)
    left = graph.select(padded, np.hstack([zero, own]).ravel())
    return left, graph.select(padded, np.hstack([own, zero]).ravel())


def _beyond(graph: Graph, out: int, x: int, inside: int, splines: Any, *, linear: bool) -> int:
    """Continue the splines beyond the end knots, as scikit-learn does.

    It continues the first or the last `degree` of them; the others are 0 at that end, unless knots
    fall together there.
    """
    degree, n_splines = splines[0].k, splines[0].c.shape[1]
    count = max(degree, 2) if linear else degree
    kept = {"low": np.arange(n_splines) < count, "high": np.arange(n_splines) >= n_splines - count}
    ends = {"low": [s.t[degree] for s in splines], "high": [s.t[-degree - 1] for s in splines]}
    distance = _repeated(graph, graph.arithmetic("subtract", x, inside), n_splines)
    zero = graph.constant(0.0)
    is_end = {
        "low": graph.arithmetic("less", distance, zero),
        "high": graph.arithmetic("less", zero, distance),
    }
    for end in ends:
        values = _at(splines, ends[end], 0)
        continued = np.where(np.tile(kept[end], len(splines)), values, 0.0)
        if not np.array_equal(values, continued):
            out = graph.choose(is_end[end], graph.constant(continued), out)
    if not linear:
        return out
    slopes = {
        end: graph.constant(
            np.where(np.tile(kept[end], len(splines)), _at(splines, ends[end], 1), 0.0)
        )
        for end in ends
    }
    slope = graph.choose(is_end["low"], slopes["low"], slopes["high"])
    return graph.arithmetic("add", out, graph.arithmetic("multiply", distance, slope))


def _at(splines: Any, ends: list[float], derivative: int) -> np.ndarray:
    return np.concatenate([s(end, nu=derivative) for s, end in zip(splines, ends, strict=True)])

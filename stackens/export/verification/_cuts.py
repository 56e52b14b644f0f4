"""Where an exported model changes its mind: the raw numbers on which its thresholds fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stackens.export.program import (
    Arithmetic,
    Choose,
    Concatenate,
    Count,
    Elementwise,
    Interpolate,
    Node,
    Numbers,
    Program,
    Ramps,
    Select,
    Trees,
    evaluate,
)

__all__ = ["Cut", "column_scales", "cuts_of"]

_BISECTIONS = 66  # 64 halve all doubles
_MANY = -1  # a column that depends on several columns of the input, or on none, or on categories


@dataclass(frozen=True)
class Cut:
    """Numbers of one column at which a step of the program decides.

    Attributes
    ----------
    column : int
        Position among the program's columns.
    values : float64 array of shape (n_cuts,)
        The largest numbers on the lower side of each cut.
    n_left_out : int
        Thresholds that were not followed back, since there were too many.
    """

    column: int
    values: np.ndarray
    n_left_out: int = 0


def cuts_of(program: Program, most: int) -> list[Cut]:
    """Find the raw numbers at which trees, bins and knots decide.

    A threshold that is met after imputing and scaling is followed back through these steps by
    bisection over all doubles, so that the raw numbers are the exact ones. Thresholds on what
    several columns make together are not followed.

    Parameters
    ----------
    program : Program
    most : int
        Largest number of cuts of one column; evenly spaced ones are taken where there are more.
    """
    origins = _origins(program)
    found: dict[int, list[np.ndarray]] = {}
    left_out: dict[int, int] = {}
    for position, targets in _decisions(program):
        wanted: dict[int, tuple[int, np.ndarray]] = {}
        for j, values in targets.items():
            column = origins[position][j]
            finite = np.unique(values[np.isfinite(values)])
            if column != _MANY and len(finite):
                wanted[j] = (column, _evenly(finite, most))
                left_out[column] = left_out.get(column, 0) + max(0, len(finite) - most)
        for column, followed in _followed_back(program, position, wanted):
            found.setdefault(column, []).append(followed)
    cuts = []
    for column, parts in sorted(found.items()):
        values = np.unique(np.concatenate(parts))
        beyond = left_out[column] + max(0, len(values) - most)
        cuts.append(Cut(column, _evenly(values, most), beyond))
    return cuts


def column_scales(program: Program) -> dict[int, tuple[float, float]]:
    """Return, for columns without cuts, the raw numbers that a scaler sends to about -2 and 2.

    Only for columns that reach another step scaled and by themselves.
    """
    origins = _origins(program)
    scales: dict[int, tuple[float, float]] = {}
    for position, node in program:
        if not isinstance(node, Arithmetic) or node.function not in ("divide", "subtract"):
            continue
        raw, first = np.unique(origins[position], return_index=True)
        targets = {
            int(j): (int(column), np.array([-2.0, 2.0]))
            for column, j in zip(raw, first, strict=True)
            if column != _MANY
        }
        for column, ends in _followed_back(program, position, targets):
            low, high = float(ends.min()), float(ends.max())
            if abs(low) < 1e30 and abs(high) < 1e30 and low < high:
                scales[column] = (low, high)  # the last step that scales counts
    return scales


def _evenly(values: np.ndarray, most: int) -> np.ndarray:
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).astype(int)]


def _decisions(program: Program) -> Iterator[tuple[int, dict[int, np.ndarray]]]:
    """Yield nodes that are decided on, with the thresholds of their columns."""
    for _, node in program:
        if isinstance(node, Trees):
            ordinary = node.category_set < 0
            features, thresholds = node.feature[ordinary], node.threshold[ordinary]
            order = np.argsort(features, kind="stable")
            starts = np.flatnonzero(np.diff(features[order], prepend=-1))
            parts = np.split(thresholds[order], starts[1:])
            yield (
                node.source,
                {int(features[order][s]): p for s, p in zip(starts, parts, strict=True)},
            )
        elif isinstance(node, Interpolate):
            yield node.source, {0: node.x}
        elif isinstance(node, Count):
            yield node.source, {0: node.edges}
        elif isinstance(node, Ramps):
            ends = np.concatenate([node.left, node.left + 1.0 / node.slope])
            columns = np.tile(node.column, 2)
            yield node.source, {int(j): ends[columns == j] for j in np.unique(columns)}


def _origins(program: Program) -> list[np.ndarray]:
    """Return, for each column of each node, the one column of numbers it is made of, or `_MANY`."""
    origins: list[np.ndarray] = []
    for _, node in program:
        origins.append(_origin(node, origins))
    return origins


def _origin(node: Node, known: Sequence[np.ndarray]) -> np.ndarray:
    if isinstance(node, Numbers):
        return np.asarray(node.columns)
    if isinstance(node, Select):
        return known[node.source][node.columns]
    if isinstance(node, Concatenate):
        return np.concatenate([known[part] for part in node.parts])
    if isinstance(node, Elementwise):
        return known[node.source]
    if isinstance(node, Arithmetic | Choose):
        parts = [np.broadcast_to(known[source], (node.width,)) for source in node.sources]
        together = np.maximum.reduce(parts)
        same = [(part == together) | (part == _MANY) for part in parts]
        return np.where(np.logical_and.reduce(same), together, _MANY)
    return np.full(node.width, _MANY)


def _followed_back(
    program: Program, position: int, targets: dict[int, tuple[int, np.ndarray]]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield raw columns with the largest raw numbers at which a node's column is at its target.

    Parameters
    ----------
    program : Program
    position : int
        The node.
    targets : dict
        For some of its columns the raw column that each is made of, and the targets.
    """
    if isinstance(program.nodes[position], Numbers):
        yield from targets.values()
        return
    remaining = dict(targets)
    while remaining:  # columns of the node that share a raw column take turns
        turn: dict[int, tuple[int, np.ndarray]] = {}
        for j, (column, values) in remaining.items():
            turn.setdefault(column, (j, values))
        ends = _bisected(program, position, turn)
        yield from ends.items()
        for j, _ in turn.values():
            del remaining[j]


def _bisected(
    program: Program, position: int, targets: dict[int, tuple[int, np.ndarray]]
) -> dict[int, np.ndarray]:
    """Find by bisection, for all raw columns at once, where a rising or falling step meets targets.

    What is neither rising nor falling ends at some number; that is no cut, but does no harm.
    """
    raw = list(targets)
    longest = max(len(values) for _, values in targets.values())
    wanted = np.column_stack([np.resize(values, longest) for _, values in targets.values()])
    node_columns = [j for j, _ in targets.values()]

    def reached(orders: np.ndarray) -> np.ndarray:
        return _at(program, position, raw, _number(orders))[:, node_columns]

    low = np.full(wanted.shape, _order(-np.finfo(float).max))
    high = np.full(wanted.shape, _order(np.finfo(float).max))
    rising = reached(high) >= reached(low)
    for _ in range(_BISECTIONS):
        middle = _middle(low, high)
        values = reached(middle)
        below = np.where(rising, values <= wanted, values > wanted)
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    return {c: np.unique(ends) for c, ends in zip(raw, _number(low).T, strict=True)}


def _at(program: Program, position: int, raw: Sequence[int], numbers: np.ndarray) -> np.ndarray:
    """Return the node's values where the raw columns have these numbers, a column each."""
    columns = [
        np.full(len(numbers), None, dtype=object)
        if column.kind == "category"
        else np.zeros(len(numbers))
        for column in program.columns
    ]
    for c, values in zip(raw, numbers.T, strict=True):
        columns[c] = values
    (matrix,) = evaluate(program, columns, [position])
    return matrix


def _order(number: float | np.ndarray) -> np.ndarray:
    """Return the place of a double among all doubles, as an integer."""
    bits = np.asarray(number, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _number(order: np.ndarray) -> np.ndarray:
    """Return the double at a place."""
    return np.where(order < 0, np.int64(-(2**63)) - order, order).view(np.float64)


def _middle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the middle of two places, without overflow."""
    return (low >> 1) + (high >> 1) + (low & high & 1)

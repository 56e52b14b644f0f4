"""Ramps: what a network makes of numbers that it spreads over bins, as one step of a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stackens.export.program._nodes import Elementwise, OneSource, Select
from stackens.export.program._program import Program

__all__ = ["Pieces", "Ramps", "pieces_of"]

_STEEPEST = 1e300
_MOST_PADDED = 2  # times as many ramps as there are


@dataclass(frozen=True, eq=False)
class Ramps(OneSource):
    """Sum of ramps, each times its row of weights.

    A ramp is ``clip((x[column] - left) * slope, 0, 1)``: 0 up to its left end, 1 from its right
    end on. NaN in a column that has a ramp makes the whole row NaN.

    Attributes
    ----------
    column : int array of shape (n_ramps,)
        Column of the source; at least one ramp.
    left, slope : float64 array of shape (n_ramps,)
        All finite, and each slope above 0. Ramps may overlap, and stand in any order.
    weights : float64 array of shape (n_ramps, width)
        All finite.

    Raises
    ------
    ValueError
        If a number is none of these.
    """

    column: np.ndarray
    left: np.ndarray
    slope: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        shapes = [np.shape(part) for part in (self.column, self.left, self.slope)]
        n_ramps = len(self.weights)
        if not n_ramps or shapes != [(n_ramps,)] * 3 or self.weights.shape[1:] != (self.width,):
            raise ValueError(
                "Each ramp must have a column, a left end, a slope and a row of weights. Got shapes"
                f" {shapes} and {self.weights.shape}. Give arrays of the same length, 1 or more."
            )
        for name, values in (("left", self.left), ("slope", self.slope), ("weights", self.weights)):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"All numbers of ramps must be finite. Got {name} that are not. Write their "
                    "steps one by one."
                )
        if not np.all(self.slope > 0):
            raise ValueError(
                f"Ramps must rise. Got a slope of {self.slope.min()}. Turn falling ones round: "
                "1 - a ramp of the negative number."
            )

    def by_column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the same ramps with as many for each column, filled up with weights of 0.

        Where that would make too many, a column comes once for each of its ramps.

        Returns
        -------
        columns : int array of shape (n_columns,)
        left, slope : float64 array of shape (n_columns, n_each)
        weights : float64 array of shape (n_columns * n_each, width)
        """
        columns, place, counts = np.unique(self.column, return_inverse=True, return_counts=True)
        shape = (len(columns), int(counts.max()))
        if shape[0] * shape[1] > _MOST_PADDED * len(self.column):
            return self.column, self.left[:, None], self.slope[:, None], self.weights
        left, slope, weights = np.zeros(shape), np.ones(shape), np.zeros((*shape, self.width))
        order = np.argsort(place, kind="stable")
        at = place[order], np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        left[at], slope[at], weights[at] = self.left[order], self.slope[order], self.weights[order]
        return columns, left, slope, weights.reshape(-1, self.width)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The same function, column by column, as pieces between which nothing bends.

    In the piece of column j with the position ``start[j] + (number of knots[j] below x)``, it is
    ``base + clip((x - left) * slope, 0, 1) * rise``.

    Attributes
    ----------
    columns : int array of shape (n_columns,)
        Columns of the source that have ramps.
    start : int array of shape (n_columns,)
        Position of each column's first piece.
    knots : list of float64 arrays
        Where the pieces of each column meet, rising; a knot itself is the end of a piece.
    left, slope : float64 array of shape (n_pieces,)
    base, rise : float64 array of shape (n_pieces, width)
    """

    columns: np.ndarray
    start: np.ndarray
    knots: list[np.ndarray]
    left: np.ndarray
    slope: np.ndarray
    base: np.ndarray
    rise: np.ndarray

    def padded_knots(self) -> np.ndarray:
        """Return the knots as rows of one length, filled up with what is below no number."""
        longest = max(map(len, self.knots))
        rows = [np.append(row, np.full(longest - len(row), np.inf)) for row in self.knots]
        return np.array(rows).reshape(len(rows), longest)


def pieces_of(program: Program, node: Ramps) -> Pieces:
    """Cut the function that ramps make into pieces.

    Where ramps follow each other, each is a piece; where they overlap, the overlap is one more.
    """
    single = _is_single(program, node.source)
    columns = np.unique(node.column)
    parts = [list(_column(node, node.column == column, single)) for column in columns]
    left, slope, base, rise = (np.concatenate([part[i] for part in parts]) for i in range(1, 5))
    start = np.cumsum([0] + [len(part[1]) for part in parts[:-1]])
    return Pieces(columns, start, [part[0] for part in parts], left, slope, base, rise)


def _is_single(program: Program, position: int) -> bool:
    """Whether a node holds numbers of single precision."""
    node = program.nodes[position]
    if isinstance(node, Select):
        return _is_single(program, node.source)
    return isinstance(node, Elementwise) and node.function == "round_single"


def _column(node: Ramps, own: np.ndarray, single: bool) -> Iterator[np.ndarray]:
    """Yield the knots of a column, then left, slope, base and rise of its pieces."""
    left, slope, weights = node.left[own], node.slope[own], node.weights[own]
    end = _last_below_one(left, slope)
    knots = np.unique(np.concatenate([left, end]))
    low, high = knots[:-1, None], knots[1:, None]
    inside = (left <= low) & (high <= end)
    some = inside.any(axis=1)  # before a gap, the clip holds what was reached
    inside, low, high = inside[some], low[some], high[some]
    alone = inside.sum(axis=1) == 1
    which = inside.argmax(axis=1)
    reached = np.where(end <= low, 1.0, np.clip((low - left) * slope, 0.0, 1.0))
    reached[alone[:, None] & inside] = 0.0
    gained = np.where(alone[:, None], inside, inside * slope * (high - low))
    below = low[:, 0]
    if single:  # then no x lies between a knot and the number of single precision before it
        with np.errstate(over="ignore"):
            rounded = below.astype(np.float32)
        below = np.where(rounded > below, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    below = np.append(-np.inf, below[1:].astype(np.float64))
    kept = np.append(below[:-1] < below[1:], True)
    kept[0] = True
    yield below[kept][1:]
    yield np.where(alone, left[which], low[:, 0])[kept]
    with np.errstate(over="ignore"):
        steep = np.minimum(1.0 / (high - low)[:, 0], _STEEPEST)
    yield np.where(alone, slope[which], steep)[kept]
    yield (reached @ weights)[kept]
    yield (gained @ weights)[kept]


def _last_below_one(left: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return the last number at which a ramp, as it is computed, is not yet 1."""
    end = left + 1.0 / slope
    for _ in range(4):  # steep ramps make much of the last bit
        end = np.where((end - left) * slope >= 1.0, np.nextafter(end, -np.inf), end)
    for _ in range(4):
        following = np.nextafter(end, np.inf)
        end = np.where((following - left) * slope < 1.0, following, end)
    return np.maximum(end, np.nextafter(left, np.inf))

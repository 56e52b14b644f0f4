"""Matching units that stand along two axes of one tensor, as in the hidden-to-hidden weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment.matching._assignment import (
    SignParts,
    assign_signed,
)
from stackens.weight_averaging.alignment.matching._similarity import Pair

__all__ = ["Vertex", "match_quadratic"]

RELATIVE_TOLERANCE = 1e-10
NONE: frozenset[str] = frozenset()


class Vertex(NamedTuple):
    """A permutation and signs: the unit ``permutation[k]`` with ``signs[name][k]`` in place k."""

    permutation: NDArray
    signs: dict[str, NDArray]

    def sign(self, names: frozenset[str]) -> NDArray:
        """Return the product of some signs."""
        product = np.ones(len(self.permutation))
        for name in names:
            product = product * self.signs[name]
        return product


def match_quadratic(
    linear: SignParts,
    quadratic: Sequence[Pair],
    rng: np.random.Generator,
    *,
    blocks: int = 1,
    is_movable: bool = True,
    n_starts: int = 6,
    max_steps: int = 60,
) -> Vertex:
    """Choose places and signs that make a quadratic objective large; none is worse than no change.

    The objective is the sum over F of <linear[F], X_F> plus the sum over pairs of
    <reference, X_rows model X_columns^T>, with X_F the permutation matrix whose rows are
    multiplied by the signs F. Frank-Wolfe over the convex hull, one matrix X_F for each F: the
    linear step is a signed assignment, the line search is exact. The starts are where the units
    stand, the best of the linear part, the barycentre, and random points half-way to it. What they
    lead to is improved by swaps of two units and flips of single signs.

    Parameters
    ----------
    linear : dict of frozenset of str to array of shape (size, size)
    quadratic : sequence of Pair
    rng : numpy.random.Generator
    blocks, is_movable
        See ``assign_signed``.
    n_starts : int, default=6
        At least 1: where the units stand.
    max_steps : int, default=60
        Steps from one start.

    Returns
    -------
    Vertex

    References
    ----------
    Vogelstein et al. (2015), "Fast approximate quadratic programming for graph matching",
    PLOS ONE 10(4), arXiv:1112.5507. Unsigned; here the signs are relaxed as well.
    """
    problem = _Problem(linear, quadratic, blocks, is_movable)
    stay = Vertex(np.arange(problem.size), {name: np.ones(problem.size) for name in problem.names})
    barycentre = problem.barycentre()
    starts: list[_Point] = [problem.at(stay), problem.at(problem.assign(linear)), barycentre]
    for _ in range(n_starts - len(starts)):
        starts.append(barycentre.towards(problem.at(problem.random(rng)), 0.5))
    found = [problem.ascend(start, max_steps) for start in starts[:n_starts]]
    found.sort(key=lambda corner: -corner.value)
    # Most starts end in the same place, or in one that no swap brings near the best.
    tried = [end for i, end in enumerate(found) if i == 0 or end.value < found[i - 1].value]
    improved = [problem.improve(end) for end in tried[:2]]
    return max([problem.at(stay), *improved], key=lambda corner: corner.value).vertex


@dataclass(frozen=True)
class _Point:
    """A point of the hull. Values along a line need no matrix X, only these.

    Parameters
    ----------
    linear, quadratic : float
        Parts of the objective.
    gradient : dict of frozenset of str to array of shape (size, size)
        Of the quadratic part, which is <gradient, X> / 2.
    """

    linear: float
    quadratic: float
    gradient: dict[frozenset[str], NDArray]

    @property
    def value(self) -> float:
        return self.linear + self.quadratic

    def towards(self, other: _Corner, step: float) -> _Point:
        """Return the point part of the way to a corner."""
        mixed = step * (1 - step) * _inner(self.gradient, other.vertex)
        return _Point(
            (1 - step) * self.linear + step * other.linear,
            (1 - step) ** 2 * self.quadratic + mixed + step**2 * other.quadratic,
            {
                names: (1 - step) * mine + step * other.gradient[names]
                for names, mine in self.gradient.items()
            },
        )


@dataclass(frozen=True)
class _Corner(_Point):
    """A point of the hull that is a vertex."""

    vertex: Vertex


def _inner(parts: SignParts, vertex: Vertex) -> float:
    """<parts, X> at a vertex."""
    places = np.arange(len(vertex.permutation))
    return float(
        sum(vertex.sign(names) @ part[places, vertex.permutation] for names, part in parts.items())
    )


class _Problem:
    """The objective, its gradient at vertices, and steps that increase it."""

    def __init__(
        self, linear: SignParts, pairs: Sequence[Pair], blocks: int, is_movable: bool
    ) -> None:
        self.linear, self.pairs = linear, pairs
        self.blocks, self.is_movable = blocks, is_movable
        self.size = len(next(iter(linear.values())))
        sets = dict.fromkeys([*linear, *(s for pair in pairs for s in (pair.rows, pair.columns))])
        self.sets = list(sets)
        self.names = sorted(set().union(*self.sets))
        # What is summed over comes first, so that units are gathered in long runs.
        self.over_columns = [_sides(pair, (1, 2, 0)) for pair in pairs]
        self.over_rows = [_sides(pair, (0, 2, 1)) for pair in pairs]

    def assign(self, parts: SignParts) -> Vertex:
        """Return the vertex that is best for a linear objective."""
        filled = {names: np.zeros((self.size, self.size)) for names in self.sets[:1]} | dict(parts)
        permutation, signs = assign_signed(filled, self.blocks, is_movable=self.is_movable)
        return Vertex(permutation, {name: np.ones(self.size) for name in self.names} | signs)

    def random(self, rng: np.random.Generator) -> Vertex:
        """Draw a vertex."""
        order = np.arange(self.size).reshape(self.blocks, -1)
        if self.is_movable:
            order = rng.permuted(rng.permutation(order), axis=1)
        signs = {name: rng.choice([-1.0, 1.0], size=self.size) for name in self.names}
        return Vertex(order.ravel(), signs)

    def at(self, vertex: Vertex) -> _Corner:
        """Evaluate a vertex: one matrix product for each pair and side."""
        gradient = {names: np.zeros((self.size, self.size)) for names in self.sets}
        order = vertex.permutation
        for pair, over_columns, over_rows in zip(
            self.pairs, self.over_columns, self.over_rows, strict=True
        ):
            for side, signs, (reference, model) in (
                (pair.rows, pair.columns, over_columns),
                (pair.columns, pair.rows, over_rows),
            ):
                moved = model.take(order, axis=0)
                moved *= vertex.sign(signs)[:, None, None]
                gradient[side] += reference.T @ moved.reshape(reference.shape)
        linear = _inner(self.linear, vertex)
        return _Corner(linear, _inner(gradient, vertex) / 2, gradient, vertex)

    def barycentre(self) -> _Point:
        """Evaluate the mean of all vertices: signs cancel, places are equal."""
        gradient = {names: np.zeros((self.size, self.size)) for names in self.sets}
        for pair in self.pairs:
            if not pair.columns:
                sums = pair.reference.sum(axis=1) @ pair.model.sum(axis=1).T
                gradient[pair.rows] += sums / self.size
            if not pair.rows:
                sums = pair.reference.sum(axis=0) @ pair.model.sum(axis=0).T
                gradient[pair.columns] += sums / self.size
        free = gradient.get(NONE, np.zeros((1, 1))).sum() / self.size
        linear = self.linear.get(NONE, np.zeros((1, 1))).sum() / self.size
        return _Point(linear, free / 2, gradient)

    def ascend(self, point: _Point, max_steps: int) -> _Corner:
        """Return the best vertex on the way of Frank-Wolfe steps from a point."""
        best = point if isinstance(point, _Corner) else self._ahead(point)
        for _ in range(max_steps):
            corner = self._ahead(point)
            if corner.value > best.value:
                best = corner
            mixed = _inner(point.gradient, corner.vertex)
            slope = corner.linear - point.linear + mixed - 2 * point.quadratic
            curvature = corner.quadratic - mixed + point.quadratic
            if slope <= RELATIVE_TOLERANCE * abs(point.value):
                break
            is_convex = slope + 2 * curvature >= 0
            point = corner if is_convex else point.towards(corner, -slope / (2 * curvature))
        return best

    def _ahead(self, point: _Point) -> _Corner:
        """Return the corner that the gradient points to."""
        return self.at(self.assign(_sum(self.linear, point.gradient)))

    def improve(self, point: _Corner) -> _Corner:
        """Swap two units or flip one sign as long as that helps."""
        while True:
            moves = self._moves(point)
            if not moves:
                return point
            best = self.at(_moved(point.vertex, moves[:1]))
            if len(moves) > 1:  # together they are worth more than one, unless they interfere
                together = self.at(_moved(point.vertex, moves))
                best = max(best, together, key=lambda found: found.value)
            if best.value <= point.value:
                return point
            point = best

    def _moves(self, point: _Corner) -> list[tuple[str | None, int, int]]:
        """List swaps (None, i, j) and flips (sign, i, i) that help, each unit once, best first."""
        vertex = point.vertex
        slopes = _sum(self.linear, point.gradient)
        # Everything from here on in terms of places: entry [k, l] is about the unit now in l.
        for names, part in slopes.items():
            slopes[names] = part[:, vertex.permutation] * vertex.sign(names)
        total = np.sum(list(slopes.values()), axis=0)
        own = np.diag(total)
        swaps = total + total.T - own[:, None] - own
        flips = {
            name: -2.0
            * np.sum([np.diag(s) for names, s in slopes.items() if name in names], axis=0)
            for name in self.names
        }
        order = vertex.permutation
        for pair in self.pairs:
            model = pair.model[np.ix_(order, order)]
            model = model * (vertex.sign(pair.rows)[:, None] * vertex.sign(pair.columns))[..., None]
            swaps += np.einsum("klr,klr->kl", _contrast(pair.reference), _contrast(model))
            own = np.einsum("kkr,kkr->k", pair.reference, model)
            for name in pair.rows & pair.columns:
                flips[name] = flips[name] + 4.0 * own
        least = RELATIVE_TOLERANCE * max(abs(point.value), np.finfo(float).tiny)
        moves: list[tuple[float, str | None, int, int]] = []  # with what each is worth
        if self.is_movable:
            block = np.arange(self.size) // (self.size // self.blocks)
            allowed = np.triu(block[:, None] == block, 1) & (swaps > least)
            pairs = np.argwhere(allowed).tolist()
            moves += [(float(swaps[i, j]), None, i, j) for i, j in pairs]
        for sign, gains in flips.items():
            places = np.flatnonzero(gains > least).tolist()
            moves += [(float(gains[i]), sign, i, i) for i in places]
        moves.sort(key=lambda move: -move[0])
        used: set[int] = set()
        chosen: list[tuple[str | None, int, int]] = []
        for _, flipped, i, j in moves:
            if not used & {i, j}:
                used |= {i, j}
                chosen.append((flipped, i, j))
        return chosen


def _sides(pair: Pair, axes: tuple[int, int, int]) -> tuple[NDArray, NDArray]:
    """Lay out both sides of a pair for products over their first two axes."""
    reference = np.ascontiguousarray(pair.reference.transpose(axes))
    model = np.ascontiguousarray(pair.model.transpose(axes))
    return reference.reshape(-1, reference.shape[2]), model


def _contrast(block: NDArray) -> NDArray:
    """(e_i - e_j)^T block (e_i - e_j) for all i and j."""
    own = np.einsum("kkr->kr", block)
    return own[:, None] + own - block - block.swapaxes(0, 1)


def _sum(first: SignParts, second: SignParts) -> dict[frozenset[str], NDArray]:
    total = dict(first)
    for names, part in second.items():
        total[names] = total[names] + part if names in total else part
    return total


def _moved(vertex: Vertex, moves: Sequence[tuple[str | None, int, int]]) -> Vertex:
    """Return a vertex after swaps, of units with their signs, and flips."""
    order = vertex.permutation.copy()
    signs = {name: values.copy() for name, values in vertex.signs.items()}
    for name, i, j in moves:
        if name is not None:
            signs[name][i] *= -1.0
            continue
        for values in (order, *signs.values()):
            values[[i, j]] = values[[j, i]]
    return Vertex(order, signs)

"""How alike the units of two networks are, with everything else held where it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Transformation
from stackens.weight_averaging.alignment.matching._groups import Group, Occurrence

__all__ = ["Memory", "Pair", "cross_products", "pairs", "similarity"]

Arrays = Mapping[str, NDArray]


class Memory:
    """Products of a fixed reference with a model, kept while units of the model move.

    Late in a descent few units move at a time, and products change only by those.
    """

    def __init__(self) -> None:
        self._known: dict[Occurrence, tuple[NDArray, NDArray]] = {}

    def product(self, place: Occurrence, reference: NDArray, model: NDArray) -> NDArray:
        """Return ``reference @ model.T`` for the rows of units in one place."""
        if place in self._known:
            before, product = self._known[place]
            changed = np.flatnonzero((before != model).any(axis=0))
            if 2 * len(changed) < model.shape[1]:
                difference = model[:, changed] - before[:, changed]
                product = product + reference[:, changed] @ difference.T
                self._known[place] = model, product
                return product
        self._known[place] = model, reference @ model.T
        return self._known[place][1]

    def follow(self, group: Group, change: Transformation) -> None:
        """Take in that the model's units of a group have moved."""
        order = change.permutations.get(group.name, np.arange(group.size))
        for place in group.occurrences:
            if place in self._known:
                sign = np.ones(group.size)
                for name in place.signs:
                    sign = sign * change.signs.get(name, 1.0)
                model, product = self._known[place]
                self._known[place] = model[order] * sign[:, None], product[:, order] * sign


def similarity(
    group: Group,
    reference: Arrays,
    model: Arrays,
    tensors: Collection[str],
    memory: Memory | None = None,
) -> dict[frozenset[str], NDArray]:
    """Inner products of the reference's units with the model's, over all that is linear in them.

    Parameters
    ----------
    group : Group
    reference, model : dict of str to array
    tensors : collection of str
        Those that count. What stands along two axes of one tensor is left to :func:`pairs`.
    memory : Memory or None, default=None
        Products of the same reference and, but for units that have moved, the same model.

    Returns
    -------
    parts : dict of frozenset of str to array of shape (size, size)
        Reference unit k with model unit j at [k, j], split by the names of the signs.
    """
    parts: dict[frozenset[str], NDArray] = {frozenset(): np.zeros((group.size, group.size))}
    quadratic = group.quadratic
    memory = memory or Memory()
    for place in group.occurrences:
        if place.tensor not in tensors or place.matrix is not None:
            continue
        left, right = reference[place.tensor], model[place.tensor]
        if place.tensor in quadratic:
            others = _other_indices(group, place, left.shape)
            if not any(len(indices) for _, indices in others):
                continue
            for axis, indices in others:
                left, right = left.take(indices, axis), right.take(indices, axis)
        product = memory.product(place, place.rows(left), place.rows(right))
        parts[place.signs] = parts.get(place.signs, 0.0) + product
    return parts


def _other_indices(
    group: Group, place: Occurrence, shape: tuple[int, ...]
) -> list[tuple[int, NDArray]]:
    """For each further axis of the same tensor with these units, the indices without them."""
    free: dict[int, NDArray] = {}
    for other in group.occurrences:
        if other.tensor == place.tensor and other.axis != place.axis:
            kept = free.setdefault(other.axis, np.ones(shape[other.axis], dtype=bool))
            kept[other.start : other.start + other.part.length] = False
    return [(axis, np.flatnonzero(kept)) for axis, kept in free.items()]


@dataclass(frozen=True)
class Pair:
    """Two runs of one tensor, along two of its axes, with the same units: a quadratic term.

    Parameters
    ----------
    rows, columns : frozenset of str
        Signs of either run.
    reference, model : array of shape (size, size, n_others)
    """

    rows: frozenset[str]
    columns: frozenset[str]
    reference: NDArray
    model: NDArray


def pairs(group: Group, reference: Arrays, model: Arrays, tensors: Collection[str]) -> list[Pair]:
    """List the terms that are quadratic in a group's units; runs with equal signs as one."""
    found: dict[tuple[frozenset[str], frozenset[str]], list[tuple[NDArray, NDArray]]] = {}
    for tensor in group.quadratic:
        if tensor not in tensors:
            continue
        places = [
            place for place in group.occurrences if place.tensor == tensor and not place.matrix
        ]
        for first in places:
            for second in places:
                if first.axis < second.axis:
                    sides = [_paired(first, second, side[tensor]) for side in (reference, model)]
                    key = (first.signs, second.signs)
                    found.setdefault(key, []).append((sides[0], sides[1]))
    return [
        Pair(*key, *(np.concatenate(side, axis=2) for side in zip(*terms, strict=True)))
        for key, terms in found.items()
    ]


def _paired(first: Occurrence, second: Occurrence, array: NDArray) -> NDArray:
    """Return a block of shape (size, size, rest): unit of the first run, of the second, others."""
    block = np.moveaxis(array, (first.axis, second.axis), (0, 1))
    block = block[
        first.start : first.start + first.part.length,
        second.start : second.start + second.part.length,
    ]
    one, two = first.part, second.part
    block = block.reshape(one.outer, one.size, one.inner, two.outer, two.size, two.inner, -1)
    return block.transpose(1, 4, 0, 2, 3, 5, 6).reshape(one.size, two.size, -1)


def cross_products(
    group: Group, reference: Arrays, model: Arrays, tensors: Collection[str]
) -> dict[str, NDArray]:
    """Inner products of the rows of the units' matrices.

    Returns
    -------
    products : dict of str to array of shape (size, size, rows, rows)
        For each matrix: row a of reference unit k with row b of model unit j at [k, j, a, b].
    """
    products: dict[str, NDArray] = {}
    for place in group.occurrences:
        if place.matrix is None or place.tensor not in tensors:
            continue
        left = place.rows_inside(reference[place.tensor])
        right = place.rows_inside(model[place.tensor])
        size, inner = left.shape[:2]
        flat = left.reshape(size * inner, -1) @ right.reshape(size * inner, -1).T
        flat = flat.reshape(size, inner, size, inner).swapaxes(1, 2)
        products[place.matrix] = products.get(place.matrix, 0.0) + flat
    return products

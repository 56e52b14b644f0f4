"""Which unit takes which place, and with which signs: linear assignment."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["SignParts", "assign", "assign_signed", "best_signs"]

# Similarities, split by the names of the signs that they are multiplied by: the whole is the sum
# over the parts of (product of the signs) * part.
SignParts = Mapping[frozenset[str], NDArray]

PRICE_ROUNDS = 8


def best_signs(parts: SignParts) -> tuple[NDArray, dict[str, NDArray]]:
    """Choose signs that make the sum of parts largest, for each entry on its own.

    Signs that share no part are chosen apart, so one sign costs one absolute value. Of signs that
    do share parts the most common one is tried both ways, which sets others free.

    Parameters
    ----------
    parts : dict of frozenset of str to array
        Similarities by the names of their signs, arrays of one shape.

    Returns
    -------
    score : array
        The largest sums.
    signs : dict of str to array
        +1 or -1 for every name, in the same shape.
    """
    score = np.zeros(np.shape(next(iter(parts.values()))))
    signs: dict[str, NDArray] = {}
    if frozenset() in parts:
        score = score + parts[frozenset()]
    for linked in _linked({names: part for names, part in parts.items() if names}):
        if len(linked) == 1:
            ((names, part),) = linked.items()
            score += np.abs(part)
            first, *others = sorted(names)
            signs[first] = np.where(part < 0, -1.0, 1.0)
            signs.update({name: np.ones(part.shape) for name in others})
            continue
        everyone = sorted(name for names in linked for name in names)
        tried = max(everyone, key=everyone.count)
        plus, plus_signs = best_signs(_given(linked, tried, 1.0))
        minus, minus_signs = best_signs(_given(linked, tried, -1.0))
        flip = minus > plus
        score += np.where(flip, minus, plus)
        signs[tried] = np.where(flip, -1.0, 1.0)
        for name in sorted(set(everyone) - {tried}):
            signs[name] = np.where(flip, minus_signs[name], plus_signs[name])
    return score, signs


def _given(parts: SignParts, name: str, value: float) -> dict[frozenset[str], NDArray]:
    """Return the parts once one sign is decided."""
    given: dict[frozenset[str], NDArray] = {}
    for names, part in parts.items():
        rest = names - {name}
        term = part if rest == names else value * part
        given[rest] = given[rest] + term if rest in given else term
    return given


def _linked(parts: SignParts) -> list[dict[frozenset[str], NDArray]]:
    """Split parts into groups that share no sign."""
    groups: list[dict[frozenset[str], NDArray]] = []
    for names, part in parts.items():
        merged = {names: part}
        apart = []
        for group in groups:
            if any(names & other for other in group):
                merged.update(group)
            else:
                apart.append(group)
        groups = [*apart, merged]
    return groups


def assign(scores: NDArray, blocks: int = 1) -> NDArray:
    """Choose a place for every unit so that the sum of scores is largest.

    Parameters
    ----------
    scores : array of shape (size, size)
        Worth of unit j in place k, at [k, j].
    blocks : int, default=1
        The units stand in so many blocks of equal size and stay with those of their block.

    Returns
    -------
    permutation : int array of shape (size,)
        The unit for each place.

    References
    ----------
    Crouse (2016), IEEE Transactions on Aerospace and Electronic Systems 52(4), 1679-1696.
    """
    if blocks == 1:
        return _assigned(scores)
    inside = len(scores) // blocks
    tiles = scores.reshape(blocks, inside, blocks, inside).swapaxes(1, 2)
    orders = np.empty((blocks, blocks, inside), dtype=np.intp)
    worth = np.empty((blocks, blocks))
    for place in np.ndindex(blocks, blocks):
        orders[place] = _assigned(tiles[place])
        worth[place] = tiles[place][np.arange(inside), orders[place]].sum()
    block = _assigned(worth)
    return (block[:, None] * inside + orders[np.arange(blocks), block]).ravel()


def _assigned(scores: NDArray) -> NDArray:
    """Solve one assignment, fast where most units are in their best place already.

    A few rounds of Bellman and Ford bid up a price for each unit: what the units that gain most
    from it would lose by staying. Prices change all assignments by the same amount, so the result
    is the same, but near the end of a descent the search is several times shorter with them.
    """
    own = np.diagonal(scores)
    prices = np.zeros(len(scores))
    for _ in range(PRICE_ROUNDS):
        bids = np.maximum(prices, (scores + (prices - own)[:, None]).max(axis=0))
        if np.array_equal(bids, prices):  # nobody gains by any exchange
            return np.arange(len(scores))
        prices = bids
    return linear_sum_assignment(scores - prices, maximize=True)[1]


def assign_signed(
    parts: SignParts, blocks: int = 1, *, is_movable: bool = True
) -> tuple[NDArray, dict[str, NDArray]]:
    """Choose a place and signs for every unit so that the sum of similarities is largest.

    Parameters
    ----------
    parts : dict of frozenset of str to array of shape (size, size)
        Similarity of unit j to the place k, at [k, j], by the names of its signs.
    blocks : int, default=1
        See :func:`assign`.
    is_movable : bool, default=True
        False: the units keep their places, and only signs are chosen.

    Returns
    -------
    permutation : int array of shape (size,)
    signs : dict of str to array of shape (size,)
        For each place.
    """
    places = np.arange(len(next(iter(parts.values()))))
    permutation = assign(best_signs(parts)[0], blocks) if is_movable else places
    chosen = {names: part[places, permutation] for names, part in parts.items()}
    return permutation, best_signs(chosen)[1]

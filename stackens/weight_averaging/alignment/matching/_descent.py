"""One group of units after the other is matched, until none moves any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Symmetry, Transformation
from stackens.weight_averaging.alignment.matching._assignment import assign_signed
from stackens.weight_averaging.alignment.matching._groups import Group, groups_of
from stackens.weight_averaging.alignment.matching._quadratic import match_quadratic
from stackens.weight_averaging.alignment.matching._similarity import (
    Memory,
    cross_products,
    pairs,
    similarity,
)

__all__ = ["Descent", "State"]

Arrays = Mapping[str, NDArray]

ROUNDING = 1e-11  # of the largest possible inner product
THOROUGH, QUICK = 6, 2  # starts where units stand along two axes


@dataclass(frozen=True)
class State:
    """A model part of the way to its reference.

    Parameters
    ----------
    change : Transformation
        What has been done to it.
    arrays : dict of str to array
        Its tensors after that.
    products : dict of str to float
        Inner product with the reference for each tensor.
    """

    change: Transformation
    arrays: Arrays
    products: Mapping[str, float]

    @property
    def objective(self) -> float:
        """The inner product over all tensors."""
        return float(sum(self.products.values()))


class Descent:
    """Coordinate descent over groups of units, with one reference.

    Parameters
    ----------
    symmetry : Symmetry
        With the tensors that count.
    reference : dict of str to array
        Smallest form of the reference.
    """

    def __init__(self, symmetry: Symmetry, reference: Arrays) -> None:
        self.reference = {tensor: reference[tensor] for tensor in symmetry.layout}
        self.groups = groups_of(symmetry)
        self._symmetries = [
            replace(symmetry, layout={tensor: symmetry.layout[tensor] for tensor in group.tensors})
            for group in self.groups
        ]

    def start(self, model: Arrays, change: Transformation | None = None) -> State:
        """Return the model as it stands, after a change that has been made."""
        arrays = {tensor: model[tensor] for tensor in self.reference}
        return State(change or Transformation(), arrays, self._products(arrays))

    def grow(self, state: State, rng: np.random.Generator) -> State:
        """Match each group once, from what is fixed (inputs and outputs) inwards.

        A group is compared only where its neighbours have been matched: what has not would drown
        the rest in noise. The result may be worse than the start.
        """
        open_groups = list(range(len(self.groups)))
        while open_groups:
            waiting: dict[str, int] = {}
            for i in open_groups:
                for tensor in self.groups[i].tensors:
                    waiting[tensor] = waiting.get(tensor, 0) + 1
            known = {
                i: [tensor for tensor in self.groups[i].tensors if waiting[tensor] == 1]
                for i in open_groups
            }
            next_one = max(open_groups, key=lambda i: self._share(i, known[i]))
            tensors = known[next_one] or self.groups[next_one].tensors
            change = self._choose(state, next_one, rng, THOROUGH, tensors, Memory())
            state = self._after(state, next_one, change)
            open_groups.remove(next_one)
        return state

    def shuffle(self, state: State, change: Transformation) -> State:
        """Return the model after a change that has nothing to do with the reference."""
        for i in range(len(self.groups)):
            state = self._after(state, i, _of_group(self.groups[i], change))
        return state

    def descend(
        self, state: State, rng: np.random.Generator, max_sweeps: int, tolerance: float
    ) -> tuple[State, int]:
        """Match groups in random order as long as the objective grows; it never shrinks.

        Parameters
        ----------
        state : State
        rng : numpy.random.Generator
        max_sweeps : int
        tolerance : float
            A round that increases the cosine with the reference by less is the last one.

        Returns
        -------
        state : State
        sweeps : int
            Rounds that were made. Only groups with a neighbour that has moved take part in one.
        """
        sides = self.reference, state.arrays
        squares = [sum(np.vdot(array, array) for array in side.values()) for side in sides]
        norm = np.sqrt(squares[0] * squares[1])
        changed = set(range(len(self.groups)))
        memory = Memory()
        sweeps = 0
        while changed and sweeps < max_sweeps:
            order, changed = rng.permutation(sorted(changed)), set()
            sweeps += 1
            before = state.objective
            for i in order.tolist():
                changed.discard(i)
                group = self.groups[i]
                change = self._choose(state, i, rng, QUICK, group.tensors, memory)
                moved = self._after(state, i, change)
                if moved.objective > state.objective + ROUNDING * norm:
                    state = moved
                    memory.follow(group, change)
                    changed |= self._neighbours(i)
            if state.objective - before < tolerance * norm:
                break
        return state, sweeps

    def _share(self, i: int, tensors: Collection[str]) -> float:
        """Return how much of what a group enters is among these tensors."""
        squares = {t: np.vdot(self.reference[t], self.reference[t]) for t in self.groups[i].tensors}
        return sum(squares[t] for t in tensors) / (sum(squares.values()) or 1.0)

    def _neighbours(self, i: int) -> set[int]:
        tensors = set(self.groups[i].tensors)
        near = {j for j, other in enumerate(self.groups) if tensors & set(other.tensors)}
        # What is solved by steps may go on by itself; the rest is at its best.
        is_stepwise = bool(self.groups[i].quadratic)
        return near if is_stepwise else near - {i}

    def _choose(
        self,
        state: State,
        i: int,
        rng: np.random.Generator,
        n_starts: int,
        tensors: Collection[str],
        memory: Memory,
    ) -> Transformation:
        """Return the best change of one group, all others held."""
        group = self.groups[i]
        sides = self.reference, state.arrays
        parts = similarity(group, *sides, tensors, memory)
        quadratic = pairs(group, *sides, tensors)
        crosses = cross_products(group, *sides, tensors)
        for cross in crosses.values():
            # The best rotation reaches the sum of singular values.
            parts[frozenset()] += np.linalg.svd(cross, compute_uv=False).sum(axis=2)
        blocks, is_movable = group.blocks, group.is_movable
        if quadratic:
            order, signs = match_quadratic(
                parts, quadratic, rng, blocks=blocks, is_movable=is_movable, n_starts=n_starts
            )
        else:
            order, signs = assign_signed(parts, blocks, is_movable=is_movable)
        rotations = {}
        for name, cross in crosses.items():
            left, _, right = np.linalg.svd(cross[np.arange(group.size), order])
            rotations[name] = left @ right
        permutations = {group.name: order} if group.is_movable else {}
        return Transformation(permutations, signs, matrices=rotations)

    def _after(self, state: State, i: int, change: Transformation) -> State:
        """Apply a change of one group on top of those before."""
        symmetry = self._symmetries[i]
        moved = symmetry.apply(change, {t: state.arrays[t] for t in symmetry.layout})
        return State(
            _composed(self.groups[i], state.change, change),
            {**state.arrays, **moved},
            {**state.products, **self._products(moved)},
        )

    def _products(self, arrays: Arrays) -> dict[str, float]:
        return {t: float(np.vdot(self.reference[t], array)) for t, array in arrays.items()}


def _of_group(group: Group, change: Transformation) -> Transformation:
    """Return the permutation and signs of one group; rotations are found at once anyway."""
    signs = {name for place in group.occurrences for name in place.signs}
    return Transformation(
        {group.name: change.permutations[group.name]} if group.is_movable else {},
        {name: values for name, values in change.signs.items() if name in signs},
    )


def _composed(group: Group, first: Transformation, second: Transformation) -> Transformation:
    """Return the change that does the second after the first, of one group."""
    order = second.permutations.get(group.name, np.arange(group.size))
    permutations, signs, matrices = map(dict, (first.permutations, first.signs, first.matrices))
    if group.is_movable:
        permutations[group.name] = permutations.get(group.name, np.arange(group.size))[order]
    for name in sorted({name for place in group.occurrences for name in place.signs}):
        before = signs.get(name, np.ones(group.size))[order]
        signs[name] = before * second.signs.get(name, 1.0)
    for name in group.matrices:
        if name in matrices:
            matrices[name] = matrices[name][order]
        if name in second.matrices:
            after = second.matrices[name]
            matrices[name] = after @ matrices[name] if name in matrices else after
    return Transformation(permutations, signs, matrices=matrices)

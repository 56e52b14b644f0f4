"""The units of a symmetry, and everywhere that they stand in the tensors."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry

__all__ = ["Group", "Occurrence", "groups_of"]


@dataclass(frozen=True)
class Occurrence:
    """A run of one axis of a tensor along which the units of a group stand.

    Parameters
    ----------
    tensor : str
    axis : int
    start : int
        First index of the run.
    part : Part
    signs : frozenset of str
        The signs of the run that are free.
    matrix : str or None
        The matrix of the run, if it is free.
    """

    tensor: str
    axis: int
    start: int
    part: Part
    signs: frozenset[str]
    matrix: str | None

    def rows(self, array: NDArray) -> NDArray:
        """Return the entries of each unit, of shape (size, outer * inner * other axes)."""
        run = np.moveaxis(array, self.axis, 0)[self.start : self.start + self.part.length]
        run = run.reshape(self.part.outer, self.part.size, -1)
        return (run[0] if len(run) == 1 else run.swapaxes(0, 1)).reshape(self.part.size, -1)

    def rows_inside(self, array: NDArray) -> NDArray:
        """Return the rows of each unit's matrix, of shape (size, inner, outer * other axes)."""
        part = self.part
        run = np.moveaxis(array, self.axis, 0)[self.start : self.start + part.length]
        run = run.reshape(part.outer, part.size, part.inner, -1)
        return run.transpose(1, 2, 0, 3).reshape(part.size, part.inner, -1)


@dataclass(frozen=True)
class Group:
    """Units that move together, with all that can be chosen for them.

    Parameters
    ----------
    name : str
        Name of the units, or of a matrix that belongs to none.
    size, blocks : int
        As for ``Units``.
    is_movable : bool
        Whether the units may trade places.
    matrices : tuple of str
        Their free matrices.
    occurrences : tuple of Occurrence
    """

    name: str
    size: int
    blocks: int
    is_movable: bool
    matrices: tuple[str, ...]
    occurrences: tuple[Occurrence, ...]

    @property
    def tensors(self) -> list[str]:
        """The tensors in which the units stand, without repeats."""
        return list(dict.fromkeys(place.tensor for place in self.occurrences))

    @property
    def quadratic(self) -> list[str]:
        """The tensors in which the units stand along two axes, as hidden-to-hidden weights."""
        return [
            tensor
            for tensor in self.tensors
            if len({place.axis for place in self.occurrences if place.tensor == tensor}) > 1
        ]


def groups_of(symmetry: Symmetry, ignore: Collection[str] = ()) -> list[Group]:
    """List the groups of units of which anything is free.

    Parameters
    ----------
    symmetry : Symmetry
    ignore : collection of str, default=()
        Tensors to leave out.
    """
    every = [part for axes in symmetry.layout.values() for parts in axes for part in parts]
    # A matrix contains the signs of its rows.
    contained = {name for part in every if _matrix(symmetry, part) for name in part.signs}
    signs = frozenset(symmetry.signs) - contained
    found: dict[tuple[str, str], list[Occurrence]] = {}
    for tensor, axes in symmetry.layout.items():
        if tensor in ignore:
            continue
        for axis, parts in enumerate(axes):
            start = 0
            for part in parts:
                matrix = _matrix(symmetry, part)
                owner = _owner(symmetry, part)
                if owner is not None:
                    place = Occurrence(
                        tensor, axis, start, part, signs.intersection(part.signs), matrix
                    )
                    found.setdefault(owner, []).append(place)
                start += part.length
    return [_group(symmetry, name, tuple(places)) for (_, name), places in found.items()]


def _matrix(symmetry: Symmetry, part: Part) -> str | None:
    name = part.matrix[0] if part.matrix is not None else None
    return name if name in symmetry.matrices else None


def _owner(symmetry: Symmetry, part: Part) -> tuple[str, str] | None:
    """Whose part this is: of units, of a matrix without units, or of nothing that is free."""
    matrix = _matrix(symmetry, part)
    if part.units is None:
        return None if matrix is None else ("matrix", matrix)
    is_free = part.units in symmetry.units or any(name in symmetry.signs for name in part.signs)
    return ("units", part.units) if is_free or matrix is not None else None


def _group(symmetry: Symmetry, name: str, places: tuple[Occurrence, ...]) -> Group:
    units = symmetry.units.get(name) if places[0].part.units is not None else None
    matrices = dict.fromkeys(place.matrix for place in places if place.matrix is not None)
    return Group(
        name,
        places[0].part.size,
        1 if units is None else units.blocks,
        units is not None,
        tuple(matrices),
        places,
    )

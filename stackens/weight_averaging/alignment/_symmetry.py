"""What may be changed in a network's weights without changing what it computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Part", "Symmetry", "Transformation", "UnitMatrix", "Units"]

Arrays = Mapping[str, NDArray]


@dataclass(frozen=True)
class Units:
    """Units of a network that may trade places: those of a layer, or of all that it is added to.

    Parameters
    ----------
    size : int
        Number of units.
    blocks : int, default=1
        The units stand in so many blocks of equal size, as the channels before a GroupNorm. Units
        stay with those of their block: they trade places inside it, and blocks do as wholes.
    """

    size: int
    blocks: int = 1


@dataclass(frozen=True)
class UnitMatrix:
    """A square matrix for each unit, such as for the queries and keys of an attention head.

    Parameters
    ----------
    units : str or None
        Name of the units. None: one matrix.
    count : int
        Number of matrices, that of the units.
    size : int
        Rows of a matrix.
    kind : {"general", "orthogonal"}
        Which matrices leave the function as it is.
    """

    units: str | None
    count: int
    size: int
    kind: Literal["general", "orthogonal"] = "general"


@dataclass(frozen=True)
class Part:
    """A run of consecutive indices of one axis of a tensor, and what happens to it.

    The run is read as three factors: index ``(o * units + k) * inner + i`` belongs to unit k.
    Entry (o, k, i) becomes ``sign[k] * scale[k] * old[o, permutation[k], i]``; a matrix then
    works along i.

    Parameters
    ----------
    size : int
        Number of units.
    outer, inner : int, default=1
        Factors around the units: after flattening channels-first images each unit has
        ``inner`` entries side by side, after channels-last ones ``outer`` entries far apart.
    units : str or None, default=None
        Name of the units. None: they stay where they are.
    signs : tuple of str, default=()
        Names of the signs that the entries are multiplied by.
    scales : tuple of (str, int), default=()
        Names of the positive scales that they are multiplied by, each to a power.
    matrix : (str, {1, -1}) or None, default=None
        Name of the matrices that work along ``inner``: A itself, or the transpose of its inverse.
    """

    size: int
    outer: int = 1
    inner: int = 1
    units: str | None = None
    signs: tuple[str, ...] = ()
    scales: tuple[tuple[str, int], ...] = ()
    matrix: tuple[str, int] | None = None

    @property
    def length(self) -> int:
        """Number of indices."""
        return self.outer * self.size * self.inner


@dataclass(frozen=True)
class Transformation:
    """One change that a :class:`Symmetry` allows. What it does not name stays as it is.

    Parameters
    ----------
    permutations : dict of str to int array of shape (size,)
        For each name of units: the new unit k is the old unit ``permutation[k]``.
    signs : dict of str to array of shape (size,)
        +1 or -1 for each new unit.
    scales : dict of str to array of shape (size,)
        A positive factor for each new unit.
    matrices : dict of str to array of shape (count, rows, rows)
        A matrix for each new unit.
    """

    permutations: Mapping[str, NDArray] = field(default_factory=dict)
    signs: Mapping[str, NDArray] = field(default_factory=dict)
    scales: Mapping[str, NDArray] = field(default_factory=dict)
    matrices: Mapping[str, NDArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Symmetry:
    """All changes of a network's tensors that leave its function as it is.

    Parameters
    ----------
    layout : dict of str to tuple of tuple of Part
        For each tensor that can change: for each of its axes the parts, from first to last.
    units : dict of str to Units
        Which units may trade places.
    signs, scales : dict of str to str
        Name of a sign or scale -> name of its units. A unit may have several, such as one before
        and one after batch normalisation.
    matrices : dict of str to UnitMatrix
    summed : tuple of (str, str, int, int), default=()
        Pairs of tensors of which only the sum matters, in the rows from start to stop: the two
        biases of a recurrent layer.
    notes : tuple of str, default=()
        What was left alone, and why.

    References
    ----------
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.
    """

    layout: Mapping[str, tuple[tuple[Part, ...], ...]]
    units: Mapping[str, Units]
    signs: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)
    matrices: Mapping[str, UnitMatrix] = field(default_factory=dict)
    summed: tuple[tuple[str, str, int, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def variables(self) -> list[str]:
        """Names of everything that can be chosen."""
        return [*self.units, *self.signs, *self.scales, *self.matrices]

    def without(self, names: Iterable[str], note: str = "") -> Symmetry:
        """Return the symmetry with some variables held where they are.

        Parameters
        ----------
        names : iterable of str
            Names from ``variables``.
        note : str, default=""
            Why.
        """
        gone = set(names)

        def kept(variables: Mapping[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in variables.items() if name not in gone}

        return replace(
            self,
            units=kept(self.units),
            signs=kept(self.signs),
            scales=kept(self.scales),
            matrices=kept(self.matrices),
            notes=(*self.notes, note) if note else self.notes,
        )

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise if tensors have other shapes than the layout says.

        Raises
        ------
        ValueError
            With every difference.
        """
        wrong = []
        for name, axes in self.layout.items():
            expected = tuple(sum(part.length for part in parts) for parts in axes)
            if name not in shapes:
                wrong.append(f"{name!r} is missing")
            elif tuple(shapes[name]) != expected:
                wrong.append(f"{name!r} has shape {tuple(shapes[name])} in place of {expected}")
        if wrong:
            raise ValueError(
                "The tensors must be those that the symmetry describes. Got "
                + "; ".join(wrong)
                + ". Derive it from a model of the same architecture."
            )

    def random(self, rng: np.random.Generator) -> Transformation:
        """Draw a change, far from none: for tests that the function stays the same."""
        permutations = {}
        for name, units in self.units.items():
            inside = units.size // units.blocks
            order = np.arange(units.size).reshape(units.blocks, inside)
            permutations[name] = rng.permuted(rng.permutation(order), axis=1).ravel()
        matrices = {}
        for name, matrix in self.matrices.items():
            drawn = rng.normal(size=(matrix.count, matrix.size, matrix.size))
            turned = np.linalg.qr(drawn).Q
            stretch = rng.uniform(0.5, 2.0, size=(matrix.count, 1, matrix.size))
            matrices[name] = turned * stretch if matrix.kind == "general" else turned
        return Transformation(
            permutations,
            {
                name: rng.choice([-1.0, 1.0], size=self.size(self.signs[name]))
                for name in self.signs
            },
            {
                name: rng.uniform(0.5, 2.0, size=self.size(self.scales[name]))
                for name in self.scales
            },
            matrices,
        )

    def apply(self, change: Transformation, arrays: Arrays) -> dict[str, NDArray]:
        """Return the tensors after a change, each of the type that it had.

        Permutations and signs are exact; scales and matrices are computed in double precision and
        rounded once.

        Parameters
        ----------
        change : Transformation
        arrays : dict of str to array
            All tensors; those outside the layout are returned as they are.
        """
        self.check({name: array.shape for name, array in arrays.items()})
        changed = dict(arrays)
        for name, axes in self.layout.items():
            array = changed[name]
            for axis, parts in enumerate(axes):
                if any(_is_touched(part, change) for part in parts):
                    array = _along(array, axis, parts, change)
            changed[name] = _rounded(array, arrays[name].dtype)
        return changed

    def size(self, units: str) -> int:
        """Return how many units bear a name, free or not."""
        parts = (part for axes in self.layout.values() for parts in axes for part in parts)
        return next(part.size for part in parts if part.units == units)


def _rounded(array: NDArray, dtype: np.dtype) -> NDArray:
    return array if array.dtype == dtype else array.astype(dtype)


def _is_touched(part: Part, change: Transformation) -> bool:
    return (
        part.units in change.permutations
        or any(name in change.signs for name in part.signs)
        or any(name in change.scales for name, _ in part.scales)
        or (part.matrix is not None and part.matrix[0] in change.matrices)
    )


def _along(array: NDArray, axis: int, parts: tuple[Part, ...], change: Transformation) -> NDArray:
    """Return a tensor with one axis changed."""
    pieces = []
    start = 0
    for part in parts:
        piece = np.moveaxis(array, axis, 0)[start : start + part.length]
        start += part.length
        pieces.append(_changed(piece, part, change))
    return np.moveaxis(np.concatenate(pieces) if len(pieces) > 1 else pieces[0], 0, axis)


def _changed(piece: NDArray, part: Part, change: Transformation) -> NDArray:
    """Change a run of the first axis."""
    shape = piece.shape
    piece = piece.reshape(part.outer, part.size, part.inner, -1)
    if part.units is not None and part.units in change.permutations:
        piece = piece.take(change.permutations[part.units], axis=1)
    factor = np.ones(part.size)
    for name in part.signs:
        factor = factor * change.signs.get(name, 1.0)
    if np.any(factor < 0):
        piece = np.where(factor[:, None, None] < 0, -piece, piece)  # exact in any type
    powers = [(change.scales[name], power) for name, power in part.scales if name in change.scales]
    for scale, power in powers:
        piece = piece.astype(np.float64, copy=False) * (scale**power)[:, None, None]
    if part.matrix is not None and part.matrix[0] in change.matrices:
        name, power = part.matrix
        matrices = change.matrices[name]
        if power < 0:
            matrices = np.linalg.inv(matrices).swapaxes(1, 2)
        piece = np.einsum("kij,okjr->okir", matrices, piece.astype(np.float64, copy=False))
    return piece.reshape(shape)

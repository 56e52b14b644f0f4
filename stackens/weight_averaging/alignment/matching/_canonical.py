"""One representative of all networks that differ by scales and matrices: the smallest one.

Without it the inner product with another network could be made as large as one likes. Of all equal
networks the one with the least sum of squares is taken: it is unique up to permutations, signs and
rotations, and it is where weight decay pulls, so that trained networks are near it. For a ReLU unit
its incoming and outgoing weights then have equal norms; for queries and keys, their rows have equal
Gram matrices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import (
    Part,
    Symmetry,
    Transformation,
)
from stackens.weight_averaging.alignment.matching._groups import groups_of

__all__ = ["canonical", "carried_back", "counted"]

Arrays = Mapping[str, NDArray]

MAX_PASSES = 500
LARGEST = np.log(1e9)  # of logarithms: units that are nearly dead stay within single precision
TOLERANCE = 1e-11  # of logarithms of scales
MAX_ROUNDS = 20
ROUND_TOLERANCE = 1e-6  # one more round then leads to all digits that the matrices allow
CONDITION = 1e-10  # least eigenvalue of a Gram matrix, as a fraction of the largest


def counted(symmetry: Symmetry, ignore: Collection[str] = ()) -> Symmetry:
    """Return the symmetry with only those tensors in its layout that count and can change."""
    scaled = {
        tensor
        for tensor, axes in symmetry.layout.items()
        if any(name in symmetry.scales for parts in axes for p in parts for name, _ in p.scales)
    }
    movable = {tensor for group in groups_of(symmetry) for tensor in group.tensors}
    kept = (scaled | movable) - set(ignore)
    return replace(symmetry, layout={t: a for t, a in symmetry.layout.items() if t in kept})


def canonical(symmetry: Symmetry, arrays: Arrays) -> tuple[dict[str, NDArray], Transformation]:
    """Return the smallest network that computes the same, in double precision.

    Parameters
    ----------
    symmetry : Symmetry
        With the tensors that count, see :func:`counted`.
    arrays : dict of str to array

    Returns
    -------
    arrays : dict of str to array
        The tensors of the layout. Of pairs of which only the sum matters the first holds the sum.
    change : Transformation
        The scales and matrices that led there.

    References
    ----------
    Neyshabur, Salakhutdinov & Srebro (2015), "Path-SGD", arXiv:1506.02617, on the scales.
    Bhatia (2007), "Positive Definite Matrices", chapter 4, on the mean of two Gram matrices.
    """
    smallest = _with_sums(symmetry, arrays)
    logs = _no_scales(symmetry)
    general = [name for name, matrix in symmetry.matrices.items() if matrix.kind == "general"]
    matrices: dict[str, NDArray] = {}
    for _ in range(MAX_ROUNDS):
        steps = _balance(symmetry, smallest) if logs else {}
        logs = {name: log + steps[name] for name, log in logs.items()}
        scales = {name: np.exp(step) for name, step in steps.items()}
        smallest = symmetry.apply(Transformation(scales=scales), smallest)
        largest = max((np.abs(step).max() for step in steps.values()), default=0.0)
        for name in general:
            matrix = _equalising(symmetry, name, smallest)
            matrices[name] = matrix @ matrices[name] if name in matrices else matrix
            smallest = symmetry.apply(Transformation(matrices={name: matrix}), smallest)
            largest = max(largest, np.abs(matrix - np.eye(matrix.shape[-1])).max())
        if not general or largest < ROUND_TOLERANCE:
            break
    scales = {name: np.exp(log) for name, log in logs.items()}
    return smallest, Transformation(scales=scales, matrices=matrices)


def carried_back(
    symmetry: Symmetry,
    change: Transformation,
    model: Transformation,
    reference: Transformation | None = None,
) -> Transformation:
    """Express a change between smallest networks as one of the network that was given.

    Parameters
    ----------
    symmetry : Symmetry
    change : Transformation
        Permutations, signs and rotations that were found for the smallest model.
    model : Transformation
        What had led to the smallest model.
    reference : Transformation or None, default=None
        What had led to the smallest reference, whose own scales and matrices the model then gets.
        None: the model stays as small as it is.
    """

    def units(owner: str | None, values: NDArray) -> NDArray:
        order = None if owner is None else change.permutations.get(owner)
        return values if order is None else values[order]

    scales = {name: units(symmetry.scales[name], values) for name, values in model.scales.items()}
    matrices = dict(change.matrices)
    for name, values in model.matrices.items():
        moved = units(symmetry.matrices[name].units, values)
        matrices[name] = matrices[name] @ moved if name in matrices else moved
    if reference is not None:
        scales = {name: values / reference.scales[name] for name, values in scales.items()}
        for name, theirs in reference.matrices.items():
            matrices[name] = np.linalg.solve(theirs, matrices[name])
    return replace(change, scales=scales, matrices=matrices)


def _with_sums(symmetry: Symmetry, arrays: Arrays) -> dict[str, NDArray]:
    """Copy the tensors; a sum of two replaces the first, the second becomes zero."""
    copies = {name: np.array(arrays[name], dtype=np.float64) for name in symmetry.layout}
    for first, second, start, stop in symmetry.summed:
        if first in copies and second in copies:
            copies[first][start:stop] += copies[second][start:stop]
            copies[second][start:stop] = 0.0
    return copies


# ---------------------------------------------------------------- scales


def _no_scales(symmetry: Symmetry) -> dict[str, NDArray]:
    """Return logarithms of one for all scales that stand in tensors that count."""
    parts = [part for axes in symmetry.layout.values() for parts in axes for part in parts]
    return {name: np.zeros(part.size) for part in parts for name in _powers(symmetry, part)}


@dataclass(frozen=True)
class _Run:
    """Where units with scales stand in a table of squares."""

    axis: int
    start: int
    stop: int
    powers: dict[str, int]


def _balance(symmetry: Symmetry, arrays: Arrays) -> dict[str, NDArray]:
    """Return logarithms of the scales that make the sum of squares least.

    The sum is convex in the logarithms; each set of scales in turn has a closed form.
    """
    tables = []
    for tensor, axes in symmetry.layout.items():
        if any(_powers(symmetry, part) for parts in axes for part in parts):
            tables.append(_table(symmetry, arrays[tensor], axes))
    logs = _no_scales(symmetry)
    for _ in range(MAX_PASSES):
        largest = 0.0
        for name, log in logs.items():
            into, out = np.zeros(len(log)), np.zeros(len(log))
            is_coupled = False
            for squares, runs in tables:
                powers = [run.powers[name] for run in runs if name in run.powers]
                is_coupled |= 1 in powers and -1 in powers
                for run in runs:
                    if run.powers.get(name) == 1:
                        into += _norms(squares, runs, run, logs)
                    elif run.powers.get(name) == -1:
                        out += _norms(squares, runs, run, logs)
            # Units that nothing enters or leaves get unit norm on the other side.
            into_or_one, out_or_one = np.where(into > 0, into, 1.0), np.where(out > 0, out, 1.0)
            step = (np.log(out_or_one) - np.log(into_or_one)) / 4
            step = np.where((into > 0) == (out > 0), step, 2 * step)
            # Two units that are joined in one tensor would both make up for the same excess.
            step = step / 2 if is_coupled else step
            logs[name] = np.clip(log + step, -LARGEST, LARGEST)
            largest = max(largest, float(np.abs(logs[name] - log).max(initial=0.0)))
        if largest < TOLERANCE:
            break
    return logs


def _powers(symmetry: Symmetry, part: Part) -> dict[str, int]:
    powers: dict[str, int] = {}
    for name, power in part.scales:
        if name in symmetry.scales:
            powers[name] = powers.get(name, 0) + power
    return {name: power for name, power in powers.items() if power}


def _table(
    symmetry: Symmetry, array: NDArray, axes: tuple[tuple[Part, ...], ...]
) -> tuple[NDArray, list[_Run]]:
    """Sum squares over everything but units with scales."""
    squares, runs = array * array, []
    for axis, parts in enumerate(axes):
        moved = np.moveaxis(squares, axis, 0)
        pieces, start, taken = [], 0, 0
        for part in parts:
            piece = moved[start : start + part.length]
            start += part.length
            powers = _powers(symmetry, part)
            if powers:
                shape = (part.outer, part.size, part.inner, *piece.shape[1:])
                piece = piece.reshape(shape).sum(axis=(0, 2))
                runs.append(_Run(axis, taken, taken + part.size, powers))
            else:
                piece = piece.sum(axis=0, keepdims=True)
            pieces.append(piece)
            taken += len(piece)
        squares = np.moveaxis(np.concatenate(pieces), 0, axis)
    return np.ascontiguousarray(squares), runs


def _norms(squares: NDArray, runs: list[_Run], run: _Run, logs: Mapping[str, NDArray]) -> NDArray:
    """Return the squared norms of a run's units at the present scales."""
    for axis in reversed(range(squares.ndim)):
        factor = np.ones(squares.shape[axis])
        for other in runs:
            if other.axis == axis:
                log = sum(power * logs[name] for name, power in other.powers.items())
                factor[other.start : other.stop] = np.exp(2 * log)
        if axis == run.axis:
            squares = squares * factor.reshape(-1, *[1] * (squares.ndim - axis - 1))
        else:
            squares = np.expand_dims(_contracted(squares, factor, axis), axis)
    return squares.ravel()[run.start : run.stop]


def _contracted(squares: NDArray, factor: NDArray, axis: int) -> NDArray:
    """Sum over an axis with weights, without copying the table where that can be."""
    if axis == squares.ndim - 1:
        return squares @ factor
    return np.tensordot(factor, squares, (0, axis))


# ---------------------------------------------------------------- matrices


def _equalising(symmetry: Symmetry, name: str, arrays: Arrays) -> NDArray:
    """Return the matrices that make both Gram matrices of a product's factors equal.

    With Gram matrices G and H of the two factors, A^T A is the geometric mean of G^-1 and H.
    Where rows depend on each other there is no smallest form: such matrices are left as they are.
    """
    described = symmetry.matrices[name]
    shape = (described.count, described.size, described.size)
    grams = {power: np.zeros(shape) for power in (1, -1)}
    for place, power in _places(symmetry, name):
        rows = place.rows_inside(arrays[place.tensor])
        grams[power] += rows @ rows.swapaxes(1, 2)
    matrices = np.tile(np.eye(described.size), (described.count, 1, 1))
    usable = _is_definite(grams[1]) & _is_definite(grams[-1])
    first, second = grams[1][usable], grams[-1][usable]
    root, inverse = _power(first, 0.5), _power(first, -0.5)
    matrices[usable] = _power(inverse @ _power(root @ second @ root, 0.5) @ inverse, 0.5)
    return matrices


def _is_definite(grams: NDArray) -> NDArray:
    values = np.linalg.eigvalsh(grams)
    return values[:, 0] > CONDITION * values[:, -1]


def _places(symmetry: Symmetry, name: str) -> Iterator:
    """Yield where a matrix works, and whether as it is or inverted."""
    for group in groups_of(symmetry):
        for place in group.occurrences:
            if place.matrix == name and place.part.matrix is not None:
                yield place, place.part.matrix[1]


def _power(matrices: NDArray, exponent: float) -> NDArray:
    """Raise symmetric positive matrices to a power."""
    values, vectors = np.linalg.eigh((matrices + matrices.swapaxes(1, 2)) / 2)
    return (vectors * values[:, None, :] ** exponent) @ vectors.swapaxes(1, 2)

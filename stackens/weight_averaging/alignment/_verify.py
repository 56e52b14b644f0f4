"""The proof that a symmetry leaves a network's function as it is; what fails is held still."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Symmetry, Transformation

__all__ = ["Verification", "largest_change", "verified"]

Arrays = Mapping[str, NDArray]
Outputs = Callable[[Arrays], Any]


@dataclass(frozen=True)
class Verification:
    """A symmetry that has been tried on the network itself.

    Parameters
    ----------
    symmetry : Symmetry
        What is left of it; its notes say what was held still.
    deviation : float
        Largest change of an output that was seen, divided by 1 + the largest output.
    held : tuple of str
        Variables that changed the function, or on which it does not depend.
    """

    symmetry: Symmetry
    deviation: float
    held: tuple[str, ...]


def verified(
    symmetry: Symmetry,
    arrays: Arrays,
    outputs: Outputs,
    *,
    rng: np.random.Generator,
    tolerance: float = 1e-9,
) -> Verification:
    """Try random changes on a network, and hold still what changes its function.

    One change is tried on the tensors as they are, one after all of them were multiplied by random
    factors near 1, with zeros replaced: fresh biases, gains of one and other equal values
    would hide that the wrong tensor moves. When the outputs move, halves of the variables are tried
    until those that are wrong are found.

    Parameters
    ----------
    symmetry : Symmetry
    arrays : dict of str to array
        All tensors of the network.
    outputs : callable
        Runs the network with such tensors in double precision on fixed inputs and returns an array
        or a list of arrays.
    rng : numpy.random.Generator
    tolerance : float, default=1e-9
        Largest change of an output that passes, divided by 1 + the largest output.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If the shapes are others than the symmetry says, or the outputs have NaN, are none, or do
        not depend on the tensors.
    """
    symmetry.check({name: np.shape(array) for name, array in arrays.items()})
    trial = _Trial(arrays, outputs, rng, tolerance)
    unused = trial.without_effect(symmetry)
    if unused:
        symmetry = _held(symmetry, unused, "the outputs do not depend on its tensors")
    wrong: list[str] = []
    worst = 0.0
    while symmetry.variables and (worst := trial.deviation(symmetry)) > tolerance:
        found = trial.failing(symmetry, symmetry.variables)
        symmetry = _held(symmetry, found, f"moving it changes the outputs ({worst:.0e})")
        wrong += found
    return Verification(symmetry, worst if symmetry.variables else 0.0, (*unused, *wrong))


class _Trial:
    """The network at two places: with its own tensors, and with others near them."""

    def __init__(
        self, arrays: Arrays, outputs: Outputs, rng: np.random.Generator, tolerance: float
    ) -> None:
        self.outputs, self.rng, self.tolerance = outputs, rng, tolerance
        own = {name: _double(array) for name, array in arrays.items()}
        self.equal = _equal(own)
        near = self._stirred(own, list(own))
        self.places = [(own, self._run(own)), (near, self._run(near))]
        for _, results in self.places:
            _check(results)
        if largest_change(self.places[0][1], self.places[1][1]) <= tolerance:
            raise ValueError(
                "The outputs must depend on the tensors, or no change could be seen. Got the same "
                "outputs from other tensors. Let the outputs be those of the network that has "
                "these tensors, for inputs that excite it."
            )

    def without_effect(self, symmetry: Symmetry) -> list[str]:
        """Return the variables that touch no tensor, or only some that the outputs ignore."""
        near, before = self.places[1]
        unused = []
        for name in symmetry.variables:
            moved = self._stirred(near, _touched(symmetry, name))
            if largest_change(before, self._run(moved)) <= self.tolerance:
                unused.append(name)
        return unused

    def failing(self, symmetry: Symmetry, names: list[str]) -> list[str]:
        """Return the variables among the names that change the outputs, by halving."""
        others = [name for name in symmetry.variables if name not in set(names)]
        if self.deviation(symmetry.without(others)) <= self.tolerance:
            return []
        if len(names) == 1:
            return names
        half = len(names) // 2
        found = self.failing(symmetry, names[:half]) + self.failing(symmetry, names[half:])
        return found or names  # each half passes alone: rounding adds up beyond what is tolerated

    def deviation(self, symmetry: Symmetry) -> float:
        """Return the largest relative change of the outputs over two random changes."""
        return max(
            largest_change(before, self._run(symmetry.apply(_far(symmetry, self.rng), arrays)))
            for arrays, before in self.places
        )

    def _run(self, arrays: Arrays) -> list[NDArray]:
        found = self.outputs(arrays)
        return [np.asarray(y) for y in (found if isinstance(found, list | tuple) else [found])]

    def _stirred(self, arrays: Arrays, names: list[str]) -> dict[str, NDArray]:
        """Return tensors near others: signs stay, and equal entries come apart.

        Equal tensors stay equal: they may be one and the same under two names.
        """
        stirred = dict(arrays)
        for group in {self.equal[name]: None for name in names if name in self.equal}:
            array = arrays[group[0]]
            factors = self.rng.uniform(0.8, 1.25, size=array.shape)
            moved = np.where(array == 0, 0.1 * factors, factors * array)
            stirred.update(dict.fromkeys(group, moved))
        return stirred


def _double(array: NDArray) -> NDArray:
    return array if array.dtype.kind in "iubc" else np.asarray(array, np.float64)


def _equal(arrays: Arrays) -> dict[str, tuple[str, ...]]:
    """Return, for each tensor of real numbers, the names of all that are equal to it."""
    groups: dict[Any, list[str]] = {}
    for name, array in arrays.items():
        if array.dtype == np.float64:
            groups.setdefault((array.shape, array.tobytes()), []).append(name)
    return {name: tuple(names) for names in groups.values() for name in names}


def _check(results: list[NDArray]) -> None:
    if not sum(y.size for y in results):
        raise ValueError(
            "A network must have outputs, or no change could be seen. Got none. Give inputs that "
            "it computes something from."
        )
    if any(np.isnan(y).any() for y in results):
        raise ValueError(
            "The outputs of a network must be numbers. Got NaN. Give inputs as in training, and "
            "check that the weights have no NaN."
        )


def largest_change(before: Sequence[NDArray], after: Sequence[NDArray]) -> float:
    """Return the largest change of an output, divided by 1 + the largest of its array.

    Parameters
    ----------
    before, after : list of array
        What a network computed.
    """
    worst = 0.0
    for old, new in zip(before, after, strict=True):
        apart = old != new  # equal infinities are no change
        if apart.any():
            size = 1 + np.abs(old[np.isfinite(old)]).max(initial=0.0)
            change = float(np.abs(new[apart].astype(float) - old[apart]).max() / size)
            worst = max(worst, np.inf if np.isnan(change) else change)
    return worst


def _held(symmetry: Symmetry, names: list[str], reason: str) -> Symmetry:
    for name in names:
        symmetry = symmetry.without([name], f"{name}: {reason}")
    return symmetry


def _touched(symmetry: Symmetry, name: str) -> list[str]:
    """Return the tensors in which a variable occurs."""
    return [
        tensor
        for tensor, axes in symmetry.layout.items()
        if any(
            name == part.units
            or name in part.signs
            or name in dict(part.scales)
            or (part.matrix is not None and name == part.matrix[0])
            for parts in axes
            for part in parts
        )
    ]


def _far(symmetry: Symmetry, rng: np.random.Generator) -> Transformation:
    """Draw a change in which every variable that can move does, however few units it has."""
    change = symmetry.random(rng)
    for _ in range(20):
        still = {name for name, order in change.permutations.items() if (np.diff(order) > 0).all()}
        still |= {name for name, signs in change.signs.items() if (signs > 0).all()}
        if not still:
            break
        again = symmetry.random(rng)
        change = replace(
            change,
            permutations=_replaced(change.permutations, again.permutations, still),
            signs=_replaced(change.signs, again.signs, still),
        )
    return change


def _replaced(values: Arrays, others: Arrays, names: set[str]) -> dict[str, NDArray]:
    return {name: others[name] if name in names else value for name, value in values.items()}

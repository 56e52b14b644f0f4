"""Weight matching: one network is brought as near as possible to another, from weights alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Symmetry, Transformation
from stackens.weight_averaging.alignment.matching._canonical import (
    canonical,
    carried_back,
    counted,
)
from stackens.weight_averaging.alignment.matching._descent import Descent
from stackens.weight_averaging.alignment.matching._groups import groups_of

__all__ = ["Match", "cosine", "match_smallest", "match_weights", "matched_part"]

Arrays = Mapping[str, NDArray]


@dataclass(frozen=True)
class Match:
    """How a network was brought near to another.

    Parameters
    ----------
    transformation : Transformation
        The change of the network's own tensors.
    objective, objective_before : float
        Cosine of the angle between all tensors that count and those of the reference, after and
        before, both networks in their smallest form. 1.0 means that they are equal.
    sweeps : int
        Rounds over the groups of units.
    """

    transformation: Transformation
    objective: float
    objective_before: float
    sweeps: int


def match_weights(
    symmetry: Symmetry,
    reference: Arrays,
    model: Arrays,
    *,
    rng: np.random.Generator,
    ignore: Collection[str] = (),
    signed: bool = True,
    linear_only: bool = False,
    n_restarts: int = 0,
    max_sweeps: int = 100,
    tolerance: float = 1e-4,
) -> Match:
    """Find the change of a network that brings it nearest to a reference.

    Both networks are compared in their smallest form, where scales and general matrices are
    settled. Then the sum over tensors of <reference, model> is made as large as can be by
    permutations, signs and rotations, one group of units after the other: an assignment, or a
    quadratic one where units stand along two axes, as in recurrent layers; heads of attention are
    assigned by the best rotation of each. At last the model gets the reference's scales and
    matrices, so the reference is compared and averaged as it is. The model's function stays.

    Parameters
    ----------
    symmetry : Symmetry
    reference, model : dict of str to array
        Tensors of either network; those outside the layout are not read.
    rng : numpy.random.Generator
        For the order of groups and for starts.
    ignore : collection of str, default=()
        Tensors that move along but do not count, such as running statistics.
    signed : bool, default=True
        False: signs stay as they are.
    linear_only : bool, default=False
        True: tensors with the same units along two axes do not count, as in FedMA.
    n_restarts : int, default=0
        Random starts, on top of two: where the model stands, and one grown from the inputs and
        outputs inwards.
    max_sweeps : int, default=100
        Rounds over the groups from each start.
    tolerance : float, default=1e-4
        A round that increases the cosine by less is the last one. 0.0: until nothing moves.

    Returns
    -------
    Match

    References
    ----------
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.
    Wang et al. (2020), "Federated learning with matched averaging", arXiv:2002.06440.

    Examples
    --------
    A layer of three units, and a copy in another order:

    >>> import numpy as np
    >>> from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Units
    >>> units = (Part(3, units="hidden"),)
    >>> layout = {"w": (units, (Part(2),)), "v": ((Part(1),), units)}
    >>> symmetry = Symmetry(layout, {"hidden": Units(3)})
    >>> network = {"w": np.array([[1.0, 0], [0, 2], [3, 3]]), "v": np.array([[1.0, 2, 3]])}
    >>> copy = {"w": network["w"][[2, 0, 1]], "v": network["v"][:, [2, 0, 1]]}
    >>> match = match_weights(symmetry, network, copy, rng=np.random.default_rng(0))
    >>> match.transformation.permutations["hidden"].tolist()
    [1, 2, 0]
    >>> f"{match.objective_before:.2f} -> {match.objective:.2f}"
    '0.54 -> 1.00'
    """
    part = matched_part(symmetry, ignore, signed=signed, linear_only=linear_only)
    sides = [canonical(part, arrays) for arrays in (reference, model)]
    (smallest_reference, reference_change), (smallest_model, model_change) = sides
    match = match_smallest(
        part, smallest_reference, smallest_model, rng, n_restarts, max_sweeps, tolerance
    )
    change = carried_back(part, match.transformation, model_change, reference_change)
    return replace(match, transformation=change)


def matched_part(
    symmetry: Symmetry, ignore: Collection[str], *, signed: bool, linear_only: bool
) -> Symmetry:
    """Return what is to be matched: variables that are free, tensors that count."""
    if not signed:
        symmetry = symmetry.without(symmetry.signs)
    quadratic = {t for group in groups_of(symmetry) for t in group.quadratic}
    return counted(symmetry, {*ignore, *(quadratic if linear_only else ())})


def match_smallest(
    symmetry: Symmetry,
    reference: Arrays,
    model: Arrays,
    rng: np.random.Generator,
    n_restarts: int,
    max_sweeps: int,
    tolerance: float,
) -> Match:
    """Match two networks in their smallest form, from several starts."""
    descent = Descent(symmetry, reference)
    stay = descent.start(model)
    grown = descent.grow(stay, rng)
    starts = [grown if grown.objective > stay.objective else stay]
    starts += [descent.shuffle(stay, symmetry.random(rng)) for _ in range(n_restarts)]
    found = [descent.descend(start, rng, max_sweeps, tolerance) for start in starts]
    best, sweeps = max(found, key=lambda end: end[0].objective)
    sides = descent.reference, stay.arrays
    return Match(best.change, cosine(sides[0], best.arrays), cosine(*sides), sweeps)


def cosine(first: Arrays, second: Arrays) -> float:
    """Return the cosine of the angle between two networks; 1.0 if either is zero."""
    squares = sum(np.vdot(array, array) for array in first.values())
    others = sum(np.vdot(array, array) for array in second.values())
    product = sum(np.vdot(first[name], second[name]) for name in first)
    norm = float(np.sqrt(squares * others))
    return float(product) / norm if norm > 0 else 1.0

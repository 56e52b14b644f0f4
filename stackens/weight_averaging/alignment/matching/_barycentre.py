"""Many networks at once: each is brought near to the mean of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Symmetry, Transformation
from stackens.weight_averaging.alignment.matching._canonical import canonical, carried_back
from stackens.weight_averaging.alignment.matching._descent import Descent
from stackens.weight_averaging.alignment.matching._weights import (
    Match,
    cosine,
    match_smallest,
    matched_part,
)

__all__ = ["match_many"]

Arrays = Mapping[str, NDArray]


def match_many(
    symmetry: Symmetry,
    models: Sequence[Arrays],
    reference: Literal["barycentre"] | int = "barycentre",
    *,
    rng: np.random.Generator,
    ignore: Collection[str] = (),
    signed: bool = True,
    linear_only: bool = False,
    n_restarts: int = 0,
    max_sweeps: int = 100,
    tolerance: float = 1e-4,
    max_rounds: int = 20,
) -> list[Match]:
    """Find changes of networks that bring all of them near to each other.

    Parameters
    ----------
    symmetry : Symmetry
    models : sequence of dict of str to array
        Tensors of the networks.
    reference : "barycentre" or int, default="barycentre"
        An index: this network stays as it is, scales included, and the others are matched to it,
        each on its own. "barycentre": the sum of inner products over all pairs is made large.
        Networks join one by one, each matched to the mean of those before; then each in turn is
        matched again to the mean of the others, until none moves. All then stand in one common
        order, so going from one to another by way of a third leads to the same place. They are
        left in their smallest form, the first as near to its own order as the others allow.
    rng, ignore, signed, linear_only, n_restarts, max_sweeps, tolerance
        See ``match_weights``.
    max_rounds : int, default=20
        Rounds over the networks, for "barycentre".

    Returns
    -------
    matches : list of Match
        One for each network, in the order given. ``objective`` compares with the reference or
        with the mean of the others, ``objective_before`` the same when nobody had moved. The
        reference itself has an empty transformation.

    Raises
    ------
    ValueError
        If there are no networks or the index of the reference is not one of them.

    References
    ----------
    Crisostomi et al. (2024), "C2M3: cycle-consistent multi-model merging", arXiv:2405.17897.
    """
    if not models:
        raise ValueError("Matching needs at least one network. Got none. Give two or more.")
    is_index = isinstance(reference, Integral) and 0 <= reference < len(models)
    if reference != "barycentre" and not is_index:
        raise ValueError(
            "The 'reference' of match_many must be 'barycentre' or the index of a network. Got "
            f"{reference!r} with {len(models)} networks. Count from 0."
        )
    part = matched_part(symmetry, ignore, signed=signed, linear_only=linear_only)
    smallest, changes = zip(*(canonical(part, arrays) for arrays in models), strict=True)
    if reference == "barycentre":
        found = _barycentre(part, smallest, rng, n_restarts, max_sweeps, tolerance, max_rounds)
        target = None
    else:
        found = [
            Match(Transformation(), 1.0, 1.0, 0)
            if i == reference
            else match_smallest(
                part, smallest[reference], model, rng, n_restarts, max_sweeps, tolerance
            )
            for i, model in enumerate(smallest)
        ]
        target = changes[reference]
    matches = [
        replace(match, transformation=carried_back(part, match.transformation, change, target))
        for match, change in zip(found, changes, strict=True)
    ]
    if reference != "barycentre":
        matches[reference] = found[reference]
    return matches


def _barycentre(
    symmetry: Symmetry,
    models: Sequence[Arrays],
    rng: np.random.Generator,
    n_restarts: int,
    max_sweeps: int,
    tolerance: float,
    max_rounds: int,
) -> list[Match]:
    """Match networks in their smallest form to each other."""
    found = [Match(Transformation(), 1.0, 1.0, 0)]
    aligned: list[Arrays] = [models[0]]
    for model in models[1:]:
        match = match_smallest(
            symmetry, _mean(aligned), model, rng, n_restarts, max_sweeps, tolerance
        )
        found.append(match)
        aligned.append(symmetry.apply(match.transformation, model))
    sweeps = [match.sweeps for match in found]
    settled = 0  # networks in a row that stayed
    for turn in range(max_rounds * len(models) if len(models) > 2 else 0):
        i = turn % len(models)
        descent = Descent(symmetry, _mean(aligned[:i] + aligned[i + 1 :]))
        start = descent.start(aligned[i], found[i].transformation)
        end, more = descent.descend(start, rng, max_sweeps, tolerance)
        sweeps[i] += more
        settled = settled + 1 if end is start else 0
        if settled == len(models):
            break
        aligned[i] = end.arrays
        found[i] = replace(found[i], transformation=end.change)
    return [
        _against_others(symmetry, models, aligned, i, found[i].transformation, sweeps[i])
        for i in range(len(models))
    ]


def _mean(models: Sequence[Arrays]) -> dict[str, NDArray]:
    return {name: np.mean([model[name] for model in models], axis=0) for name in models[0]}


def _against_others(
    symmetry: Symmetry,
    models: Sequence[Arrays],
    aligned: Sequence[Arrays],
    i: int,
    change: Transformation,
    sweeps: int,
) -> Match:
    """Compare one network with the mean of the others, before and after."""
    if len(models) == 1:
        return Match(change, 1.0, 1.0, 0)
    cosines = []
    for networks in (models, aligned):
        mean = _mean([*networks[:i], *networks[i + 1 :]])
        cosines.append(cosine(mean, networks[i]))
    return Match(change, cosines[1], cosines[0], sweeps)

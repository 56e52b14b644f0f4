"""Activation matching: units are alike if they answer alike to the same rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation
from stackens.weight_averaging.alignment.matching._barycentre import match_many
from stackens.weight_averaging.alignment.matching._canonical import canonical, carried_back
from stackens.weight_averaging.alignment.matching._weights import Match, matched_part

__all__ = ["Activations", "match_activations"]

Arrays = Mapping[str, NDArray]


@dataclass(frozen=True)
class Activations:
    """What the units of networks answered to the same rows, at one place in the networks.

    Parameters
    ----------
    parts : tuple of Part
        What the columns are, as along an axis of a tensor: their units, and the signs that they
        are multiplied by. Scales make no difference. Matrices must not work on them.
    tables : list of array of shape (n_samples, length)
        One for each network: rows, or for images and sequences rows times positions.
    """

    parts: tuple[Part, ...]
    tables: Sequence[NDArray]


def match_activations(
    symmetry: Symmetry,
    activations: Mapping[str, Activations],
    models: Sequence[Arrays],
    reference: Literal["barycentre"] | int = "barycentre",
    *,
    rng: np.random.Generator,
    share: float = 1.0,
    ignore: Collection[str] = (),
    signed: bool = True,
    n_restarts: int = 0,
    max_sweeps: int = 100,
    tolerance: float = 1e-4,
    max_rounds: int = 20,
) -> list[Match]:
    """Find changes of networks that bring the activations of all near to each other.

    Tables of activations are matched like tensors, with columns centred and every unit scaled to
    unit norm: inner products are correlations, and the assignment with signs maximises their sum.

    Parameters
    ----------
    symmetry : Symmetry
    activations : dict of str to Activations
        At as many places as there are; units may stand in several.
    models : sequence of dict of str to array
        Tensors of the networks.
    reference : "barycentre" or int, default="barycentre"
        See ``match_many``: activations are brought near to those of one network, or to the mean
        over the other networks, by turns.
    rng : numpy.random.Generator
    share : float in (0, 1], default=1.0
        Share of activations in the objective, weights have the rest. At 1.0 weights only decide
        what activations do not show: signs before batch normalisation, matrices, other units.
    ignore, signed, n_restarts, max_sweeps, tolerance, max_rounds
        See ``match_many``.

    Returns
    -------
    matches : list of Match
        One for each network. Objectives are mean correlations of units, with (1 - share) of the
        weights' cosine.

    Raises
    ------
    ValueError
        If tables do not fit their parts or each other, or the share is outside its range.

    References
    ----------
    Li et al. (2016), "Convergent learning", arXiv:1511.07543.
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836, section 3.1.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(
            "The 'share' of activations must be above 0 and at most 1. Got "
            f"{share!r}. Use match_weights to match weights alone."
        )
    options: dict[str, Any] = {
        "rng": rng,
        "n_restarts": n_restarts,
        "max_sweeps": max_sweeps,
        "tolerance": tolerance,
        "max_rounds": max_rounds,
    }
    part = matched_part(symmetry, ignore, signed=signed, linear_only=False)
    tables, seen = _tables(part, activations, len(models))
    if share == 1.0:
        found = match_many(seen, tables, reference, **options)
        moved = [
            part.apply(match.transformation, model)
            for match, model in zip(found, models, strict=True)
        ]
        rest = match_many(part.without(seen.variables), moved, reference, **options)
        return [
            replace(match, transformation=_joined(match.transformation, more.transformation))
            for match, more in zip(found, rest, strict=True)
        ]
    smallest, changes = zip(*(canonical(part, model) for model in models), strict=True)
    both = replace(part, layout={**part.layout, **seen.layout})
    sides = zip(_of_norm(1.0 - share, smallest), _of_norm(share, tables), strict=True)
    found = match_many(both, [{**weights, **own} for weights, own in sides], reference, **options)
    target = None if reference == "barycentre" else changes[reference]
    return [
        match
        if i == reference
        else replace(match, transformation=carried_back(part, match.transformation, change, target))
        for i, (match, change) in enumerate(zip(found, changes, strict=True))
    ]


def _tables(
    symmetry: Symmetry, activations: Mapping[str, Activations], n_models: int
) -> tuple[list[dict[str, NDArray]], Symmetry]:
    """Return the tables of each network as tensors, and their symmetry."""
    layout = {}
    tables: list[dict[str, NDArray]] = [{} for _ in range(n_models)]
    for name, place in activations.items():
        key = f"activations of {name}"  # not the name of a tensor
        parts = tuple(replace(part, scales=(), matrix=None) for part in place.parts)
        length = sum(part.length for part in parts)
        shapes = [table.shape for table in place.tables]
        n_rows = shapes[0][0]
        if shapes != [(n_rows, length)] * n_models:
            raise ValueError(
                f"The activations of {name!r} must be {n_models} tables of one shape, with "
                f"{length} columns. Got shapes {shapes}. Use the same rows for all networks."
            )
        layout[key] = ((Part(n_rows),), parts)
        for own, values in zip(tables, place.tables, strict=True):
            own[key] = _standardised(values, parts)
    names = {part.units for axes in layout.values() for part in axes[1]}
    shown = {sign for axes in layout.values() for part in axes[1] for sign in part.signs}
    hidden = [name for name in symmetry.units if name not in names]
    hidden += [name for name in symmetry.signs if name not in shown]
    seen = symmetry.without([*hidden, *symmetry.scales, *symmetry.matrices])
    return tables, replace(seen, layout=layout, summed=())


def _standardised(values: NDArray, parts: tuple[Part, ...]) -> NDArray:
    """Centre columns; scale each unit to unit norm; one that never changes becomes zero."""
    table = np.asarray(values, dtype=np.float64)
    table = table - table.mean(axis=0)
    start = 0
    for part in parts:
        run = table[:, start : start + part.length]
        run = run.reshape(len(table), part.outer, part.size, part.inner)
        norms = np.sqrt(np.einsum("noki,noki->k", run, run))
        run /= np.where(norms > 0, norms, 1.0)[:, None]
        start += part.length
    return table


def _of_norm(norm: float, sides: Collection[Arrays]) -> list[dict[str, NDArray]]:
    """Scale both sides so that their inner product is ``norm`` where they are parallel."""
    scaled = []
    for arrays in sides:
        square = sum(np.vdot(array, array) for array in arrays.values())
        factor = np.sqrt(norm / square) if square > 0 else 1.0
        scaled.append({name: factor * array for name, array in arrays.items()})
    return scaled


def _joined(first: Transformation, second: Transformation) -> Transformation:
    """Join changes of different variables."""
    return Transformation(
        {**first.permutations, **second.permutations},
        {**first.signs, **second.signs},
        second.scales,
        second.matrices,
    )

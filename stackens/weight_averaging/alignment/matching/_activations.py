"""Activation matching: units are alike if they answer alike to the same rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation
from stackens.weight_averaging.alignment.matching._canonical import canonical, carried_back
from stackens.weight_averaging.alignment.matching._weights import (
    Match,
    match_smallest,
    matched_part,
)

__all__ = ["Activations", "match_activations"]

Arrays = Mapping[str, NDArray]


@dataclass(frozen=True)
class Activations:
    """What the units of two networks answered to the same rows, at one place in the network.

    Parameters
    ----------
    parts : tuple of Part
        What the columns are, as along an axis of a tensor: their units, and the signs that they
        are multiplied by. Scales make no difference. Matrices must not work on them.
    reference, model : array of shape (n_samples, length)
        Rows, or for images and sequences rows times positions.
    """

    parts: tuple[Part, ...]
    reference: NDArray
    model: NDArray


def match_activations(
    symmetry: Symmetry,
    activations: Mapping[str, Activations],
    reference: Arrays,
    model: Arrays,
    *,
    rng: np.random.Generator,
    share: float = 1.0,
    ignore: Collection[str] = (),
    signed: bool = True,
    n_restarts: int = 0,
    max_sweeps: int = 100,
    tolerance: float = 1e-4,
) -> Match:
    """Find the change of a network that makes its activations those of a reference.

    Tables of activations are matched like tensors, with columns centred and every unit scaled to
    unit norm: inner products are correlations, and the assignment with signs maximises their sum.

    Parameters
    ----------
    symmetry : Symmetry
    activations : dict of str to Activations
        At as many places as there are; units may stand in several.
    reference, model : dict of str to array
        Tensors of either network.
    rng : numpy.random.Generator
    share : float in (0, 1], default=1.0
        Share of activations in the objective, weights have the rest. At 1.0 weights only decide
        what activations do not show: signs before batch normalisation, matrices, other units.
    ignore, signed, n_restarts, max_sweeps, tolerance
        See ``match_weights``.

    Returns
    -------
    match : Match
        Its objective is the mean correlation of units, with (1 - share) of the weights' cosine.

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
    part = matched_part(symmetry, ignore, signed=signed, linear_only=False)
    sides = [canonical(part, arrays) for arrays in (reference, model)]
    (smallest_reference, reference_change), (smallest_model, model_change) = sides
    tables, table_symmetry = _tables(part, activations)
    options = rng, n_restarts, max_sweeps, tolerance
    if share == 1.0:
        match = match_smallest(table_symmetry, tables[0], tables[1], *options)
        seen = {*match.transformation.permutations, *match.transformation.signs}
        rest = part.without(seen)
        moved = part.apply(match.transformation, smallest_model)
        more = match_smallest(rest, smallest_reference, moved, *options)
        change = _joined(match.transformation, more.transformation)
    else:
        both = replace(part, layout={**part.layout, **table_symmetry.layout})
        weights = _of_norm(1.0 - share, (smallest_reference, smallest_model))
        answers = _of_norm(share, tables)
        joint = [{**w, **a} for w, a in zip(weights, answers, strict=True)]
        match = match_smallest(both, joint[0], joint[1], *options)
        change = match.transformation
    change = carried_back(part, change, model_change, reference_change)
    return replace(match, transformation=change)


def _tables(
    symmetry: Symmetry, activations: Mapping[str, Activations]
) -> tuple[list[dict[str, NDArray]], Symmetry]:
    """Return the tables of both networks as tensors, and their symmetry."""
    layout = {}
    tables: list[dict[str, NDArray]] = [{}, {}]
    for name, place in activations.items():
        key = f"activations of {name}"  # not the name of a tensor
        parts = tuple(replace(part, scales=(), matrix=None) for part in place.parts)
        length = sum(part.length for part in parts)
        shapes = place.reference.shape, place.model.shape
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][1] != length:
            raise ValueError(
                f"The activations of {name!r} must be two tables of one shape, with {length} "
                f"columns. Got shapes {shapes[0]} and {shapes[1]}. Use the same rows for both."
            )
        layout[key] = ((Part(shapes[0][0]),), parts)
        for table, values in zip(tables, (place.reference, place.model), strict=True):
            table[key] = _standardised(values, parts)
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
        matrices=second.matrices,
    )

"""Fisher information that sites send: brought into common terms and order with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stackens.neural._modules import tensors_of
from stackens.weight_averaging.adapters import to_array
from stackens.weight_averaging.adapters._containers import canonical_names
from stackens.weight_averaging.alignment import AlignmentReport
from stackens.weight_averaging.alignment._symmetry import Transformation
from stackens.weight_averaging.one_shot._networks import CommonTerms, folded
from stackens.weight_averaging.one_shot._shares import sent_by_all
from stackens.weight_averaging.one_shot._sites import Site

__all__ = ["aligned_statistics", "common_statistics"]

Statistics = list[dict[str, NDArray[np.float64]]]


def common_statistics(
    networks: Sequence[nn.Module], sites: Sequence[Site], terms: CommonTerms, rows: Sequence[Any]
) -> Statistics | None:
    """Return the Fisher information of each site after its scalers were folded, or None.

    A weight that became r times as large has 1 / r² of its information. That a bias takes up the
    shift of a scaler is left out: it concerns elements beside the diagonal.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        As received.
    sites : sequence of Site
    terms : CommonTerms
        The scalers common to all.
    rows : sequence of array
        Some raw rows of each input.

    Raises
    ------
    ValueError
        If only some sites sent it.
    """
    sent = sent_by_all(sites, "fisher")
    if sent is None:
        return None
    scalers = {name: value for name, value in vars(terms).items() if value is not None}
    centred = []
    for site in sites:
        own: dict[str, Any] = {name: _without_mean(getattr(site, name)) for name in scalers}
        centred.append(replace(site, **own))
    common = {name: _without_mean(scaler) for name, scaler in scalers.items()}
    stretched = folded(networks, centred, common, rows)
    statistics = []
    for site, fisher, before, after in zip(sites, sent, networks, stretched, strict=True):
        plain = {own: name for name, own in canonical_names(site.state).items()}
        old, new = map(_tensors, (before, after))
        own = {plain[name]: information for name, information in fisher.items()}
        statistics.append(
            {
                name: information / _ratio(to_array(old[name]), to_array(new[name])) ** 2
                for name, information in own.items()
            }
        )
    return statistics


def aligned_statistics(statistics: Statistics, report: AlignmentReport) -> Statistics:
    """Return Fisher information in the order and scale that alignment gave the weights.

    Parameters
    ----------
    statistics : list of dict of str to array
    report : AlignmentReport

    Raises
    ------
    ValueError
        If weights were mixed by matrices, which a diagonal cannot follow.
    """
    aligned = []
    for information, change in zip(statistics, report.changes, strict=True):
        if change.matrices:
            raise ValueError(
                "Diagonal Fisher information cannot follow weights that alignment mixes by "
                f"matrices. Got such units: {sorted(change.matrices)}. Leave 'fisher' out, or give "
                "align=False."
            )
        squared = {name: scale**-2.0 for name, scale in change.scales.items()}
        moves = Transformation(change.permutations, {}, squared)
        # tensors of which nothing was sent, such as integer buffers, are not moved
        layout = {
            name: axes for name, axes in report.symmetry.layout.items() if name in information
        }
        aligned.append(replace(report.symmetry, layout=layout).apply(moves, information))
    return aligned


def _tensors(network: nn.Module) -> dict[str, Any]:
    """Return the tensors of a network by the names that averaging gives them."""
    tensors = tensors_of(network)
    return {name: tensors[own] for name, own in canonical_names(tensors).items()}


def _without_mean(scaler: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    mean, scale = scaler
    return np.zeros_like(mean), scale


def _ratio(old: NDArray, new: NDArray) -> NDArray[np.float64]:
    """Return how many times as large each element became; 1 where it was zero."""
    before = np.asarray(old, dtype=np.float64)
    return np.divide(new, before, out=np.ones_like(before), where=before != 0)

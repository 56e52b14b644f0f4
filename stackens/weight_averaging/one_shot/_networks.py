"""The networks of all sites: checked, built, and brought into common terms of their scalers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackens.neural._modules import check_same_tensors, load_tensors, tensors_of
from stackens.weight_averaging.adapters import adapter_of, alike
from stackens.weight_averaging.adapters._containers import canonical_names
from stackens.weight_averaging.one_shot._ensemble import Ensemble
from stackens.weight_averaging.one_shot._inputs import as_tensors
from stackens.weight_averaging.one_shot._scalers import (
    Affine,
    Scaler,
    broadcasts,
    change_inputs,
    change_outputs,
    pooled_scaler,
)
from stackens.weight_averaging.one_shot._shares import sent_by_all
from stackens.weight_averaging.one_shot._sites import Site
from stackens.weight_averaging.rules import check_finite

__all__ = [
    "CommonTerms",
    "build_networks",
    "common_terms",
    "folded",
    "narrow",
    "precision_of",
    "widen",
]


def build_networks(
    sites: Sequence[Site], build_model: Callable[[], nn.Module], seed: int
) -> list[nn.Module]:
    """Return the network of each site, in evaluation mode.

    Raises
    ------
    ValueError
        If sites differ in names, shapes or types of tensors, or from what ``build_model`` gives
        (all differences are listed), or some weight is not finite.
    TypeError
        If ``build_model`` gives no torch module.
    """
    names = [site.name for site in sites]
    states = [site.state for site in sites]
    arrays = alike(adapter_of(states[0]), states, names, states[0])
    for name in arrays[0]:
        check_finite([state[name] for state in arrays], name, names)
    networks = [_built(build_model, seed) for _ in sites]
    if len({id(network) for network in networks}) < len(networks):
        raise ValueError(
            "build_model() must build a new network at each call. Got the same one again. Give "
            "lambda: Network(...) and not lambda: network."
        )
    for network, site, state in zip(networks, sites, arrays, strict=True):
        own = canonical_names(tensors_of(network))
        tensors = {
            own.get(name, name): torch.tensor(np.asarray(array)) for name, array in state.items()
        }
        check_same_tensors(tensors_of(network), tensors, f"The weights of {site.name!r}")
        load_tensors(network, tensors)
        network.eval()
    return networks


def _built(build_model: Callable[[], nn.Module], seed: int) -> nn.Module:
    is_module = isinstance(build_model, nn.Module)  # calling it would run it
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        network = None if is_module else build_model()
    if not isinstance(network, nn.Module):
        got = "module in its place" if is_module else type(network).__name__
        raise TypeError(
            f"build_model() must return a torch module. Got a {got}. Give a function without "
            "arguments that builds the network of the sites."
        )
    return network


def precision_of(network: nn.Module) -> dict[str, torch.dtype]:
    """Return the type of each parameter and buffer."""
    return {name: tensor.dtype for name, tensor in _parts(network)}


def widen(network: nn.Module) -> None:
    """Turn half precisions into single precision, in place: steps of learning are lost in them."""
    for _, tensor in _parts(network):
        if tensor.dtype in (torch.float16, torch.bfloat16):
            tensor.data = tensor.data.float()


def narrow(network: nn.Module, precision: Mapping[str, torch.dtype]) -> None:
    """Give a network, or those of an ensemble, the types of `precision_of`, in place."""
    for one in network.networks if isinstance(network, Ensemble) else [network]:
        for name, tensor in _parts(one):
            tensor.data = tensor.data.to(precision[name])


def _parts(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    return chain(network.named_parameters(), network.named_buffers())


@dataclass(frozen=True)
class CommonTerms:
    """What lies between raw rows and the networks in common terms.

    Parameters
    ----------
    input_scaler, output_scaler : (mean, scale) or None
        Pooled from those of all sites; None where none has one.
    """

    input_scaler: Any = None
    output_scaler: Any = None

    def standardised(self, rows: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return raw inputs as the networks in common terms take them."""
        if self.input_scaler is None:
            return list(rows)
        mean, scale = self.input_scaler
        return [(rows[0] - mean) / scale]

    def raw(self, network: nn.Module, inputs: Sequence[torch.Tensor], name: str) -> nn.Module:
        """Return a network in common terms as one that takes raw rows and predicts raw numbers.

        Parameters
        ----------
        network : torch.nn.Module
            Of an ensemble all networks are changed.
        inputs : sequence of tensor
            A few rows in common terms to try the network on.
        name : str
            What the network is called in errors.
        """
        if isinstance(network, Ensemble):
            networks = [self.raw(one, inputs, name) for one in network.networks]
            familiarity = network.familiarity
            if familiarity is not None and self.input_scaler is not None:
                mean, scale = self.input_scaler
                familiarity = familiarity.rescaled(scale, mean)
            return Ensemble(networks, network.weights, network.form, familiarity)
        if self.input_scaler is not None:
            mean, scale = self.input_scaler
            change = Affine(1 / scale, -mean / scale)
            network = change_inputs(network, change, tuple(inputs[0].shape[1:]), name)
        if self.output_scaler is not None:
            mean, scale = self.output_scaler
            network = change_outputs(network, Affine(scale, mean), inputs, name)
        return network


def common_terms(
    networks: Sequence[nn.Module],
    sites: Sequence[Site],
    rows: Sequence[NDArray[Any]],
) -> tuple[list[nn.Module], CommonTerms]:
    """Fold each site's scalers into its network, in terms of scalers common to all.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
    sites : sequence of Site
    rows : sequence of array
        Some raw rows of each input.

    Raises
    ------
    ValueError
        If only some sites have a scaler, it does not fit a row, or cannot be folded.
    """
    counts = sent_by_all(sites, "n_rows") or [1.0] * len(sites)
    terms = {
        which: _pooled(sent, counts, which)
        for which in ("input_scaler", "output_scaler")
        if (sent := sent_by_all(sites, which)) is not None
    }
    return folded(networks, sites, terms, rows), CommonTerms(**terms)


def folded(
    networks: Sequence[nn.Module],
    sites: Sequence[Site],
    terms: Mapping[str, Scaler],
    rows: Sequence[NDArray[Any]],
) -> list[nn.Module]:
    """Fold each site's scalers into its network, in terms of the scalers given."""
    names = [site.name for site in sites]
    if "input_scaler" in terms:
        shape = rows[0].shape[1:]
        if len(rows) != 1:
            raise ValueError(
                "A scaler of inputs is for networks with one input. Got networks with "
                f"{len(rows)}. Give the sites one common scaler instead."
            )
        mean, scale = terms["input_scaler"]
        if not broadcasts(mean.shape, shape):
            raise ValueError(
                f"A scaler of inputs must broadcast to a row of shape {shape}. Got means of "
                f"shape {mean.shape}. Give one number for each feature, on the last axis."
            )
        changes = [
            Affine(scale / own_scale, (mean - own_mean) / own_scale)
            for own_mean, own_scale in (site.input_scaler for site in sites)
        ]
        networks = [
            change_inputs(network, change, shape, name)
            for network, change, name in zip(networks, changes, names, strict=True)
        ]
    if "output_scaler" in terms:
        mean, scale = terms["output_scaler"]
        changes = [
            Affine(own_scale / scale, (own_mean - mean) / scale)
            for own_mean, own_scale in (site.output_scaler for site in sites)
        ]
        inputs = as_tensors([part[:8] for part in rows], networks[0])
        networks = [
            change_outputs(network, change, inputs, name)
            for network, change, name in zip(networks, changes, names, strict=True)
        ]
    return list(networks)


def _pooled(scalers: Sequence[Any], counts: Sequence[float], which: str) -> Any:
    shapes = {mean.shape for mean, _ in scalers}
    if len(shapes) > 1:
        raise ValueError(
            f"The {which!r} of all sites must have one shape. Got {sorted(shapes)}. Give one "
            "number for each feature, or one for all."
        )
    return pooled_scaler(scalers, counts)

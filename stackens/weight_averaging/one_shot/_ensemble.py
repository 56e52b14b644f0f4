"""The received networks as one: what the merged network is to imitate, and how close it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from stackens.neural._modules import evaluating
from stackens.weight_averaging.one_shot._familiarity import Familiarity

__all__ = ["Ensemble", "Form", "Likeness", "answers", "call", "likeness", "output_form"]

_SMALLEST = 1e-12  # probability whose logarithm is still taken


@dataclass(frozen=True)
class Form:
    """What the numbers mean that a network gives.

    Parameters
    ----------
    task : {"classification", "regression"}
    probabilities : bool, default=False
        For classification, whether they are probabilities and not logits.
    n_classes : int, default=0
        For classification.
    binary : bool, default=False
        For classification, whether there is a single number, for the second of two classes.
    """

    task: Literal["classification", "regression"]
    probabilities: bool = False
    n_classes: int = 0
    binary: bool = False

    def logarithms(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities of shape (n, n_classes); classes are on the last axis."""
        if self.binary:
            values = outputs.reshape(-1, 1)
            pair = [1 - values, values] if self.probabilities else [-values, values]
            if not self.probabilities:
                return torch.cat([functional.logsigmoid(part) for part in pair], dim=1)
            return torch.cat(pair, dim=1).clamp_min(_SMALLEST).log()
        rows = outputs.reshape(-1, outputs.shape[-1])
        if self.probabilities:
            return rows.clamp_min(_SMALLEST).log()
        return rows.log_softmax(dim=1)

    def outputs(self, probabilities: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Return what a network with these probabilities would give."""
        if self.binary:
            probabilities = probabilities[:, 1]
        if self.probabilities:
            return probabilities.reshape(shape)
        if self.binary:
            return torch.logit(probabilities, eps=_SMALLEST).reshape(shape)
        return probabilities.clamp_min(_SMALLEST).log().reshape(shape)


def call(network: nn.Module, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the output of a network.

    Raises
    ------
    TypeError
        If it gives something else than one tensor of numbers.
    """
    outputs = network(*inputs)
    if not isinstance(outputs, torch.Tensor) or not outputs.is_floating_point():
        raise TypeError(
            "A network to be merged must give one tensor of numbers. Got "
            f"{type(outputs).__name__} from {type(network).__name__}. Let build_model return a "
            "module whose forward gives the prediction alone."
        )
    return outputs


def answers(network: nn.Module, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the output of a network in evaluation mode, without gradients."""
    with evaluating(network):
        return call(network, inputs)


def output_form(
    outputs: Sequence[torch.Tensor], task: Literal["auto", "classification", "regression"]
) -> Form:
    """Tell what the outputs of the networks mean.

    Parameters
    ----------
    outputs : sequence of tensor of shape (n, ...)
        Of each network, on the same inputs.
    task : {"auto", "classification", "regression"}
        "auto" takes one number a row for regression, more of them for classification.
    """
    single = outputs[0].ndim == 1 or outputs[0].shape[-1] == 1
    if task == "regression" or (task == "auto" and single):
        return Form("regression")
    inside = all(bool(((part >= 0) & (part <= 1)).all()) for part in outputs)
    sums = [part.sum(dim=-1) for part in outputs] if not single else []
    sum_to_one = all(torch.allclose(one, torch.ones_like(one), atol=1e-4) for one in sums)
    n_classes = 2 if single else outputs[0].shape[-1]
    return Form("classification", inside and sum_to_one, n_classes, binary=single)


class Ensemble(nn.Module):
    """Networks whose predictions are averaged: probabilities, or numbers.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        In evaluation mode.
    weights : array of shape (n_networks,) or (n_networks, n_classes)
        With a column for each class a network counts for a class by how much it has seen of it;
        the weighted mean is divided by its sum then. Columns sum to one.
    form : Form
        What the networks give; the ensemble gives the same.
    familiarity : Familiarity or None, default=None
        With it a network counts the less for a row the farther that lies outside of what its site
        has seen.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        weights: NDArray[Any],
        form: Form,
        familiarity: Familiarity | None = None,
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.weights = np.asarray(weights, dtype=np.float64)
        self.form = form
        self.familiarity = familiarity

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        outputs = [call(network, inputs) for network in self.networks]
        shape, kind = outputs[0].shape, outputs[0]
        # small weights of strange rows would vanish in half precision
        wide = torch.promote_types(kind.dtype, torch.float32)
        weights = torch.as_tensor(self.weights, dtype=wide, device=kind.device)
        weights = weights.reshape(len(weights), 1, -1)  # network, row, class
        if self.familiarity is not None:
            weights = weights * self.familiarity(inputs).to(wide)[:, :, None]
        if self.form.task == "regression":
            values = torch.stack(outputs).reshape(len(outputs), len(kind), -1)
            return (weights / weights.sum(dim=0) * values).sum(dim=0).reshape(shape).to(kind.dtype)
        probabilities = torch.stack([self.form.logarithms(part).exp() for part in outputs])
        # classes of each step of a sequence: as many rows of probabilities for each row
        repeats = probabilities.shape[1] // weights.shape[1]
        mean = (weights.repeat_interleave(repeats, dim=1) * probabilities).sum(dim=0)
        return self.form.outputs(mean / mean.sum(dim=1, keepdim=True), shape).to(kind.dtype)


@dataclass(frozen=True)
class Likeness:
    """How close a network comes to the ensemble on synthetic inputs.

    Parameters
    ----------
    agreement : float
        Classification: share of rows with the same most probable class. Regression: R2 with the
        ensemble's outputs as the truth.
    distance : float
        Classification: mean Kullback-Leibler divergence from the ensemble, in nats. Regression:
        root mean squared difference over the standard deviation of the ensemble's outputs.
    """

    agreement: float
    distance: float


def likeness(outputs: torch.Tensor, wanted: torch.Tensor, form: Form) -> Likeness:
    """Compare the outputs of a network with those of the ensemble, on the same inputs."""
    outputs, wanted = outputs.double(), wanted.double()
    if form.task == "classification":
        logs, wanted_logs = form.logarithms(outputs), form.logarithms(wanted)
        same = logs.argmax(dim=1) == wanted_logs.argmax(dim=1)
        divergence = (wanted_logs.exp() * (wanted_logs - logs)).sum(dim=1)
        return Likeness(float(same.double().mean()), float(divergence.mean()))
    spread = (wanted - wanted.mean(dim=0)).square().mean()
    share = float((outputs - wanted).square().mean() / spread.clamp_min(_SMALLEST))
    return Likeness(1 - share, share**0.5)

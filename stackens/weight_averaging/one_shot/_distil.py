"""Data-free distillation: a network learns on synthetic inputs to predict as an ensemble does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm import tqdm

from stackens.neural import soft_cross_entropy
from stackens.neural._modules import load_tensors, tensors_of
from stackens.weight_averaging.one_shot._ensemble import (
    Ensemble,
    Form,
    answers,
    call,
    likeness,
)

__all__ = ["Distillation", "Draw", "distil"]

Inputs = Sequence[torch.Tensor]
Draw = Callable[[int], Inputs]  # n -> tensors of n rows, one for each input of the network

_CHECKS = 25  # how often the held-back inputs are looked at
_PATIENCE = 10  # checks without anything better
_WARM_UP = 0.1  # of the steps
_SMALLEST_SPREAD = 1e-6  # of an output that the ensemble never changes


@dataclass
class Distillation:
    """How a distillation went.

    Attributes
    ----------
    steps, distances : list
        After so many steps the network was so far from the ensemble on the held-back inputs.
    best_step : int
        Whose weights the network has now; 0 is the start.
    """

    steps: list[int] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    best_step: int = 0


def distil(
    student: nn.Module,
    ensemble: Ensemble,
    draw: Draw,
    held_back: Inputs,
    *,
    steps: int = 1500,
    batch_size: int = 128,
    learning_rate: float = 1e-2,
    temperature: float = 2.0,
    verbose: int = 0,
) -> Distillation:
    """Train a network in place to predict as an ensemble does, on inputs that are drawn anew.

    The network learns as it will be used: dropout is off, and batch normalisation keeps its
    statistics. It is left with the weights that came closest on inputs held back.

    Parameters
    ----------
    student : torch.nn.Module
    ensemble : Ensemble
    draw : callable
        ``draw(n)`` gives n fresh rows of each input.
    held_back : sequence of tensor
        Inputs that no step learns from.
    steps : int, default=1500
        Most steps; fewer are taken when ten checks in a row found nothing better.
    batch_size : int, default=128
    learning_rate : float, default=1e-2
        Largest rate of Adam; a tenth of the steps goes up to it, the others down by a cosine.
    temperature : float, default=2.0
        Above one gives more weight to how the ensemble ranks unlikely classes.
    verbose : int, default=0
        Above zero shows a progress bar.

    Returns
    -------
    Distillation

    References
    ----------
    Hinton, Vinyals & Dean (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531.

    Lin et al. (2020), Ensemble Distillation for Robust Model Fusion in Federated Learning,
    arXiv:2006.07242.

    Zhang et al. (2022), DENSE: Data-Free One-Shot Federated Learning, arXiv:2112.12371, which
    learns a generator of inputs where a declared schema stands here.
    """
    form = ensemble.form
    learnable = [parameter for parameter in student.parameters() if parameter.requires_grad]
    if not learnable:
        raise ValueError(
            "A network to be merged must have parameters that can learn. Got one without, or with "
            "requires_grad=False in all of them. Let build_model return it with some to train."
        )
    optimiser = torch.optim.Adam(learnable, lr=learning_rate)
    wanted = answers(ensemble, held_back)
    spread = wanted.std(dim=0).clamp_min(_SMALLEST_SPREAD)
    closest = _Closest(student, held_back, wanted, form)
    closest.check(0)
    every = max(1, steps // _CHECKS)
    with (
        torch.enable_grad(),  # whoever calls may have switched it off
        learning(student),
        tqdm(total=steps, desc="distilling", disable=not verbose, leave=False) as bar,
    ):
        for step in range(1, steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * _rate((step - 0.5) / steps)
            inputs = draw(batch_size)
            targets = answers(ensemble, inputs)
            losses = _losses(call(student, inputs), targets, form, spread, temperature)
            optimiser.zero_grad()
            losses.mean().backward()
            optimiser.step()
            bar.update()
            if step % every == 0 or step == steps:
                closest.check(step)
                bar.set_postfix(distance=f"{closest.history.distances[-1]:.3g}")
                if closest.checks_without_better >= _PATIENCE:
                    break
    load_tensors(student, closest.state)
    return closest.history


def _losses(
    outputs: torch.Tensor,
    targets: torch.Tensor,
    form: Form,
    spread: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    if form.task == "regression":
        return ((outputs - targets) / spread).square()
    return soft_cross_entropy(form.logarithms(outputs), form.logarithms(targets).exp(), temperature)


def _rate(done: float) -> float:
    """Return the share of the largest learning rate after this share of the steps."""
    if done < _WARM_UP:
        return done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


class _Closest:
    """The weights with which the student was closest to the ensemble on inputs held back."""

    def __init__(
        self, student: nn.Module, held_back: Inputs, wanted: torch.Tensor, form: Form
    ) -> None:
        self._student, self._held_back, self._wanted, self._form = student, held_back, wanted, form
        self._distance = math.inf
        self.history = Distillation()
        self.state = tensors_of(student)
        self.checks_without_better = 0

    def check(self, step: int) -> None:
        outputs = answers(self._student, self._held_back)
        distance = likeness(outputs, self._wanted, self._form).distance
        self.history.steps.append(step)
        self.history.distances.append(distance)
        self.checks_without_better += 1
        if distance < self._distance:
            self._distance, self.history.best_step = distance, step
            self.checks_without_better = 0
            self.state = {name: part.clone() for name, part in tensors_of(self._student).items()}


@contextmanager
def learning(network: nn.Module) -> Iterator[None]:
    """Hold a network as it will be used, but able to learn.

    All is in evaluation mode but recurrent layers, which cuDNN only differentiates in training
    mode; their dropout is off. Afterwards everything is as before.
    """
    modes = [(part, part.training) for part in network.modules()]
    recurrent = [part for part in network.modules() if isinstance(part, nn.RNNBase)]
    dropouts = [part.dropout for part in recurrent]
    try:
        network.eval()
        for part in recurrent:
            part.training, part.dropout = True, 0.0
        yield
    finally:
        for part, dropout in zip(recurrent, dropouts, strict=True):
            part.dropout = dropout
        for part, training in modes:
            part.training = training

"""A layer of an averaged network, fitted by least squares to what the models' layers give."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stackens.neural._activations import TRANSPOSED, reached

__all__ = ["NormalEquations", "fit_layer", "normal_equations"]

RIDGE = 1e-3  # of the mean variance of the inputs; pulls towards the weights that are there
MOST_ENTRIES = 4_000_000  # of inputs that are laid out at a time


@dataclass
class NormalEquations:
    """Sums over rows (and positions) of a layer's inputs and of the outputs that are wanted.

    Inputs are laid out as they meet the weights: those of a convolution are its patches. The first
    axis is that of the layer's groups, one unless it is a grouped convolution.

    Parameters
    ----------
    shift : tensor of shape (n_groups, 1, n_inputs)
        Taken off the inputs, so that those far from zero keep their digits.
    gram : float64 tensor of shape (n_groups, n_inputs, n_inputs)
        Of inputs with inputs.
    cross : float64 tensor of shape (n_groups, n_inputs, n_outputs)
        Of inputs with outputs.
    inputs, outputs : float64 tensor of shape (n_groups, 1, n_inputs) or (n_groups, 1, n_outputs)
    count : int
        Rows and positions seen.
    """

    shift: torch.Tensor
    gram: Any = 0.0
    cross: Any = 0.0
    inputs: Any = 0.0
    outputs: Any = 0.0
    count: int = 0

    def add(self, inputs: torch.Tensor, outputs: torch.Tensor) -> None:
        """Add rows of shape (n_groups, n_rows, n_inputs) and (n_groups, n_rows, n_outputs)."""
        inputs = inputs - self.shift
        outputs = outputs.to(inputs.dtype)
        self.gram = self.gram + (inputs.mT @ inputs).double()
        self.cross = self.cross + (inputs.mT @ outputs).double()
        self.inputs = self.inputs + inputs.double().sum(1, keepdim=True)
        self.outputs = self.outputs + outputs.double().sum(1, keepdim=True)
        self.count += inputs.shape[1]


def normal_equations(
    module: nn.Module,
    layer: Any,
    models: Sequence[tuple[nn.Module, Any, float]],
    batches: Iterable[Any],
) -> NormalEquations | None:
    """Pass batches through a network up to a layer, and through models up to theirs.

    Parameters
    ----------
    module, layer : torch.nn.Module
        The network, and the linear or convolutional layer in it that is to be fitted.
    models : sequence of (torch.nn.Module, torch.nn.Module, float)
        Each with its layer and its weight; the weighted mean of their outputs is wanted.
    batches : iterable of batches

    Returns
    -------
    equations : NormalEquations or None
        None if no row reached the layer.
    """
    equations = None
    for batch in batches:
        own = reached(module, layer, batch)
        theirs = [(reached(model, part, batch), share) for model, part, share in models]
        if own is None or own[2].numel() == 0 or any(call is None for call, _ in theirs):
            continue
        inputs, named, output = own
        wanted = torch.zeros_like(output, dtype=torch.float64)
        for call, share in theirs:
            if call is not None:
                wanted += share * call[2].to(wanted)
        for laid_out, outputs in _rows(layer, inputs, named, wanted):
            if equations is None:
                shift = laid_out.mean(1, keepdim=True) * (layer.bias is not None)
                equations = NormalEquations(shift)
            equations.add(laid_out, outputs)
    return equations


def fit_layer(layer: Any, equations: NormalEquations) -> None:
    """Set weight and bias to what comes nearest to the outputs that are wanted.

    What the rows do not tell is left: the solution is sought near the weights that are there.
    """
    weight = _matrices(layer, layer.weight.detach().double())
    gram, cross = equations.gram, equations.cross
    mean_in, mean_out = equations.inputs / equations.count, equations.outputs / equations.count
    if layer.bias is not None:
        gram = gram - equations.count * mean_in.mT @ mean_in
        cross = cross - equations.count * mean_in.mT @ mean_out
    level = gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    ridge = torch.where(level > 0, RIDGE * level, 1.0)
    eye = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    weight = weight + torch.linalg.solve(gram + ridge * eye, cross - gram @ weight.mT).mT
    with torch.no_grad():
        layer.weight.copy_(_from_matrices(layer, weight))
        if layer.bias is not None:
            bias = mean_out - (mean_in + equations.shift) @ weight.mT
            layer.bias.copy_(bias.flatten())


def _rows(
    layer: Any, inputs: tuple[Any, ...], named: Mapping[str, Any], outputs: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield inputs as they meet the weights, and outputs, a part of the rows at a time.

    A copy of the layer whose weights are an identity matrix gives the patches, whatever its
    stride, padding and dilation.
    """
    others = dict(named)
    values, *more = inputs or (others.pop("input"),)
    n_axes = len(_kernel(layer))
    if not n_axes:
        values, outputs = values.flatten(end_dim=-2), outputs.flatten(end_dim=-2)
    if values.ndim < n_axes + 2:  # one sample, without an axis
        values, outputs = values[None], outputs[None]
    weight = layer.weight.detach()
    n_groups, _, n_inputs = _matrices(layer, weight).shape
    dtype = torch.promote_types(weight.dtype, torch.float32)
    eye = torch.eye(n_inputs, dtype=dtype, device=weight.device)
    unfold = copy.deepcopy(layer)
    unfold.weight = nn.Parameter(_from_matrices(layer, eye.expand(n_groups, -1, -1)))
    unfold.bias = None
    positions = math.prod(outputs.shape[2:])
    size = max(1, MOST_ENTRIES // max(1, positions * n_groups * n_inputs))
    for some, wanted in zip(values.split(size), outputs.split(size), strict=True):
        with torch.no_grad():
            laid_out = unfold.forward(some.to(dtype), *more, **others)
        yield _by_group(laid_out, n_groups, n_axes), _by_group(wanted, n_groups, n_axes)


def _by_group(values: torch.Tensor, n_groups: int, n_axes: int) -> torch.Tensor:
    """Return channels in the shape (n_groups, n_rows * n_positions, n_channels of a group)."""
    rows = values.movedim(-1 - n_axes, -1).flatten(end_dim=-2)
    return rows.unflatten(1, (n_groups, -1)).transpose(0, 1)


def _kernel(layer: Any) -> tuple[int, ...]:
    return getattr(layer, "kernel_size", ())


def _matrices(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    """Return a weight in the shape (n_groups, n_outputs, n_inputs)."""
    grouped = weight.unflatten(0, (getattr(layer, "groups", 1), -1))
    # (groups, inputs, outputs, ...) where transposed
    return (grouped.transpose(1, 2) if isinstance(layer, TRANSPOSED) else grouped).flatten(2)


def _from_matrices(layer: Any, matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices in the shape of a layer's weight."""
    grouped = matrices.unflatten(2, (-1, *_kernel(layer)))
    grouped = grouped.transpose(1, 2) if isinstance(layer, TRANSPOSED) else grouped
    return grouped.flatten(end_dim=1)

"""Scalers folded into weights: networks behind different scalers, in common terms, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stackens.neural._modules import copied
from stackens.weight_averaging.one_shot._ensemble import answers

__all__ = ["Affine", "Scaler", "broadcasts", "change_inputs", "change_outputs", "pooled_scaler"]

Scaler = tuple[NDArray[np.float64], NDArray[np.float64]]

_RECURRENT = (nn.RNNBase, nn.RNNCellBase)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TOLERANCE = 1e-6  # relative, in double precision


@dataclass(frozen=True)
class Affine:
    """Numbers x become ``scale * x + shift``.

    Parameters
    ----------
    scale, shift : array that broadcasts to a row
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    def over(self, shape: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scale and shift for each number of a row, flattened."""
        scale, shift = (np.broadcast_to(part, tuple(shape)) for part in (self.scale, self.shift))
        return torch.tensor(scale.reshape(-1).copy()), torch.tensor(shift.reshape(-1).copy())


def broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    """Whether an array of this shape can stand for one of the other shape."""
    try:
        return np.broadcast_shapes(tuple(shape), tuple(to)) == tuple(to)
    except ValueError:
        return False


def pooled_scaler(scalers: Sequence[Scaler], weights: ArrayLike) -> Scaler:
    """Return the mean and the deviation of the rows of all sites, from those of each.

    Parameters
    ----------
    scalers : sequence of (mean, scale)
    weights : array-like of shape (n_sites,)
        Rows of each site, or their shares.
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    means, scales = (np.stack(np.broadcast_arrays(*part)) for part in zip(*scalers, strict=True))
    mean = np.tensordot(shares, means, 1)
    variance = np.tensordot(shares, scales**2 + (means - mean) ** 2, 1)
    return mean, np.sqrt(variance)


def change_inputs(
    network: nn.Module, change: Affine, shape: tuple[int, ...], name: str
) -> nn.Module:
    """Return a network that gives on x what this one gives on ``scale * x + shift``.

    The layers that see the input are found by what arrives at them: numbers of the input, moved
    but not changed. Their weights take the scale, their biases the shift. The result is proven
    on random inputs, in double precision.

    Parameters
    ----------
    network : torch.nn.Module
        Not changed.
    change : Affine
        Of each number of a row.
    shape : tuple of int
        Of a row.
    name : str
        What the network is called in errors.

    Raises
    ------
    ValueError
        If the change cannot be folded: the input does not go through linear, recurrent or
        convolutional layers alone, one of them has no bias for the shift, or pads by zeros.
    """
    changed, wide = copied(network), _wide(network)
    scale, shift = change.over(shape)
    probe = torch.randn((1, *shape), generator=_generator(), dtype=torch.float64)
    seen = _seen(wide, [probe], of_inputs=True)
    for path, arrived in seen.items():
        axis = 1 if isinstance(wide.get_submodule(path), _CONVOLUTIONS) else -1
        places = _places(arrived, probe, axis)
        if places is not None:
            for target in (changed, wide):
                _fold_into_inputs(target.get_submodule(path), places, scale, shift, name, path)
    rows = torch.randn((8, *shape), generator=_generator(1), dtype=torch.float64)
    moved = rows * scale.reshape(shape) + shift.reshape(shape)
    _prove(answers(wide, [rows]), answers(_wide(network), [moved]), "input", name)
    return changed


def change_outputs(
    network: nn.Module, change: Affine, inputs: Sequence[torch.Tensor], name: str
) -> nn.Module:
    """Return a network that gives ``scale * y + shift`` where this one gives y.

    The linear layers that give the output are found by their numbers, which are the output's.

    Parameters
    ----------
    network : torch.nn.Module
        Not changed.
    change : Affine
        Of each output of a row.
    inputs : sequence of tensor
        Rows to try the network on.
    name : str
        What the network is called in errors.

    Raises
    ------
    ValueError
        If the change cannot be folded: the output is not that of linear layers, or one of them
        has no bias for the shift.
    """
    changed, wide = copied(network), _wide(network)
    rows = [part[:8].cpu() for part in inputs]
    rows = [part.double() if part.is_floating_point() else part for part in rows]
    outputs = answers(wide, rows)
    shape = outputs.shape[1:]
    if not broadcasts(change.scale.shape, shape):
        raise ValueError(
            f"A scaler of outputs must broadcast to the outputs of a row, of shape {tuple(shape)}. "
            f"Got means of shape {change.scale.shape}. Give one number for each output."
        )
    scale, shift = change.over(shape)
    first = [part[:1] for part in rows]
    output = answers(wide, first)
    for path, given in _seen(wide, first, of_inputs=False).items():
        places = _places(given, output, -1)
        if places is not None:
            for target in (changed, wide):
                _fold_into_outputs(target.get_submodule(path), places, scale, shift, name, path)
    moved = outputs * scale.reshape(shape) + shift.reshape(shape)
    _prove(answers(wide, rows), moved, "output", name)
    return changed


def _wide(network: nn.Module) -> nn.Module:
    """Return a copy in double precision, where all devices can have it: on the CPU."""
    return copied(network).cpu().double()


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _seen(
    network: nn.Module, inputs: Sequence[torch.Tensor], *, of_inputs: bool
) -> dict[str, torch.Tensor]:
    """Return what went into the layers that can take a change, or out of the linear ones."""
    kinds = (nn.Linear, *_RECURRENT, *_CONVOLUTIONS) if of_inputs else (nn.Linear,)
    seen: dict[str, torch.Tensor] = {}

    def note(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: Any, outputs: Any) -> None:
            values = arguments[0] if of_inputs else outputs
            if isinstance(values, torch.Tensor):
                seen.setdefault(path, values)  # of further calls the proof will tell

        return hook

    hooks = [
        layer.register_forward_hook(note(path))
        for path, layer in network.named_modules()
        if isinstance(layer, kinds)
    ]
    try:
        answers(network, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _places(values: torch.Tensor, whole: torch.Tensor, axis: int) -> list[list[int]] | None:
    """Return, for each position on an axis, which numbers of ``whole`` stand there.

    None if no number of ``whole`` is among the values.
    """
    where = {number: i for i, number in enumerate(whole.reshape(-1).tolist())}
    along = values.detach().movedim(axis, 0).reshape(values.shape[axis], -1).tolist()
    places = [sorted({where[number] for number in row if number in where}) for row in along]
    return places if any(places) else None


def _of_positions(
    places: list[list[int]], scale: torch.Tensor, shift: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale and shift of each position; where its numbers differ the proof will fail."""
    scales = [scale[row[0]] if row else torch.ones(()) for row in places]
    shifts = [shift[row[0]] if row else torch.zeros(()) for row in places]
    return torch.stack([part.double() for part in scales]), torch.stack(
        [part.double() for part in shifts]
    )


@torch.no_grad()
def _fold_into_inputs(
    layer: nn.Module,
    places: list[list[int]],
    scale: torch.Tensor,
    shift: torch.Tensor,
    name: str,
    path: str,
) -> None:
    scales, shifts = _of_positions(places, scale, shift)
    if isinstance(layer, nn.RNNBase):
        suffixes = ["_l0", "_l0_reverse"] if layer.bidirectional else ["_l0"]
        pairs = [(f"weight_ih{suffix}", f"bias_ih{suffix}") for suffix in suffixes]
    elif isinstance(layer, nn.RNNCellBase):
        pairs = [("weight_ih", "bias_ih")]
    else:
        pairs = [("weight", "bias")]
    for weight_name, bias_name in pairs:
        weight, bias = getattr(layer, weight_name), getattr(layer, bias_name, None)
        exact = weight.cpu().double()
        if isinstance(layer, _CONVOLUTIONS):
            # rows of a group see the channels of that group only
            groups = torch.arange(len(weight)) * layer.groups // len(weight)
            channels = groups[:, None] * weight.shape[1] + torch.arange(weight.shape[1])
            pull = (exact.flatten(2).sum(dim=2) * shifts[channels]).sum(dim=1)
            factor = scales[channels].reshape(*weight.shape[:2], *(1,) * (weight.ndim - 2))
        else:
            pull, factor = exact @ shifts, scales
        weight.copy_(exact * factor)
        _shift(bias, pull, "input", name, path)


@torch.no_grad()
def _fold_into_outputs(
    layer: Any,
    places: list[list[int]],
    scale: torch.Tensor,
    shift: torch.Tensor,
    name: str,
    path: str,
) -> None:
    scales, shifts = _of_positions(places, scale, shift)
    layer.weight.copy_(layer.weight.cpu().double() * scales[:, None])
    if layer.bias is not None:
        layer.bias.copy_(layer.bias.cpu().double() * scales)
    _shift(layer.bias, shifts, "output", name, path)


def _shift(bias: torch.Tensor | None, pull: torch.Tensor, which: str, name: str, path: str) -> None:
    if bias is not None:
        bias.copy_(bias.cpu().double() + pull)
    elif pull.abs().max() > 0:
        raise ValueError(
            f"A layer must have a bias to take up the means of the {which} scaler. Got {path!r} "
            f"of {name} without one. Train with bias=True, or scale without centring."
        )


def _prove(found: torch.Tensor, wanted: torch.Tensor, side: str, name: str) -> None:
    """Raise unless the folded network says what it should, in double precision."""
    difference = float((found - wanted).abs().max())
    if not difference <= _TOLERANCE * (1 + float(wanted.abs().max())):
        raise ValueError(
            f"It must be possible to write the {side} scaler of {name} into the weights. Got a "
            f"network whose answers change by {difference:.3g} then: its {side} does not pass "
            "through Linear, recurrent or unpadded Conv layers alone. Give the sites one common "
            f"scaler, or train a network whose {side} does."
        )

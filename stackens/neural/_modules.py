"""What every kernel here asks of a torch module: its tensors by name, its modes, its device."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = [
    "check_same_tensors",
    "copied",
    "device_of",
    "evaluating",
    "last_layer",
    "load_tensors",
    "tensors_of",
    "unwrapped",
]

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside ``torch.compile``, ``DataParallel`` or ``DistributedDataParallel``.

    It shares its tensors with the wrapper, and has the names that the user gave.

    Raises
    ------
    TypeError
        If it is no torch module.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"A torch.nn.Module is needed. Got a {type(module).__name__}. Give the network itself; "
            "load a state dict into one first."
        )
    while True:
        if isinstance(module, _WRAPPERS):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod
        else:
            return module


def last_layer(module: nn.Module) -> nn.Module:
    """Return the layer at the end of a Sequential, or the module itself if it is none."""
    last = unwrapped(module)
    while isinstance(last, nn.Sequential) and len(last):
        last = last[-1]
    return last


def tensors_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and saved buffers by their plain names, sharing memory with the module.

    Plain means without the ``module.`` and ``_orig_mod.`` of wrapped modules, also where only a
    part of the module was compiled. Tied weights stand under each of their names.
    """
    state = unwrapped(module).state_dict()
    return {
        ".".join(part for part in name.split(".") if part != "_orig_mod"): tensor
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor)
    }


def copied(module: nn.Module) -> nn.Module:
    """Return a deep copy of a module, also of one with old weight normalisation.

    That leaves computed tensors as attributes, which torch refuses to copy: the copies are handed
    in.
    """
    computed: dict[int, Any] = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    return copy.deepcopy(module, computed)


def check_same_tensors(
    expected: Mapping[str, torch.Tensor], got: Mapping[str, torch.Tensor], what: str
) -> None:
    """Raise unless names and shapes agree, listing every difference.

    Parameters
    ----------
    expected, got : mapping of str to tensor
    what : str
        What `got` is, for the message.

    Raises
    ------
    ValueError
    """
    lazy = [
        name
        for state in (expected, got)
        for name, tensor in state.items()
        if torch.nn.parameter.is_lazy(tensor)
    ]
    if lazy:
        raise ValueError(
            f"Tensors must have shapes. Got lazy ones, of modules that have not run yet: {lazy}. "
            "Run each module once on a few rows."
        )
    differences = [f"{name!r} is missing" for name in expected if name not in got]
    differences += [f"{name!r} is unknown" for name in got if name not in expected]
    differences += [
        f"{name!r} has the shape {tuple(got[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in got and got[name].shape != tensor.shape
    ]
    if differences:
        raise ValueError(
            f"{what} must have the same names and shapes of tensors as the module. Got "
            f"{len(differences)} difference(s): {'; '.join(differences)}. Use one of the same "
            "architecture."
        )


def load_tensors(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy a state into the module's own tensors, so that an optimiser keeps its hold on them."""
    with torch.no_grad():
        for name, tensor in tensors_of(module).items():
            tensor.copy_(state[name])


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's first tensor is; the CPU for a module without one."""
    return next((tensor.device for tensor in tensors_of(module).values()), torch.device("cpu"))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Hold a module in evaluation mode without gradients, then give each part its mode back."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        if any(training for _, training in modes):
            module.eval()
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training

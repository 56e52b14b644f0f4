"""Batches in whatever form a training script has them, and how a module wants to be called."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from stackens.neural._modules import device_of, unwrapped

__all__ = ["call_with_batch", "repeatable_batches"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def repeatable_batches(data: Any) -> Iterable[Any]:
    """Return the batches of data as something that can be gone through more than once.

    Parameters
    ----------
    data : tensor, array, tuple, dict, list, DataLoader or generator
        A tensor, an array, a tuple or a dict is one batch. Everything else is made of batches.
        What can be gone through only once, such as a generator, is kept in a list.
    """
    if isinstance(data, torch.Tensor | np.ndarray | tuple | Mapping):
        return [data]
    # a DataFrame iterates names, a text letters
    if not isinstance(data, Iterable) or hasattr(data, "to_numpy") or isinstance(data, str):
        raise TypeError(
            "The data must be a batch (tensor, array, tuple or dict) or an iterable of batches. "
            f"Got {type(data).__name__}. Pass a DataLoader or a list, or the array of a table."
        )
    batches = iter(data)
    return list(batches) if batches is data else data


def call_with_batch(module: nn.Module, batch: Any) -> Any:
    """Call a module with the inputs of a batch, moved to where the module is.

    A dict gives the arguments of its names, and those that ``forward`` does not have are left
    out; where it has none of them, the dict itself is the input. Of a tuple or list come as many
    leading entries as ``forward`` has arguments without a default, so that targets are left out.
    """
    module = unwrapped(module)
    parameters = inspect.signature(module.forward).parameters.values()
    batch = _moved(batch, module)
    if isinstance(batch, Mapping):
        takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        names = {p.name for p in parameters}
        arguments = {key: part for key, part in batch.items() if takes_all or key in names}
        return module(**arguments) if arguments else module(batch)
    if isinstance(batch, tuple | list):
        needed = [p for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
        return module(*batch[: max(1, len(needed))])
    return module(batch)


def _moved(part: Any, module: nn.Module) -> Any:
    """Turn arrays into tensors of the module's precision, and move tensors to its device."""
    if isinstance(part, np.ndarray):
        part = torch.tensor(np.ascontiguousarray(part))
        if part.is_floating_point():
            dtypes = (p.dtype for p in module.parameters() if p.is_floating_point())
            part = part.to(next(dtypes, part.dtype))
    if isinstance(part, torch.Tensor):
        return part.to(device_of(module))
    if isinstance(part, Mapping):
        return {key: _moved(value, module) for key, value in part.items()}
    if isinstance(part, tuple | list):
        return [_moved(value, module) for value in part]
    return part

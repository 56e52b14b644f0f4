"""A copy of a network made ready for the gradient of its mixing weights, and back as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stackens._core._optional import require

__all__ = ["trainable"]


@contextmanager
def trainable(model: Any, tensors: Mapping[str, Any]) -> Iterator[Callable[..., Any]]:
    """Turn on gradients and evaluation mode, and give the forward pass; both go back afterwards.

    Parameters
    ----------
    model : torch.nn.Module, or Keras model on the torch backend
    tensors : dict of str -> torch.Tensor
        Its tensors that are mixed.

    Raises
    ------
    TypeError
        If the model is no torch network.
    """
    torch = require("torch", extra="torch", purpose="learn_mixing with a loss")
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            "The gradient of mixing weights needs torch modules, or Keras models on the torch "
            f"backend. Got {type(model).__name__}. Pass evaluate= in place of the loss, or the "
            "module that state dicts belong to as network=."
        )
    keras = sys.modules.get("keras")
    is_keras = keras is not None and isinstance(model, keras.layers.Layer)
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    mixed = {id(tensor) for tensor in tensors.values()}
    try:
        model.eval()
        for parameter, _ in flags:
            # Keras keeps statistics as parameters, too, and those have no gradient.
            if not is_keras:
                parameter.requires_grad_(id(parameter) in mixed)
        with torch.enable_grad():
            yield (lambda *batch: model(*batch, training=False)) if is_keras else model
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
            parameter.grad = None
        for module, mode in modes:
            module.training = mode

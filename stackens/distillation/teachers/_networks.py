"""Trained networks of torch and Keras as teachers: what they return, and how they are asked."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from stackens._core._rows import is_frame, n_rows

__all__ = ["ask_network", "is_network", "output_of_network"]

_PROBABILITIES = ("softmax", "sigmoid")


def is_network(teacher: Any) -> bool:
    """Whether it is a torch module or a Keras model, seen without importing either."""
    return _is_keras(teacher) or _is_torch(teacher)


def _is_keras(teacher: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(teacher, keras.Model)


def _is_torch(teacher: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(teacher, torch.nn.Module)


def output_of_network(network: Any) -> str:
    """Return "probabilities" or "logits", where the last layer of a network tells.

    Raises
    ------
    ValueError
        If it does not: a module with a forward of its own may do anything at its end.
    """
    found = _keras_output(network) if _is_keras(network) else _torch_output(network)
    if found is None:
        raise ValueError(
            "What a network returns must be known. Got "
            f"{type(network).__name__}, whose last layer does not tell. Say "
            "teacher_output='logits' or teacher_output='probabilities'."
        )
    return found


def _torch_output(module: Any) -> str | None:
    from torch import nn

    from stackens.neural._modules import last_layer

    last = last_layer(module)
    if isinstance(last, nn.Softmax | nn.Sigmoid):
        return "probabilities"
    # The softmax of log-probabilities is the probabilities.
    return "logits" if isinstance(last, nn.Linear | nn.LogSoftmax) else None


def _keras_output(model: Any) -> str | None:
    layers, outputs = getattr(model, "layers", None), getattr(model, "outputs", None)
    if not layers or not outputs or layers[-1].output is not outputs[0]:
        return None
    last = layers[-1]
    name = getattr(getattr(last, "activation", None), "__name__", type(last).__name__).lower()
    if name in _PROBABILITIES:
        return "probabilities"
    return "logits" if name == "linear" else None


def ask_network(network: Any, X: Any) -> np.ndarray:
    """Return what a network says of rows: in evaluation mode, without gradients, on its device.

    Parameters
    ----------
    network : torch module or Keras model
    X : array, tensor or DataFrame of numbers, of shape (n_samples, ...)
    """
    from stackens.neural import FrozenNetwork

    asked = FrozenNetwork(network, output="values", preprocess=_Inputs(network))
    return asked.predict(X) if n_rows(X) else np.empty(0)


class _Inputs:
    """Turns rows into what a network reads; arrays get its precision where it is called."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def __call__(self, rows: Any) -> Any:
        if hasattr(rows, "detach"):
            rows = rows.detach()
            if not _is_torch(self.network) or not rows.is_floating_point():
                return rows
            kinds = (p.dtype for p in self.network.parameters() if p.is_floating_point())
            return rows.to(next(kinds, rows.dtype))
        values = rows.to_numpy() if is_frame(rows) else np.asarray(rows)
        return values.astype(np.float64) if values.dtype.kind in "OUSb" else values

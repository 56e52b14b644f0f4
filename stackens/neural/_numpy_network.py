"""A tabular network without torch: one small row is answered in microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import erf, expit

__all__ = ["NumpyNetwork"]

Array = np.ndarray

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
    "GELU": lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0))),
    "Mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "ReLU": lambda x: np.maximum(x, 0.0),
    # Klambauer et al. (2017), arXiv:1706.02515, section 2
    "SELU": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0.0)))
    ),
    "SiLU": lambda x: x * expit(x),
    "Tanh": np.tanh,
}


class NumpyNetwork:
    """The arithmetic of a :class:`TabularNetwork` in double precision, on numpy arrays.

    Parameters
    ----------
    network : TabularNetwork
        Copied, in evaluation mode.
    """

    def __init__(self, network: Any) -> None:
        inputs = network.inputs
        whole = {name: tensor.cpu().numpy() for name, tensor in inputs.state_dict().items()}
        self._numbers = whole["numbers"]
        self._bin_source = whole["bin_source"]
        self._bin_left = whole["bin_left"].astype(np.float64)
        self._bin_slope = whole["bin_slope"].astype(np.float64)
        self._coded, self._code_starts = whole["coded"], whole["code_starts"]
        vectors = whole.get("vectors.weight")
        self._vectors = None if vectors is None else vectors.astype(np.float64)
        self._steps: list[Any] = []
        for part in network.layers:
            if hasattr(part, "weight"):
                weight, bias = (
                    tensor.detach().cpu().numpy().astype(np.float64)
                    for tensor in (part.weight, part.bias)
                )
                self._steps.append((np.ascontiguousarray(weight.T), bias))
            elif type(part).__name__ in _ACTIVATIONS:  # the rest is dropout
                self._steps.append(_ACTIVATIONS[type(part).__name__])

    def __call__(self, table: Array) -> Array:
        """Return the outputs of one encoded row or of several.

        Parameters
        ----------
        table : float64 array of shape (n_columns,) or (n_samples, n_columns)

        Returns
        -------
        array of shape (n_outputs,) or (n_samples, n_outputs)
        """
        numbers = table if self._vectors is None else table[..., self._numbers]
        features = [numbers / np.sqrt(1.0 + numbers * numbers * (1 / 9))]
        if len(self._bin_source):
            into = (table[..., self._bin_source] - self._bin_left) * self._bin_slope
            features.append(np.minimum(np.maximum(into, 0.0), 1.0))
        if self._vectors is not None:
            codes = table[..., self._coded].astype(np.int64) + self._code_starts
            features.append(self._vectors[codes].reshape(*table.shape[:-1], -1))
        values = np.concatenate(features, axis=-1) if len(features) > 1 else features[0]
        for step in self._steps:
            values = values @ step[0] + step[1] if isinstance(step, tuple) else step(values)
        return values

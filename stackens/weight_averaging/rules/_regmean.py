"""RegMean: linear layers merged so that their outputs stay close to those of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from stackens.weight_averaging.rules._arithmetic import difference, weighted_sum
from stackens.weight_averaging.rules._rule import (
    Rule,
    State,
    check_statistics,
    require_no_negative,
)

__all__ = ["RegMean"]

# How the bias that goes with a weight is called: PyTorch, Keras, scikit-learn.
_BIAS_NAMES = {"weight": "bias", "kernel": "bias", "coef_": "intercept_", "coefs_": "intercepts_"}


@dataclass(frozen=True, eq=False)
class RegMean(Rule):
    """Least squares of the outputs of linear layers over the inputs that each model saw.

    With inputs X of model i, Gram matrices G = XᵀX, their non-diagonal elements multiplied by
    ``shrink``, and weights λ, a layer becomes (Σ λᵢ Gᵢ)⁻¹ Σ λᵢ Gᵢ Wᵢ. Other
    tensors get the weighted mean. Two differences from the paper:

    1. It is solved for the deviation from the weighted mean W̄, by a Cholesky factorisation of
       Σ λᵢ Gᵢ + ridge: W̄ + (Σ λᵢ Gᵢ + ridge)⁻¹ Σ λᵢ Gᵢ (Wᵢ − W̄). So equal models give
       themselves, and inputs that were always zero leave the mean instead of a singular matrix.
    2. A Gram matrix with one more row and column, for an input that is always one, merges the
       bias together with the weight; the paper takes the plain mean of the biases.

    Parameters
    ----------
    grams : sequence of mapping of str to array-like
        For each model and each linear layer, under the name of its weight: the Gram matrix of the
        layer's inputs, shape (d_in, d_in), or (d_in + 1, d_in + 1) with the constant input last.
        For a convolution the inputs are its patches, in the order of the kernel's own axes. A
        sum over rows counts a model by its rows; divide by their number to count models equally.
    shrink : float, default=0.9
        Factor on the non-diagonal elements, from 0 to 1; the paper's α.
    ridge : float, default=1e-6
        Added to the diagonal of the summed matrix, in units of its mean diagonal element.
    layout : {"out_in", "in_out"}, default="out_in"
        Whether a weight's first axis is its outputs (PyTorch) or its last one (Keras and
        scikit-learn).
    biases : mapping of str to str or None, default=None
        Name of the bias for the name of a weight. By default ``"fc.bias"`` for ``"fc.weight"``,
        ``"dense/bias"`` for ``"dense/kernel"``, ``"intercepts_.0"`` for ``"coefs_.0"``.

    References
    ----------
    Jin, Ren, Preotiuc-Pietro & Cheng (2023), Dataless knowledge fusion by merging weights of
    language models, arXiv:2212.09849.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> first, second = np.diag([1.0, 3.0]), np.diag([3.0, 1.0])
    >>> regmean = rules.RegMean([{"fc.weight": first}, {"fc.weight": second}])
    >>> regmean([np.zeros((1, 2)), np.ones((1, 2))], [0.5, 0.5], name="fc.weight").round(3)
    array([[0.75, 0.25]])
    """

    grams: Sequence[Mapping[str, ArrayLike]] = field(repr=False)
    shrink: float = 0.9
    ridge: float = 1e-6
    layout: Literal["out_in", "in_out"] = "out_in"
    biases: Mapping[str, str] | None = None
    _states: Sequence[State] = field(default=(), init=False, repr=False)
    _bias_of: Mapping[str, str] = field(default_factory=dict, init=False, repr=False)

    elementwise = False

    def __post_init__(self) -> None:
        if not 0 <= self.shrink <= 1:
            raise ValueError(
                f"The 'shrink' parameter of RegMean must be from 0 to 1. Got {self.shrink!r}. "
                "Give 0.9, or 0.1 where the merged model degenerates."
            )
        if not (np.isfinite(self.ridge) and self.ridge > 0):
            raise ValueError(
                "The 'ridge' parameter of RegMean must be finite and above zero. Got "
                f"{self.ridge!r}. Give a small number such as 1e-6."
            )
        if self.layout not in ("out_in", "in_out"):
            raise ValueError(
                "The 'layout' parameter of RegMean must be 'out_in' or 'in_out'. Got "
                f"{self.layout!r}. PyTorch has outputs first, Keras and scikit-learn inputs."
            )

    def bind(self, states: Sequence[State]) -> RegMean:
        check_statistics(self.grams, states, self)
        bias_of = {}
        for name in self.grams[0]:
            shape = tuple(states[0][name].shape)
            # A stand-in of the shape, without memory: the values may still be on disk.
            d_in = len(self._matrix(np.broadcast_to(np.zeros(1), shape)))
            sizes = {np.shape(grams[name]) for grams in self.grams}
            if sizes == {(d_in + 1, d_in + 1)}:
                bias_of[name] = self._bias_name(name, states[0])
            elif sizes != {(d_in, d_in)}:
                raise ValueError(
                    f"RegMean needs Gram matrices of shape ({d_in}, {d_in}), or one larger for "
                    f"the bias, for tensor {name!r} of shape {shape} in the layout "
                    f"{self.layout!r}. Got {sorted(sizes)}. Check the layout and the inputs."
                )
        bound = copy(self)
        object.__setattr__(bound, "_states", tuple(states))
        object.__setattr__(bound, "_bias_of", bias_of)
        return bound

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        require_no_negative(weights, self)
        layer = next((layer for layer, bias in self._bias_of.items() if bias == name), name)
        if layer not in self.grams[0]:
            return weighted_sum(arrays, weights)
        kernels = [self._matrix(a) for a in (arrays if layer == name else self._read(layer))]
        bias = self._bias_of.get(layer)
        if bias is not None:
            rows = arrays if bias == name else self._read(bias)
            kernels = [np.vstack([k, b[None]]) for k, b in zip(kernels, rows, strict=True)]
        merged = self._solve(kernels, weights, layer)
        if bias == name:
            return merged[-1]
        merged = merged if bias is None else merged[:-1]
        return (merged.T if self.layout == "out_in" else merged).reshape(arrays[0].shape)

    def _solve(self, kernels: list[NDArray], weights: NDArray[np.float64], layer: str) -> NDArray:
        """Return the merged kernel of a layer, shape (d_in, d_out), the bias as last row if any."""
        mean = weighted_sum(kernels, weights)
        d_in = len(mean)
        total = np.zeros((d_in, d_in))
        pull = np.zeros_like(mean)
        for model, weight in enumerate(weights):
            if weight:
                gram = np.array(self.grams[model][layer], dtype=np.float64)
                if gram.shape != total.shape:
                    raise ValueError(
                        f"RegMean needs a Gram matrix of shape {total.shape} for tensor "
                        f"{layer!r}. Got {gram.shape} of model {model}. Check the layout, and "
                        "call bind(states) first if it has a row for the bias."
                    )
                gram *= weight * (self.shrink + (1 - self.shrink) * np.eye(d_in))
                total += gram
                pull += gram @ difference(kernels[model], mean)
        unit = np.trace(total) / d_in
        if unit == 0:
            return mean
        total[np.diag_indices(d_in)] += self.ridge * unit
        try:
            return mean + cho_solve(cho_factor(total, lower=True), pull)
        except (LinAlgError, ValueError) as error:
            raise ValueError(
                f"RegMean needs Gram matrices: finite, symmetric, without negative eigenvalues. "
                f"Got others for tensor {layer!r} ({error}). Give XᵀX of the layer's inputs."
            ) from error

    def _matrix(self, array: NDArray) -> NDArray:
        """Return a weight as a matrix of shape (d_in, d_out)."""
        if self.layout == "in_out":
            return array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
        return array.reshape(array.shape[0] if array.ndim > 1 else 1, -1).T

    def _read(self, name: str) -> list[NDArray]:
        return [np.asarray(state[name]) for state in self._states]

    def _bias_name(self, name: str, state: State) -> str:
        if self.biases is not None:
            candidates = [self.biases.get(name, "")]
        else:
            candidates = [name.replace(word, bias) for word, bias in _BIAS_NAMES.items()]
        for candidate in candidates:
            if candidate != name and candidate in state:
                return candidate
        raise ValueError(
            f"RegMean needs the bias of tensor {name!r}, for which the Gram matrix has a row. Got "
            f"no tensor called {candidates}. Give biases={{{name!r}: its name}}, or Gram matrices "
            "without the constant input."
        )

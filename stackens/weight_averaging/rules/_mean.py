"""The weighted mean, and the mean weighted by Fisher information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackens.weight_averaging.rules._arithmetic import difference, weighted_sum
from stackens.weight_averaging.rules._rule import (
    Rule,
    State,
    check_statistics,
    require_no_negative,
)

__all__ = ["FisherMean", "WeightedMean"]


@dataclass(frozen=True)
class WeightedMean(Rule):
    """The weighted mean of every element; a model soup, where weights are equal.

    References
    ----------
    Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging, SIAM Journal
    on Control and Optimization 30(4), DOI 10.1137/0330046.

    Wortsman et al. (2022), Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time, arXiv:2203.05482.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.WeightedMean()([np.zeros(2), np.ones(2)], [0.25, 0.75])
    array([0.75, 0.75])
    """

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        return weighted_sum(arrays, weights)


@dataclass(frozen=True, eq=False)
class FisherMean(Rule):
    """The mean of every element, weighted by how much each model's output depends on it.

    With weights λ and diagonal Fisher information F the result is Σ λᵢ Fᵢ θᵢ / Σ λᵢ Fᵢ,
    computed as deviations from the weighted mean, so that equal models give
    themselves. Two differences from the authors' code:

    1. Where the information of all models is zero the result is the weighted mean; the code puts
       1e-6 under the information of the first model only, and so returns that model there.
    2. The code always divides each model's information by its norm; here ``normalise`` asks
       for it.

    Parameters
    ----------
    statistics : sequence of mapping of str to array-like
        For each model, the diagonal of the Fisher information of each tensor: the mean over rows
        of the squared gradient of the log likelihood, per row (never of a batch's sum). Of the
        tensor's shape, at least zero. Computed wherever the data are. A tensor that none of them
        names, such as a buffer, gets the weighted mean.
    normalise : bool, default=False
        Divide the information of each model by its norm over all tensors, so that models with
        large gradients do not drown the others.

    References
    ----------
    Matena & Raffel (2022), Merging models with Fisher-weighted averaging, arXiv:2111.09832.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> fisher = rules.FisherMean([{"w": [1.0, 0.0]}, {"w": [3.0, 0.0]}])
    >>> fisher([np.zeros(2), np.ones(2)], [0.5, 0.5], name="w")
    array([0.75, 0.5 ])
    """

    statistics: Sequence[Mapping[str, ArrayLike]] = field(repr=False)
    normalise: bool = False

    def bind(self, states: Sequence[State]) -> FisherMean:
        check_statistics(self.statistics, states, self)
        for name in self.statistics[0]:
            shape = tuple(states[0][name].shape)
            for model, statistics in enumerate(self.statistics):
                got = np.shape(statistics[name])
                if got != shape:
                    raise ValueError(
                        f"FisherMean needs statistics of the tensor's shape. Got {got} for tensor "
                        f"{name!r} of shape {shape} of model {model}. Give the diagonal of the "
                        "Fisher information, element by element."
                    )
        return self

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        require_no_negative(weights, self)
        mean = weighted_sum(arrays, weights)
        if name not in self.statistics[0]:
            return mean
        part = slice(offset, offset + mean.size)
        pull = np.zeros_like(mean)
        total = np.zeros(mean.shape)
        for model, weight in enumerate(weights):
            if weight:
                information = np.asarray(self.statistics[model][name]).reshape(-1)[part]
                share = np.multiply(information, weight / self._norms[model], dtype=np.float64)
                if not (np.isfinite(share) & (share >= 0)).all():
                    raise ValueError(
                        "FisherMean needs statistics that are finite and at least zero. Got "
                        f"others for tensor {name!r} of model {model}. Give means of squared "
                        "gradients."
                    )
                pull += share * difference(arrays[model], mean)
                total += share
        total[total == 0] = 1.0
        return mean + pull / total

    @cached_property
    def _norms(self) -> list[float]:
        """What the information of each model is divided by."""
        if not self.normalise:
            return [1.0] * len(self.statistics)
        squares = [
            sum(float(np.sum(np.square(values, dtype=np.float64))) for values in model.values())
            for model in self.statistics
        ]
        return [square**0.5 or 1.0 for square in squares]

"""The network of the tabular estimators: an input layer that reads a table, and a plain MLP."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.utils import skip_init

__all__ = ["ACTIVATIONS", "InputLayer", "SeededDropout", "TabularNetwork", "initialise"]

ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
_EMBEDDING_WIDTH = 8
_UNKNOWN, _MISSING = -2, -1  # the codes of stackens.TabularEncoder


class InputLayer(nn.Module):
    """Turns a standardised table into features, without a weight for the numbers.

    A number gives two kinds of features. One is the number itself, bent smoothly towards ±3 so
    that no outlier takes over: ``x / sqrt(1 + (x / 3)^2)``. The others are its bins: each says
    how far through the bin x is, 0 below and 1 above, so that a linear map of them is any
    piecewise linear function. Codes of categories give a learnt vector each.

    Parameters
    ----------
    n_columns : int
        Columns of the table.
    edges : sequence of (int, array of shape (n_edges,))
        Position and rising bin edges of each column that has bins.
    categories : sequence of (int, int)
        Position and number of codes of each column of ordinal codes; they count from -2.

    References
    ----------
    Gorishniy, Rubachev & Babenko (2022), On Embeddings for Numerical Features in Tabular Deep
    Learning, section 3.2, arXiv:2203.05556. Holzmüller, Grinsztajn & Steinwart (2024), Better
    by Default, section 3, arXiv:2407.04491, for the smooth clipping.
    """

    def __init__(
        self,
        n_columns: int,
        edges: Sequence[tuple[int, np.ndarray]] = (),
        categories: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        coded = [position for position, _ in categories]
        numbers = [position for position in range(n_columns) if position not in set(coded)]
        left = np.concatenate([np.empty(0), *(cuts[:-1] for _, cuts in edges)])
        width = np.concatenate([np.empty(0), *(np.diff(cuts) for _, cuts in edges)])
        source = [position for position, cuts in edges for _ in cuts[1:]]
        sizes = [n_codes for _, n_codes in categories]
        # positions of the first code of each column in one table of all vectors
        starts = np.cumsum([0, *sizes])[: len(sizes)] - _UNKNOWN
        self._keep("numbers", numbers)
        self._keep("bin_source", source)
        self.register_buffer("bin_left", torch.tensor(left, dtype=torch.float32))
        self.register_buffer("bin_slope", torch.tensor(1 / width, dtype=torch.float32))
        self._keep("coded", coded)
        self._keep("code_starts", starts)
        self.vectors = skip_init(nn.Embedding, sum(sizes), _EMBEDDING_WIDTH) if sizes else None
        self.n_features = len(numbers) + len(source) + len(sizes) * _EMBEDDING_WIDTH

    def _keep(self, name: str, indices: Sequence[int] | np.ndarray) -> None:
        self.register_buffer(name, torch.tensor(np.asarray(indices, dtype=np.int64)))

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """Return the features of a table of shape (n_samples, n_columns)."""
        numbers = table if self.vectors is None else table.index_select(1, self.numbers)
        features = [numbers / torch.sqrt(1 + (numbers / 3).square())]
        if len(self.bin_source):
            into = table.index_select(1, self.bin_source) - self.bin_left
            features.append((into * self.bin_slope).clamp(0, 1))
        if self.vectors is not None:
            codes = table.index_select(1, self.coded).long() + self.code_starts
            features.append(self.vectors(codes).flatten(start_dim=1))
        return torch.cat(features, dim=1) if len(features) > 1 else features[0]


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own, so that no global state is touched.

    Parameters
    ----------
    rate : float, default=0.0
        Share of the features that are dropped in training.

    Attributes
    ----------
    generator : torch.Generator or None
        Where the draws come from; None is torch's global one.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Drop features in training mode, otherwise return them as they are."""
        if not self.training or self.rate == 0:
            return features
        drawn = torch.rand(features.shape, generator=self.generator, device=features.device)
        return features * (drawn >= self.rate) / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class TabularNetwork(nn.Module):
    """A multilayer perceptron behind an :class:`InputLayer`.

    Parameters
    ----------
    inputs : InputLayer
    hidden : sequence of int
        Units of the hidden layers.
    n_outputs : int
    activation : str
        One of ``ACTIVATIONS``.
    """

    def __init__(
        self,
        inputs: InputLayer,
        hidden: Sequence[int],
        n_outputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = inputs.n_features
        for units in hidden:
            # dropout also at a rate of zero: tensors then have the same names at every rate
            layers += [skip_init(nn.Linear, width, units), ACTIVATIONS[activation]()]
            layers.append(SeededDropout())
            width = units
        self.inputs = inputs
        self.layers = nn.Sequential(*layers, skip_init(nn.Linear, width, n_outputs))

    def set_dropout(self, rate: float, generator: torch.Generator | None = None) -> None:
        """Set the share of the hidden features dropped in training, and what draws them."""
        for part in self.layers:
            if isinstance(part, SeededDropout):
                part.rate = rate
                part.generator = generator

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """Return the outputs for an encoded table of shape (n_samples, n_columns)."""
        return self.layers(self.inputs(table))


@torch.no_grad()
def initialise(
    network: TabularNetwork, output_bias: np.ndarray, generator: torch.Generator
) -> None:
    """Draw the weights; the outputs are those of a constant model until something is learnt.

    Parameters
    ----------
    network : TabularNetwork
    output_bias : array of shape (n_outputs,)
        What the network says at first, such as the logarithms of the class frequencies.
    generator : torch.Generator
    """
    vectors = network.inputs.vectors
    if vectors is not None:
        bound = 1 / math.sqrt(_EMBEDDING_WIDTH)
        vectors.weight.uniform_(-bound, bound, generator=generator)
        # codes that no row may have had in training stay at zero
        for code in (_UNKNOWN, _MISSING):
            vectors.weight[network.inputs.code_starts + code] = 0
    *hidden, output = [part for part in network.layers if isinstance(part, nn.Linear)]
    for part in hidden:
        bound = 1 / math.sqrt(part.in_features)
        part.weight.uniform_(-bound, bound, generator=generator)
        part.bias.uniform_(-bound, bound, generator=generator)
    output.weight.zero_()
    output.bias.copy_(torch.from_numpy(np.asarray(output_bias)))

"""Mixing weights learnt by the chain rule, while the networks that are mixed stay frozen.

One step merges the sources into the network in place, runs one forward and one backward pass,
and takes the scalar product of the gradient with each source. No graph goes through the merge,
so memory does not grow with the number of sources, which may stay on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["MemorySource", "MixedNetwork", "Source"]

# Elements that are merged at once: bounds the memory beside the network and its gradient.
_CHUNK = 1 << 18


class Source(Protocol):
    """The frozen tensors of one network."""

    def chunk(self, name: str, start: int, stop: int) -> Any:
        """Return elements of a flattened tensor, for use until the next call.

        Parameters
        ----------
        name : str
        start, stop : int
            At most 2^18 elements.

        Returns
        -------
        torch.Tensor of shape (stop - start,)
        """
        ...


class MemorySource:
    """Tensors in memory, which are not copied."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._flat = {name: tensor.detach().reshape(-1) for name, tensor in tensors.items()}

    def chunk(self, name: str, start: int, stop: int) -> Any:
        """Return a view."""
        return self._flat[name][start:stop]


class MixedNetwork:
    """A network whose tensors are mixtures of frozen ones.

    Parameters
    ----------
    network : callable
        The network; is changed.
    tensors : dict of str -> torch.Tensor
        Its tensors that are mixed, to be written in place.
    sources : sequence of Source
        The frozen tensors.
    groups : dict of str -> list of str
        Names of the tensors that share their weights.
    """

    def __init__(
        self,
        network: Any,
        tensors: Mapping[str, Any],
        sources: Sequence[Source],
        groups: Mapping[str, list[str]],
    ) -> None:
        self.network = network
        self.shape = len(groups), len(sources)
        self._tensors = tensors
        self._sources = sources
        self._groups = list(groups.values())
        self._totals: dict[Any, Any] = {}
        for tensor in tensors.values():
            tensor.data = tensor.data.contiguous()  # so that pieces of it can be written
        # Masks: infinities that all sources share stay, whatever the weights.
        self._masks = {
            name
            for name, tensor in tensors.items()
            if any(_has_infinity(next(parts)) for _, parts in self._pieces(name, tensor))
        }

    def set_weights(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64], *, last: bool = False
    ) -> None:
        """Merge the sources in place.

        Parameters
        ----------
        weights : array of shape (n_groups, n_models)
        bias : array of shape (n_groups,)
            Is added to every number of the group's tensors.
        last : bool, default=False
            Sum in double precision, for the weights that are kept.
        """
        import torch

        with torch.no_grad():
            for group, names in enumerate(self._groups):
                for name in names:
                    tensor = self._tensors[name]
                    wide = torch.promote_types(
                        tensor.dtype, torch.float64 if last else torch.float32
                    )
                    flat = tensor.detach().view(-1)
                    for piece, sources in self._pieces(name, flat):
                        total = self._scratch(piece, wide).fill_(float(bias[group]))
                        for weight, source in zip(weights[group], sources, strict=True):
                            if weight:
                                total.add_(source.to(total.device, wide), alpha=float(weight))
                            if name in self._masks:
                                mask = source.to(total.device, wide)
                                torch.where(mask.isinf(), mask, total, out=total)
                        piece.copy_(total)

    def slopes(self, loss: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the derivatives of a loss by the weights (n_groups, n_models) and the biases."""
        import torch

        loss.backward()
        by_weight = np.zeros(self.shape)
        by_bias = np.zeros(self.shape[0])
        for group, names in enumerate(self._groups):
            for name in names:
                gradient, self._tensors[name].grad = self._tensors[name].grad, None
                if gradient is None:  # a buffer, or a parameter without part in the loss
                    continue
                wide = torch.promote_types(gradient.dtype, torch.float32)
                for piece, sources in self._pieces(name, gradient):
                    piece = piece.to(wide)
                    by_bias[group] += float(piece.real.sum())
                    for model, source in enumerate(sources):
                        source = source.to(piece.device, wide)
                        if name in self._masks:
                            piece = piece.masked_fill(source.isinf(), 0)
                            source = source.masked_fill(source.isinf(), 0)
                        product = float(torch.vdot(piece, source).real)
                        if not np.isfinite(product) and bool(piece.isfinite().all()):
                            raise ValueError(
                                "Networks must be finite to be mixed. Got NaN or infinite values "
                                f"of tensor {name!r} in model number {model}, counted from 0. "
                                "Leave it out: its training has failed."
                            )
                        by_weight[group, model] += product
        return by_weight, by_bias

    def _scratch(self, piece: Any, dtype: Any) -> Any:
        """Return memory for a sum; allocated once, since a heap in pieces holds twice as much."""
        key = dtype, piece.device
        if key not in self._totals:
            self._totals[key] = piece.new_empty(_CHUNK, dtype=dtype)
        return self._totals[key][: len(piece)]

    def _pieces(self, name: str, flat: Any) -> Iterator[tuple[Any, Iterator[Any]]]:
        """Yield pieces of a tensor, each with the same piece of the sources."""
        flat = flat.reshape(-1)
        for start in range(0, flat.numel(), _CHUNK):
            stop = min(start + _CHUNK, flat.numel())
            yield (
                flat[start:stop],
                (source.chunk(name, start, stop) for source in self._sources),
            )


def _has_infinity(tensor: Any) -> bool:
    # torch does not look for infinities in formats of 8 bits
    return bool((tensor.float() if tensor.dtype.itemsize == 1 else tensor).isinf().any())

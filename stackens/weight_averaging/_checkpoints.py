"""Models, state dicts and files of one architecture, opened one at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging._running import RunningSums, plan_sums
from stackens.weight_averaging.adapters import Adapter, Arrays, adapter_of, alike, is_tensor
from stackens.weight_averaging.files._checkpoint import (
    Checkpoint,
    open_checkpoint,
    with_names_of,
)
from stackens.weight_averaging.rules import check_same

__all__ = ["Checkpoints", "labelled", "running_averages", "with_tied"]


def labelled(models: Iterable[Any] | Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """Return what models are called, and the models: a list, or a dict from names to models.

    Raises
    ------
    TypeError
        If this is one model rather than several.
    ValueError
        If there is none.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(models, torch.nn.Sequential):  # its layers are no models
        raise TypeError(
            "Averaging takes a list of models. Got one torch.nn.Sequential. Put the models into a "
            "list."
        )
    if isinstance(models, Mapping):
        labels, listed = [str(name) for name in models], list(models.values())
    elif isinstance(models, Iterable) and not isinstance(models, str | bytes):
        listed = list(models)
        labels = [f"model {i}" for i in range(len(listed))]
    else:
        raise TypeError(
            f"Averaging takes a list of models. Got a {type(models).__name__}. Put the models "
            "into a list."
        )
    if any(map(is_tensor, listed)):
        raise TypeError(
            "Averaging takes several models. Got the tensors of one. Put the dicts or lists of "
            "tensors of all models into a list."
        )
    if not listed:
        raise ValueError("Averaging takes at least one model. Got none. Give a list of models.")
    return labels, listed


class Checkpoints:
    """Opens checkpoints that belong together, and makes models of what is computed from them.

    Parameters
    ----------
    network : object or None, default=None
        The model that state dicts and files belong to. With it, models are copies of it; without
        it, of the first checkpoint that is opened.
    key : str or None, default=None
        Where the weights are in a file of torch.
    """

    def __init__(self, network: Any = None, key: str | None = None) -> None:
        self._network = network
        self._key = key
        self._first: Any = None
        self._label = ""
        self._header: Checkpoint | None = None  # of the first file
        self._kind: Adapter
        self._target: Adapter
        self._working: Any

    def open(self, checkpoint: Any, label: str) -> tuple[Any, Arrays]:
        """Return what can be evaluated, and its arrays, after a comparison with the first.

        With a ``network``, what can be evaluated is only valid until the next call.
        """
        if isinstance(checkpoint, str | os.PathLike):
            checkpoint = self._read(Path(checkpoint))
        if self._network is not None and isinstance(checkpoint, Mapping):
            network = adapter_of(self._network).tensors(self._network, self._network)
            checkpoint = with_tied(checkpoint, network)
        if self._first is None:
            self._begin(checkpoint, label)
        models, labels = [self._first, checkpoint], [self._label, label]
        arrays = alike(self._kind, models, labels, self._first)[1]
        if self._network is not None:
            return self.written(arrays.items()), arrays
        return checkpoint, arrays

    def _read(self, path: Path) -> Any:
        """Return the arrays in a file by name; or a Keras network that has read it itself."""
        if hasattr(self._network, "load_weights"):
            network = adapter_of(self._network).copy(self._network)
            network.load_weights(path)
            return network
        opened = open_checkpoint(path, key=self._key)
        self._header = self._header or opened
        named = with_names_of(self._header, opened).tensors
        return {name: np.asarray(tensor) for name, tensor in named.items()}

    def _begin(self, checkpoint: Any, label: str) -> None:
        self._kind = adapter_of(checkpoint)
        own = self._kind.tensors(checkpoint, checkpoint)
        self._target, template = self._kind, checkpoint
        if self._network is not None:
            self._target, template = adapter_of(self._network), self._network
            wanted = self._target.tensors(template, template)
            check_same([_shapes(wanted), _shapes(own)], ["the network", label])
        self._first, self._label = checkpoint, label
        self._working = self._target.copy(template)

    def written(self, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        """Return a model with these arrays; it is overwritten by the next call."""
        return self._target.write(self._working, arrays)

    def kept(self, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        """Return a model with these arrays that stays as it is."""
        return self._target.write(self._target.copy(self._working), arrays)


def with_tied(state: Mapping[str, Any], network: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors under all the names that they have in a network.

    Files of Hugging Face keep one of the names of tied weights.
    """
    tied: dict[int, list[str]] = {}
    for name, tensor in network.items():
        tied.setdefault(id(tensor), []).append(name)
    found = dict(state)
    for names in tied.values():
        kept = next((name for name in names if name in state), None)
        if kept is not None:
            found.update({name: state[kept] for name in names if name not in state})
    return found


def running_averages(
    opened: Checkpoints,
    models: Sequence[Any],
    labels: Sequence[str],
    rows: Sequence[NDArray[np.float64]],
) -> Iterator[tuple[Any, dict[int, Iterator[tuple[str, NDArray]]]]]:
    """Read models once, in order, and yield averages of the first n of them.

    Parameters
    ----------
    opened : Checkpoints
    models : sequence
    labels : sequence of str
        What the models are called in errors.
    rows : sequence of arrays
        The weights of each average, one for each of the first models.

    Yields
    ------
    alone : object
        Model n, see :meth:`Checkpoints.open`.
    averages : dict of int to iterator of (str, array)
        For each row of length n its place in ``rows`` and the arrays; computed when they are asked
        for, before the next model.
    """
    kept, recipes = plan_sums(rows)
    sums = RunningSums(len(kept))
    for n, (model, label) in enumerate(zip(models, labels, strict=True), start=1):
        alone, arrays = opened.open(model, label)
        sums.add(arrays, [rows[k][n - 1] if len(rows[k]) >= n else 0.0 for k in kept], label)
        places = [j for j, row in enumerate(rows) if len(row) == n]
        yield alone, {j: sums.mixed(*recipes[j], arrays, integers="first") for j in places}


def _shapes(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors without types: a network may be wider than its file."""
    return {
        name: SimpleNamespace(shape=tuple(tensor.shape), dtype="any")
        for name, tensor in tensors.items()
    }

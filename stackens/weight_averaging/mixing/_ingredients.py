"""The networks to be mixed, seen as named tensors in memory or in files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging._checkpoints import with_tied
from stackens.weight_averaging.adapters import adapter_of, alike, to_array
from stackens.weight_averaging.files._sources import OpenFiles
from stackens.weight_averaging.mixing._file_source import FileSource
from stackens.weight_averaging.mixing._gradient import MemorySource, Source
from stackens.weight_averaging.rules import (
    check_finite,
    check_not_quantised,
    check_same,
    weighted_sum,
)

__all__ = ["Ingredients"]


class Ingredients:
    """Networks of one architecture; a context in which files of theirs are open.

    Parameters
    ----------
    models : sequence, or dict of name -> model
        Models of any kind that can be averaged, or paths of checkpoints.
    network : object or None
        The model that state dicts and checkpoints belong to.
    key : str or None
        Where the weights are in a file of torch.

    Attributes
    ----------
    names : list of str
        What the models are called.
    mixed_names : list of str
        Names of the tensors that are mixed: floating-point or complex, tied ones once.
    """

    def __init__(
        self,
        models: Sequence[Any] | Mapping[str, Any],
        network: Any = None,
        key: str | None = None,
    ) -> None:
        if not isinstance(models, Mapping):
            models = {f"model {number}": model for number, model in enumerate(models)}
        named = {str(name): model for name, model in models.items()}
        if len(named) < 2:
            raise ValueError(
                f"Mixing takes at least two models. Got {len(named)}. Pass a list of them."
            )
        self.names = list(named)
        self._files = OpenFiles()
        self._scratch: dict[Any, Any] = {}
        newest = list(named.values())[-1]
        if network is None and isinstance(newest, str | os.PathLike):
            raise ValueError(
                "Checkpoints need the network that they belong to. Got paths and no 'network'. "
                "Pass network=, built as in training."
            )
        self._like = newest if network is None else network
        self._adapter = adapter_of(self._like)
        own = self._adapter.tensors(self._like, self._like)
        if network is None:
            found = alike(self._adapter, list(named.values()), self.names, self._like)
            self._states: list[Any] = [arrays.tensors for arrays in found]
        else:
            self._states = [self._state(model, key, own) for model in named.values()]
            states = [self._tensors(state) for state in self._states]
            check_same(states, self.names)
            check_not_quantised(states, self.names, to_array)
            check_same([_shapes(own), _shapes(states[0])], ["the network", self.names[0]])
        tied: dict[int, list[str]] = {}
        for name, tensor in own.items():
            if _is_mixed(tensor):
                tied.setdefault(id(tensor), []).append(name)
        self._tied = {names[0]: names for names in tied.values()}
        self.mixed_names = list(self._tied)
        in_memory = {
            label: state
            for label, state in zip(self.names, self._states, strict=True)
            if not isinstance(state, FileSource)
        }
        for name in self.mixed_names:
            check_finite(
                [to_array(state[name]) for state in in_memory.values()], name, list(in_memory)
            )
        for label, state in zip(self.names, self._states, strict=True):
            if isinstance(state, FileSource):
                first = self._tensors(self._states[0])
                state.check(self.mixed_names, label, first, self.names[0])

    def __enter__(self) -> Ingredients:
        return self

    def __exit__(self, *error: object) -> None:
        self._files.__exit__(*error)

    def _state(self, model: Any, key: str | None, own: Mapping[str, Any]) -> Any:
        if isinstance(model, str | os.PathLike):
            source = FileSource(model, self._files, self._scratch, key)
            source.tensors = with_tied(source.tensors, own)
            return source
        return with_tied(adapter_of(model).tensors(model, self._like), own)

    @staticmethod
    def _tensors(state: Any) -> Mapping[str, Any]:
        return state.tensors if isinstance(state, FileSource) else state

    def copy(self) -> tuple[Any, dict[str, Any]]:
        """Return a model that may be changed, and those of its tensors that are mixed."""
        model = self._copied()
        tensors = self._adapter.tensors(model, model)
        return model, {name: tensors[name] for name in self.mixed_names}

    def sources(self) -> list[Source]:
        """Return the frozen tensors for learning by gradient."""
        return [
            state
            if isinstance(state, FileSource)
            else MemorySource({name: state[name] for name in self.mixed_names})
            for state in self._states
        ]

    def merge(self, weights: NDArray[np.float64], groups: Mapping[str, list[str]]) -> Any:
        """Return a new model, mixed with weights of shape (n_groups, n_models)."""
        states = [self._tensors(state) for state in self._states]
        arrays = (
            (alias, weighted_sum([to_array(state[name]) for state in states], row))
            for row, names in zip(weights, groups.values(), strict=True)
            for name in names
            for alias in self._tied[name]
        )
        return self._adapter.write(self._copied(), arrays)

    def _copied(self) -> Any:
        """Return a copy of the network, with what is not mixed as in the newest model."""
        mixed = {alias for names in self._tied.values() for alias in names}
        newest = self._tensors(self._states[-1])
        kept = ((name, to_array(newest[name])) for name in newest if name not in mixed)
        return self._adapter.write(self._adapter.copy(self._like), kept)


def _is_mixed(tensor: Any) -> bool:
    return to_array(tensor).dtype.kind in "fc"


def _shapes(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors without types, which networks and files name differently."""
    return {
        name: SimpleNamespace(shape=tuple(tensor.shape), dtype="any")
        for name, tensor in tensors.items()
    }

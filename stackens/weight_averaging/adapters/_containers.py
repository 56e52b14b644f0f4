"""Weights without a model around them: dicts of tensors, as state dicts, and lists of arrays."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._values import from_array, is_tensor, to_array

__all__ = ["EXTRA_STATE", "ListAdapter", "MappingAdapter", "canonical_names"]

EXTRA_STATE = "_extra_state"  # what torch modules store beside their tensors, of any type


def canonical_names(names: Iterable[str]) -> dict[str, str]:
    """Return the names without what wrappers put in front, -> the names as given.

    ``torch.compile`` adds ``_orig_mod.`` wherever it was applied, ``DataParallel`` a leading
    ``module.`` to all names.
    """
    names = list(names)
    plain = [name.replace("_orig_mod.", "") for name in names]
    while plain and all(name.startswith("module.") for name in plain):
        plain = [name.removeprefix("module.") for name in plain]
    return dict(zip(plain, names, strict=True))


class MappingAdapter(Adapter):
    """Dicts from names to numpy arrays or torch tensors, such as state dicts.

    The result is a dict of the same class with the same attributes (the ``_metadata`` of a torch
    state dict). Names that share a tensor go on sharing one.
    """

    kind = "dicts of tensors"

    def accepts(self, model: Any) -> bool:
        return isinstance(model, Mapping)

    def tensors(self, model: Mapping[str, Any], like: Any) -> dict[str, Any]:
        if not all(isinstance(name, str) for name in model):
            raise TypeError(
                "The names of tensors must be text. Got a dict with other keys. Give a dict from "
                "names to arrays."
            )
        odd = {
            name: value
            for name, value in model.items()
            if not is_tensor(value) and not name.endswith(EXTRA_STATE)
        }
        nested = [name for name, value in odd.items() if isinstance(value, Mapping)]
        if nested:
            raise TypeError(
                f"A dict of tensors must not hold dicts. Got one under {nested}, as in a whole "
                f"training checkpoint. Give the weights alone, such as "
                f"checkpoint[{nested[0]!r}]."
            )
        if odd or not model:
            listed = (f"{name!r} ({type(value).__name__})" for name, value in odd.items())
            found = ", ".join(listed) or "no tensors at all"
            raise TypeError(
                f"A dict of tensors must hold numpy arrays or torch tensors. Got {found}. "
                "Leave out whatever is not a weight."
            )
        names = canonical_names(model).items()
        return {plain: model[name] for plain, name in names if is_tensor(model[name])}

    def copy(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """Return a dict of its own, whose tensors are still shared: writing replaces them."""
        return copy.copy(model) if isinstance(model, dict) else dict(model)

    def write(self, model: dict[str, Any], arrays: Iterable[tuple[str, NDArray]]) -> dict[str, Any]:
        names = canonical_names(model)
        first_of: dict[Any, str] = {}
        before = dict(model)
        for plain, array in arrays:
            name = names[plain]
            first = first_of.setdefault(_memory(before[name]), name)
            if first == name:
                model[name] = from_array(array, like=before[name])
            elif np.array_equal(to_array(model[first]), to_array(from_array(array, before[name]))):
                model[name] = model[first]
            else:
                raise ValueError(
                    f"{first!r} and {name!r} share one tensor in the model whose copy holds the "
                    "result, but their averages differ. Tie them in all models or in none, and "
                    "give them the same weights."
                )
        return model


class ListAdapter(Adapter):
    """Lists or tuples of arrays, such as ``model.get_weights()`` of Keras; named "0", "1", ..."""

    kind = "lists of arrays"

    def accepts(self, model: Any) -> bool:
        return isinstance(model, list | tuple) and bool(model) and all(map(is_tensor, model))

    def tensors(self, model: Any, like: Any) -> dict[str, Any]:
        return {str(i): tensor for i, tensor in enumerate(model)}

    def copy(self, model: Any) -> list:
        """Return the list itself: writing makes a new one."""
        return model

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        written = list(model)
        for name, array in arrays:
            written[int(name)] = from_array(array, like=model[int(name)])
        return type(model)(written)


def _memory(tensor: Any) -> Any:
    """Return what two names of one and the same tensor have in common."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor) and tensor.numel():
        return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
    return id(tensor)

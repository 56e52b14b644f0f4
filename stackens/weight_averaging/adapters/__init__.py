"""Models of any framework as named tensors, and back: all that averaging knows of frameworks."""

from __future__ import annotations

import os
from typing import Any

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._alike import Arrays, alike
from stackens.weight_averaging.adapters._containers import ListAdapter, MappingAdapter
from stackens.weight_averaging.adapters._keras import KerasAdapter
from stackens.weight_averaging.adapters._linear import LinearAdapter
from stackens.weight_averaging.adapters._mlp import MLPAdapter
from stackens.weight_averaging.adapters._pipeline import PipelineAdapter
from stackens.weight_averaging.adapters._torch import TorchAdapter
from stackens.weight_averaging.adapters._torch_mlp import TorchMLPAdapter
from stackens.weight_averaging.adapters._values import (
    from_array,
    is_tensor,
    to_array,
)

__all__ = [
    "Adapter",
    "Arrays",
    "adapter_of",
    "alike",
    "find_adapter",
    "from_array",
    "is_tensor",
    "to_array",
]

_ESTIMATORS = (LinearAdapter(), MLPAdapter(), TorchMLPAdapter())
_ADAPTERS: tuple[Adapter, ...] = (
    KerasAdapter(),  # before torch: with that backend its models are torch modules, too
    TorchAdapter(),
    MappingAdapter(),
    ListAdapter(),
    *_ESTIMATORS,
    PipelineAdapter(_ESTIMATORS),
)


def find_adapter(model: Any) -> Adapter | None:
    """Return the adapter for this kind of model, or None."""
    return next((adapter for adapter in _ADAPTERS if adapter.accepts(model)), None)


def adapter_of(model: Any) -> Adapter:
    """Return the adapter for this kind of model.

    Raises
    ------
    TypeError
        If the weights of such a model have no mean that would be a model.
    """
    adapter = find_adapter(model)
    if isinstance(model, str | os.PathLike):
        raise TypeError(
            f"A model was expected. Got the path {os.fspath(model)!r}. Files are averaged by "
            "average_checkpoints, or read by read_checkpoint."
        )
    if adapter is None:
        raise TypeError(
            "Weights can be averaged of torch modules, Keras models, dicts and lists of arrays, "
            "and of scikit-learn's linear models and MLPs, alone or as the last step of a "
            f"pipeline. Got a {type(model).__name__}. Models without common weights, such as trees "
            "or neighbours, can be blended: see BlendedClassifier and BlendedRegressor."
        )
    return adapter

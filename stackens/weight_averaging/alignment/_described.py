"""What is known of a network before it is aligned: its symmetry, and how to run it on examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from stackens.weight_averaging.adapters import adapter_of
from stackens.weight_averaging.adapters._keras import KerasAdapter
from stackens.weight_averaging.adapters._mlp import MLPAdapter
from stackens.weight_averaging.adapters._torch import TorchAdapter
from stackens.weight_averaging.adapters._torch_mlp import TorchMLPAdapter
from stackens.weight_averaging.alignment._by_hand import symmetry_from
from stackens.weight_averaging.alignment._outputs import (
    Outputs,
    keras_outputs,
    mlp_outputs,
    torch_outputs,
)
from stackens.weight_averaging.alignment._scikit_learn import mlp_symmetry
from stackens.weight_averaging.alignment._symmetry import Symmetry

__all__ = ["Described", "described"]

_STATISTICS = ("moving_mean", "moving_variance")  # what Keras calls them


@dataclass(frozen=True)
class Described:
    """A network as alignment sees it.

    Parameters
    ----------
    symmetry : Symmetry
        Not verified yet.
    outputs : callable or None
        Runs the network with given tensors; None where there is nothing to run.
    statistics : frozenset of str
        Tensors that follow from the data, such as running means: they move, but do not count.
    """

    symmetry: Symmetry
    outputs: Outputs | None = None
    statistics: frozenset[str] = frozenset()


def described(
    model: Any, arrays: Mapping[str, NDArray], example: Any, spec: Symmetry | Mapping | None
) -> Described:
    """Find out what may be changed in a model.

    Parameters
    ----------
    model : model
        Of any kind that has an adapter.
    arrays : dict of str to array
        Its tensors.
    example : inputs or None
        As for :func:`stackens.weight_averaging.align`.
    spec : Symmetry, dict or None
        The symmetry, if it is known.

    Raises
    ------
    ValueError
        If neither the model nor ``spec`` tells, or an example is missing.
    """
    if isinstance(model, Pipeline):
        rows = None if example is None else model[:-1].transform(example)
        return described(model[-1], arrays, rows, spec)
    adapter = adapter_of(model)
    if isinstance(adapter, TorchMLPAdapter):
        rows = None if example is None else _encoded(model, example)
        return described(model.module_, arrays, rows, spec)
    shapes = {name: array.shape for name, array in arrays.items()}
    known = symmetry_from(spec, shapes) if isinstance(spec, Mapping) else spec
    if isinstance(adapter, MLPAdapter):
        if example is None:
            example = np.random.default_rng(0).normal(size=(64, model.coefs_[0].shape[0]))
        found = mlp_symmetry(model) if known is None else known
        return Described(found, mlp_outputs(model, np.asarray(example, np.float64)))
    if isinstance(adapter, KerasAdapter | TorchAdapter) and not isinstance(model, Mapping):
        return _network(model, adapter, arrays, example, known)
    if known is not None:
        return Described(known)
    if hasattr(model, "fit"):
        return Described(Symmetry({}, {}))  # a linear model has no hidden units
    raise ValueError(
        "The symmetry of a network must be known. Got tensors without a network "
        f"({type(model).__name__}). Give the models themselves, or symmetry=, a dictionary from "
        "names of tensors to names of units along each axis."
    )


def _network(
    model: Any, adapter: Any, arrays: Mapping[str, NDArray], example: Any, known: Symmetry | None
) -> Described:
    """Describe a network of torch or Keras."""
    if example is None:
        raise ValueError(
            "Networks are followed and checked on example inputs. Got example=None. Give inputs "
            "as for a call of the network, such as a few rows: example=x."
        )
    if isinstance(adapter, KerasAdapter):
        from stackens.weight_averaging.alignment._keras import keras_symmetry

        names = dict(zip(arrays, model.weights, strict=True))
        fixed = frozenset(name for name, weight in names.items() if weight.name in _STATISTICS)
        found = keras_symmetry(model) if known is None else known
        return Described(found, keras_outputs(model, example), fixed)
    from stackens.neural._modules import unwrapped
    from stackens.weight_averaging.alignment._torch import torch_symmetry

    module = unwrapped(model)
    found = torch_symmetry(module, example) if known is None else known
    fixed = frozenset(name for name, _ in module.named_buffers())
    return Described(found, torch_outputs(module, example), fixed)


def _encoded(model: Any, example: Any) -> Any:
    """Return rows as the network behind the encoder of a TorchMLP gets them."""
    from stackens.neural._table import encoded

    return encoded(model.encoder_, example)

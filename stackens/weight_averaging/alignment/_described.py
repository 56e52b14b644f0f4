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
from stackens.weight_averaging.alignment._activations import (
    Answers,
    mlp_answers,
    torch_answers,
)
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
    answers : callable or None
        Runs networks with given tensors on the rows by which units are to be matched; None where
        there are no rows, or no units.
    """

    symmetry: Symmetry
    outputs: Outputs | None = None
    statistics: frozenset[str] = frozenset()
    answers: Answers | None = None


def described(
    model: Any,
    arrays: Mapping[str, NDArray],
    example: Any,
    spec: Symmetry | Mapping | None,
    rows: Any = None,
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
    rows : inputs or None, default=None
        By what is answered to them units are to be matched.

    Raises
    ------
    ValueError
        If neither the model nor ``spec`` tells, an example is missing, or there are rows for a
        network that they cannot be run through.
    """
    if isinstance(model, Pipeline):
        example, rows = (None if x is None else model[:-1].transform(x) for x in (example, rows))
        return described(model[-1], arrays, example, spec, rows)
    adapter = adapter_of(model)
    if isinstance(adapter, TorchMLPAdapter):
        example, rows = (None if x is None else _encoded(model, x) for x in (example, rows))
        return described(model.module_, arrays, example, spec, rows)
    is_torch = isinstance(adapter, TorchAdapter) and not isinstance(model, Mapping)
    is_keras = isinstance(adapter, KerasAdapter)
    can_answer = is_torch or (hasattr(model, "fit") and not is_keras)
    if rows is not None and (spec is not None or not can_answer):
        raise ValueError(
            "By activations the units of networks of torch and scikit-learn are matched, where no "
            f"symmetry= is given. Got a {type(model).__name__}"
            + ("" if spec is None else " and a symmetry")
            + ". Leave out activations=: units are then matched by their weights."
        )
    shapes = {name: array.shape for name, array in arrays.items()}
    known = symmetry_from(spec, shapes) if isinstance(spec, Mapping) else spec
    if isinstance(adapter, MLPAdapter):
        if example is None:
            example = np.random.default_rng(0).normal(size=(64, model.coefs_[0].shape[0]))
        found = mlp_symmetry(model) if known is None else known
        answers = None if rows is None else mlp_answers(model, rows)
        return Described(
            found, mlp_outputs(model, np.asarray(example, np.float64)), answers=answers
        )
    if is_torch or is_keras:
        return _network(model, adapter, arrays, example, known, rows)
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
    model: Any,
    adapter: Any,
    arrays: Mapping[str, NDArray],
    example: Any,
    known: Symmetry | None,
    rows: Any,
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
    answers = None if rows is None else torch_answers(module, rows)
    return Described(found, torch_outputs(module, example), fixed, answers)


def _encoded(model: Any, example: Any) -> Any:
    """Return rows as the network behind the encoder of a TorchMLP gets them."""
    from stackens.neural._table import encoded

    return encoded(model.encoder_, example)

"""What is known of a network before it is aligned: its symmetry, and how to run it on examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from stackens.weight_averaging.adapters import adapter_of
from stackens.weight_averaging.adapters._containers import canonical_names
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
    run : callable or None
        ``run(model)``, for a model of the same kind, is a function from tensors to what the model
        computes with them from the example; None where there is nothing to run.
    statistics : frozenset of str
        Tensors that follow from the data, such as running means: they move, but do not count.
    answers : callable or None
        Runs networks with given tensors on the rows by which units are to be matched; None where
        there are no rows, or no units.
    """

    symmetry: Symmetry
    run: Callable[[Any], Outputs] | None = None
    statistics: frozenset[str] = frozenset()
    answers: Answers | None = None


def described(
    model: Any,
    arrays: Mapping[str, NDArray],
    example: Any,
    spec: Symmetry | Mapping | None,
    rows: Any = None,
    others: Sequence[Mapping[str, NDArray]] = (),
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
    others : sequence of dict of str to array, default=()
        Tensors of the models that it is to be aligned with. Buffers of torch that all have in
        common, such as encodings of positions, stay as they are.

    Raises
    ------
    ValueError
        If neither the model nor ``spec`` tells, an example is missing, or there are rows for a
        network that they cannot be run through.
    """
    if isinstance(model, Pipeline):
        example, rows = (None if x is None else model[:-1].transform(x) for x in (example, rows))
        return _inside(
            lambda one: one[-1], described(model[-1], arrays, example, spec, rows, others)
        )
    adapter = adapter_of(model)
    if isinstance(adapter, TorchMLPAdapter):
        example, rows = (None if x is None else _encoded(model, x) for x in (example, rows))
        known = described(model.module_, arrays, example, spec, rows, others)
        return _inside(lambda one: one.module_, known)
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
    given = symmetry_from(spec, shapes) if isinstance(spec, Mapping) else spec
    if isinstance(adapter, MLPAdapter):
        if example is None:
            example = np.random.default_rng(0).normal(size=(64, model.coefs_[0].shape[0]))
        found = mlp_symmetry(model) if given is None else given
        answers = None if rows is None else mlp_answers(model, rows)
        inputs = np.asarray(example, np.float64)
        if inputs.ndim != 2 or not len(inputs) or inputs.shape[1] != len(model.coefs_[0]):
            raise ValueError(
                f"The example must be rows of {len(model.coefs_[0])} features. Got an array of "
                f"shape {inputs.shape}. Give rows as for predict, or none."
            )
        return Described(found, lambda one: mlp_outputs(one, inputs), answers=answers)
    if is_torch or is_keras:
        return _network(model, adapter, arrays, example, given, rows, others)
    if given is not None:
        return Described(given)
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
    others: Sequence[Mapping[str, NDArray]],
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
        return Described(found, lambda one: keras_outputs(one, example), fixed)
    from stackens.neural._modules import unwrapped
    from stackens.weight_averaging.alignment._torch import torch_symmetry

    module = unwrapped(model)
    names = canonical_names(module.state_dict())
    buffers = dict(module.named_buffers(remove_duplicate=False))
    fixed = frozenset(name for name, own in names.items() if own in buffers)
    # Running statistics go with the weights, and are equal only by chance.
    common = {
        name
        for name in fixed & arrays.keys()
        if others and not name.rpartition(".")[2].startswith("running_")
        if all(np.array_equal(arrays[name], other[name]) for other in others)
    }
    found = torch_symmetry(module, example, common) if known is None else known
    answers = None if rows is None else torch_answers(module, rows, common)
    return Described(found, lambda one: torch_outputs(unwrapped(one), example), fixed, answers)


def _inside(part: Callable[[Any], Any], known: Described) -> Described:
    """Return what is known of the networks inside of models, in terms of the models."""
    run = known.run
    return known if run is None else replace(known, run=lambda one: run(part(one)))


def _encoded(model: Any, example: Any) -> Any:
    """Return rows as the network behind the encoder of a TorchMLP gets them."""
    from stackens.neural._table import encoded

    return encoded(model.encoder_, example)

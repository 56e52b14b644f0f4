"""Checks before anything is averaged: the same tensors in all models, no NaN, no quantised ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_finite", "check_not_quantised", "check_same", "model_labels"]

_MOST_LABELS = 5

# Quantised weights under the names that GPTQ, AWQ, bitsandbytes, compressed-tensors, fp8 and MXFP4
# checkpoints and Keras give them: a matrix of few bits, and beside it what to multiply it by.
_FEW_BITS = re.compile(r"(torch\.)?(u?int(8|32)|float8_\w+)$")
_BUFFERS = re.compile(r"mask|index|idx|ids$")  # whole numbers for what they are, scale or not
_SCALES = ("scale", "scales", "scale_weight", "SCB", "absmax")


def check_same(states: Sequence[Mapping[str, Any]], labels: Sequence[str] | None = None) -> None:
    """Raise one error that lists all differences in names, shapes and types.

    Parameters
    ----------
    states : sequence of mapping of str to array-like
        One for each model. Only ``shape`` and ``dtype`` of the values are looked at, so headers
        of files do as well.
    labels : sequence of str or None, default=None
        What the models are called in the error; ``"model 0"``, ``"model 1"``, ... when None.

    Raises
    ------
    ValueError
        If there are no models, or they differ.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.check_same([{"w": np.zeros(3)}, {"w": np.zeros(4), "b": np.zeros(1)}])
    Traceback (most recent call last):
        ...
    ValueError: Models must have the same tensors to be averaged. Got 2 differences:
      'w': shape (3,) in model 0; (4,) in model 1
      'b': missing in model 0
    Give models of one architecture, or leave out the tensors that differ.
    """
    if not states:
        raise ValueError("There must be at least one model to average. Got none. Give some.")
    called = model_labels(labels, len(states))
    differences, only_types = [], True
    for name in dict.fromkeys(name for state in states for name in state):
        missing = [label for label, state in zip(called, states, strict=True) if name not in state]
        if missing:
            differences.append(f"{name!r}: missing in {_listed(missing)}")
            only_types = False
        for attribute in ("shape", "dtype"):
            having: dict[str, list[str]] = {}
            for label, state in zip(called, states, strict=True):
                if name in state:
                    value = getattr(state[name], attribute)
                    # tensors in files have the same formats under plain names
                    shown = str(tuple(value) if attribute == "shape" else value)
                    shown = shown.removeprefix("torch.")
                    having.setdefault(shown, []).append(label)
            if len(having) > 1:
                parts = [f"{value} in {_listed(models)}" for value, models in having.items()]
                differences.append(f"{name!r}: {attribute} {'; '.join(parts)}")
                only_types &= attribute == "dtype"
    if differences:
        count = len(differences)
        advice = (
            "Convert the models to one dtype."
            if only_types
            else "Give models of one architecture, or leave out the tensors that differ."
        )
        raise ValueError(
            "Models must have the same tensors to be averaged. Got "
            f"{count} difference{'s' * (count > 1)}:\n  " + "\n  ".join(differences) + "\n" + advice
        )


def check_not_quantised(
    states: Sequence[Mapping[str, Any]],
    labels: Sequence[str] | None = None,
    read: Callable[[Any], NDArray] = np.asarray,
) -> None:
    """Raise if quantised weights differ between models: numbers that count only with their scales.

    The mean of products is not the product of means, and integers are not averaged at all, so a
    result would belong to no model. Where all models share them, as adapters of one frozen network
    do, they are no obstacle.

    Parameters
    ----------
    states : sequence of mapping of str to array-like
        One for each model, of the same names, shapes and types.
    labels : sequence of str or None, default=None
        What the models are called in the error.
    read : callable, default=numpy.asarray
        Makes an array of a value; called for quantised ones only.

    Raises
    ------
    ValueError
        Naming a tensor and its scale.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> one = {"fc.weight": np.eye(2, dtype=np.int8), "fc.SCB": np.ones(2)}
    >>> rules.check_not_quantised([one, {**one, "fc.weight": one["fc.weight"][::-1]}])
    Traceback (most recent call last):
        ...
    ValueError: Quantised weights have no mean. Got 'fc.weight' with 'fc.SCB' to be multiplied by,
    other in model 1. Average the models before quantising, or dequantise them first.
    """
    for weight, scale in _scaled(states[0]):
        first = read(states[0][weight])
        for label, state in zip(model_labels(labels, len(states)), states, strict=True):
            if not np.array_equal(first, read(state[weight])):
                raise ValueError(
                    f"Quantised weights have no mean. Got {weight!r} with {scale!r} to be "
                    f"multiplied by, other in {label}. Average the models before quantising, or "
                    "dequantise them first."
                )


def _scaled(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names of quantised weights, each with that of its scale."""
    for name, value in state.items():
        if len(value.shape) < 2 or not _FEW_BITS.match(str(value.dtype)):
            continue
        own = re.split(r"[./]", name)[-1]
        if _BUFFERS.search(own):
            continue
        module = name.removesuffix(own)
        stem = own.removesuffix("_packed").removesuffix("_blocks")
        beside = [f"{module}{scale}" for scale in _SCALES]
        beside += [f"{module}{stem}_{scale}" for scale in ("scale", "scales", "scale_inv")]
        beside += [f"{name}.absmax"]
        if own.isdigit():  # the variables of a layer in a file of Keras have numbers for names
            beside += [f"{module}{other}" for other in range(10) if str(other) != own]
        found = next((scale for scale in beside if scale in state), None)
        if found is not None:
            yield name, found


def model_labels(labels: Sequence[str] | None, n: int) -> list[str]:
    """Return what n models are called in errors."""
    called = [f"model {i}" for i in range(n)] if labels is None else list(labels)
    if len(called) != n:
        raise ValueError(
            f"The 'labels' parameter must name each of {n} models. Got {called}. Give as many "
            "labels as models."
        )
    return called


def _listed(labels: list[str]) -> str:
    """Name the first few."""
    more = len(labels) - _MOST_LABELS
    return ", ".join(labels[:_MOST_LABELS]) + (f" and {more} more" if more > 0 else "")


def check_finite(arrays: Sequence[NDArray], name: str, labels: Sequence[str] | None = None) -> None:
    """Raise if a tensor of some model holds NaN, or infinities that are not in all models.

    A mask of minus infinity that all models share is no mistake, and averages to itself.

    Parameters
    ----------
    arrays : sequence of ndarray of one shape
        The tensor, or a piece of it, of each model. Integers and bools are always finite.
    name : str
        Name of the tensor, for the error.
    labels : sequence of str or None, default=None
        What the models are called in the error; ``"model 0"``, ``"model 1"``, ... when None.

    Raises
    ------
    ValueError
        Naming the tensor and the models.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.check_finite([np.zeros(2), np.array([1, np.nan])], "fc.bias", ["a.pt", "b.pt"])
    Traceback (most recent call last):
        ...
    ValueError: Models must be finite to be averaged. Got NaN or infinite values of tensor
    'fc.bias' in b.pt. Leave those models out: their training has failed.
    """
    if all(_is_finite(array) for array in arrays):
        return
    called = model_labels(labels, len(arrays))
    shared = np.isinf(arrays[0])
    for array in arrays[1:]:
        shared &= array == arrays[0]
    bad = [
        label
        for label, array in zip(called, arrays, strict=True)
        if not (np.isfinite(array) | shared).all()
    ]
    if bad:
        raise ValueError(
            f"Models must be finite to be averaged. Got NaN or infinite values of tensor {name!r} "
            f"in {_listed(bad)}. Leave those models out: their training has failed."
        )


def _is_finite(array: NDArray) -> bool:
    if array.dtype.kind not in "fc":
        return True
    if array.dtype == np.float16:  # by its exponent: ten times as fast as numpy's isfinite
        return bool(((array.view(np.uint16) & 0x7C00) != 0x7C00).all())
    return bool(np.isfinite(array).all())

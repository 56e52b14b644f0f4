"""Checks before anything is averaged: the same tensors in all models, and no NaN in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_finite", "check_same", "model_labels"]

_MOST_LABELS = 5


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
    differences = []
    for name in dict.fromkeys(name for state in states for name in state):
        missing = [label for label, state in zip(called, states, strict=True) if name not in state]
        if missing:
            differences.append(f"{name!r}: missing in {_listed(missing)}")
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
    if differences:
        count = len(differences)
        raise ValueError(
            "Models must have the same tensors to be averaged. Got "
            f"{count} difference{'s' * (count > 1)}:\n  " + "\n  ".join(differences) + "\n"
            "Give models of one architecture, or leave out the tensors that differ."
        )


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

"""Batches for learning: from arrays, or from anything that can be gone through again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["Batches", "split_arrays"]


class Batches:
    """Goes through data once per epoch and brings each batch to the network.

    Parameters
    ----------
    data : tuple of arrays, iterable, or callable
        A tuple of arrays or tensors with the same number of rows, such as ``(X, y)``, is cut
        into batches; an iterable of batches (a torch ``DataLoader``, a list) is taken as it is,
        and a function without arguments must return a new iterator for each epoch.
    batch_size : int
        Rows in a batch that is cut from arrays.
    like : torch.Tensor
        Batches go to its device, and floating numbers in numpy arrays to its precision.
    """

    def __init__(self, data: Any, batch_size: int, like: Any) -> None:
        self._data = data
        self._batch_size = batch_size
        self._like = like

    def epoch(self, rng: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the batches of one epoch; rows of arrays are shuffled by `rng` if given."""
        if not is_arrays(self._data):
            source = self._data() if callable(self._data) else self._data
            yield from (_to(batch, self._like) for batch in source)
            return
        n_rows = len(self._data[0])
        order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
        for start in range(0, n_rows, self._batch_size):
            rows = order[start : start + self._batch_size]
            yield tuple(_to(array[rows], self._like) for array in self._data)


def is_arrays(data: Any) -> bool:
    """Tell whether data are a tuple of arrays with as many rows each."""
    return (
        isinstance(data, tuple)
        and len(data) > 0
        and all(hasattr(array, "shape") and len(array.shape) > 0 for array in data)
    )


def split_arrays(
    data: Any, validation: Any, fraction: float, rng: np.random.Generator
) -> tuple[Any, Any]:
    """Return training and validation data; rows, or batches, are held out when none are given.

    Batches of which some are to be held out, or that come but once, are kept in a list.

    Raises
    ------
    ValueError
        If arrays differ in length, or there is too little to hold some out.
    """
    data = _repeatable(data, "data")
    if validation is not None:
        return data, _repeatable(validation, "validation")
    if not (isinstance(fraction, Real) and 0 < fraction < 1):
        raise ValueError(
            "The 'validation_fraction' parameter must be above 0 and below 1. Got "
            f"{fraction!r}. Give a share such as 0.2."
        )
    if not is_arrays(data):
        data = list(data() if callable(data) else data)
    n = len(data[0]) if is_arrays(data) else len(data)
    if n < 2:
        raise ValueError(
            "Learning stops early on held-out rows. Got one row, or one batch, as 'data' and no "
            "'validation'. Give more of them, or validation=."
        )
    order = rng.permutation(n)
    n_held_out = min(max(1, round(fraction * n)), n - 1)
    held_out, kept = order[:n_held_out], order[n_held_out:]
    if is_arrays(data):
        return tuple(a[kept] for a in data), tuple(a[held_out] for a in data)
    return [data[i] for i in kept], [data[i] for i in held_out]


def _repeatable(data: Any, name: str) -> Any:
    """Return data that can be gone through in each epoch, columns of tables as arrays."""
    if is_arrays(data):
        data = tuple(array.to_numpy() if hasattr(array, "to_numpy") else array for array in data)
        lengths = [len(array) for array in data]
        if len(set(lengths)) > 1 or lengths[0] < 1:
            raise ValueError(
                f"The arrays of {name!r} must have the same number of rows, at least one. Got "
                f"{lengths}."
            )
        return data
    if not callable(data) and (not isinstance(data, Iterable) or hasattr(data, "shape")):
        raise TypeError(
            f"The {name!r} parameter must be a tuple of arrays such as (X, y), an iterable of "
            f"batches, or a function that makes one. Got {type(data).__name__}. Put a single "
            "array into a tuple, (X,), if the loss needs no target."
        )
    return list(data) if isinstance(data, Iterator) else data


def _to(batch: Any, like: Any) -> Any:
    """Turn arrays into tensors on the device of `like`, inside tuples, lists and dicts too."""
    import torch

    if isinstance(batch, np.ndarray):
        batch = torch.from_numpy(np.ascontiguousarray(batch))
        if batch.is_floating_point():
            batch = batch.to(like.dtype.to_real())
    if isinstance(batch, torch.Tensor):
        batch = batch.clone() if batch.is_inference() else batch  # which no gradient goes through
        return batch.to(like.device)
    if isinstance(batch, dict):
        return {key: _to(value, like) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        parts = [_to(value, like) for value in batch]
        return batch._make(parts) if hasattr(batch, "_make") else type(batch)(parts)
    return batch

"""Asking a teacher for labels: chunk by chunk, counted, and stored so that a run can go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from stackens._core._rows import n_rows, take_rows
from stackens.distillation.teachers._label_store import LabelStore

__all__ = ["Labelling"]

_CHUNK_ROWS = 10_000
_CHUNK_BYTES = 2**28  # images are larger than rows of a table


class Labelling:
    """Asks a teacher about rows.

    Parameters
    ----------
    store : LabelStore or None, default=None
        Where labels are kept.
    key : str, default=""
        Stands for the teacher, with what it learnt, in the store.
    verbose : int, default=0
        Above 0 shows rows and the remaining time.

    Attributes
    ----------
    n_calls, n_rows : int
        Calls, and rows in them.
    """

    def __init__(self, store: LabelStore | None = None, key: str = "", verbose: int = 0) -> None:
        self.store = store
        self.key = key
        self.verbose = verbose
        self.n_calls = 0
        self.n_rows = 0

    def label(self, model: Callable[[Any], np.ndarray], X: Any, n_outputs: int) -> np.ndarray:
        """Return what a model says of rows, float64 of shape (n_samples, n_outputs).

        The chunks are the same with and without a store, so that the bits are.
        """
        n, size = n_rows(X), _chunk_rows(X)
        labels = np.empty((n, n_outputs))
        with tqdm(total=n, desc="labels", unit="row", disable=not self.verbose) as bar:
            for start in range(0, n, size):
                stop = min(n, start + size)
                part = X if stop - start == n else _slice_rows(X, start, stop)
                labels[start:stop] = self._part(model, part, stop - start, n_outputs)
                bar.update(stop - start)
        return labels

    def _part(self, model: Any, part: Any, n: int, n_outputs: int) -> np.ndarray:
        if self.store is None:
            return self._ask(model, part, n)
        key = self.store.key("labels", teacher=self.key, X=part)
        found = self.store.get(key, labels=(n, n_outputs))
        if found is not None:
            return found["labels"]
        labels = self._ask(model, part, n)
        self.store.put(key, labels=labels)
        return labels

    def _ask(self, model: Any, part: Any, n: int) -> np.ndarray:
        labels = model(part)
        self.n_calls += 1
        self.n_rows += n
        return labels


def _chunk_rows(X: Any) -> int:
    """Return the rows of a chunk, fewer where rows are large."""
    n = max(1, n_rows(X))
    shape = getattr(X, "shape", (n, 1))
    n_bytes = getattr(X, "nbytes", None)
    if not isinstance(n_bytes, int | np.integer):  # frames, sparse matrices and lists
        n_bytes = 8 * int(np.prod([int(side) for side in shape]))
    return int(np.clip(_CHUNK_BYTES * n // max(1, int(n_bytes)), 1, _CHUNK_ROWS))


def _slice_rows(X: Any, start: int, stop: int) -> Any:
    if isinstance(X, np.ndarray | list | tuple) or hasattr(X, "detach"):  # tensors
        return X[start:stop]
    return take_rows(X, np.arange(start, stop))

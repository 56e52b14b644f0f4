"""Rows without labels, from a table or from chunks of one that does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from stackens._core._rows import as_features, is_frame, n_rows, take_rows
from stackens.distillation.extra_rows._align import aligned, is_table
from stackens.distillation.extra_rows._join import join_rows

__all__ = ["collect_unlabeled"]

SLICE_ROWS = 65_536  # read at a time of a table


def collect_unlabeled(
    source: Any,
    like: Any,
    max_rows: int | None = None,
    *,
    random_state: int | np.random.Generator | None = None,
    verbose: int = 0,
) -> Any:
    """Read rows without labels, and keep a uniform sample of them.

    Every row is kept with the same probability. What is held in memory at a time are one chunk
    and at most a quarter more rows than `max_rows`. The same rows in other chunks, with the same
    seed, give the same sample.

    Parameters
    ----------
    source : as `like`, or an iterable of chunks like it
        A table, or chunks: a generator, ``pd.read_csv(..., chunksize=...)``, a ``pyarrow`` dataset
        or its batches, a list of DataFrames. Tables, and whatever else has a shape and can be
        sliced, such as a data set in an HDF5 file, are read slice by slice. The source is read
        once, to its end.
    like : array, sparse matrix, pandas or polars DataFrame, or list
        Rows that models were fitted on; one is enough.
    max_rows : int or None, default=None
        Largest number of rows to keep; None keeps all.
    random_state : int, Generator or None, default=None
        Seed of the sample.
    verbose : int, default=0
        If not 0, a progress bar counts the rows.

    Returns
    -------
    X_extra : as `like`, of shape (n_kept, ...)
        Rows in the order of the source. Columns of a frame are in the order of `like`, and of
        its types: levels are matched by their text, and those that a ``category`` of `like` does
        not have become missing. Whole numbers that come with missing values or fractions stay
        floats.

    Raises
    ------
    ValueError
        If the source has no rows, or a chunk has other columns, another shape, or values that
        cannot be of the type of their column.
    TypeError
        If the source is not a table and cannot be iterated over, or is of another kind.

    References
    ----------
    J. S. Vitter (1985), Random sampling with a reservoir, ACM TOMS 11(1), doi:10.1145/3147.3165.
    Here every row gets a random key and those with the smallest keys stay, which for equal
    weights is Algorithm A-Res of P. Efraimidis & P. Spirakis (2006), IPL 97(5),
    doi:10.1016/j.ipl.2005.11.003: it takes a chunk at a time.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens.distillation.extra_rows import collect_unlabeled
    >>> X = pd.DataFrame({"a": [1.0], "b": ["x"]})
    >>> chunks = (pd.DataFrame({"b": ["y"], "a": [number]}) for number in range(100))
    >>> collect_unlabeled(chunks, X, max_rows=2, random_state=0)
          a  b
    0  11.0  y
    1  92.0  y
    """
    if max_rows is not None and max_rows < 1:
        raise ValueError(
            f"The number of unlabeled rows to keep must be at least 1. Got {max_rows!r} instead. "
            "Use None to keep all."
        )
    like = as_features(like)
    rng = np.random.default_rng(random_state)
    reservoir = _Reservoir(max_rows)
    with tqdm(desc="unlabeled rows", unit="row", disable=not verbose, leave=False) as bar:
        for name, chunk in _chunks(source, like):
            rows = aligned(chunk, like, name)
            reservoir.offer(rows, rng.random(n_rows(rows)))
            bar.update(n_rows(rows))
    if not reservoir.parts:
        raise ValueError(
            "X_unlabeled must have at least one row. Got a source without rows. If it is an "
            "iterator, make it anew: one that was read before is at its end."
        )
    return reservoir.rows()


class _Reservoir:
    """The rows with the smallest keys so far."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.parts: list[Any] = []
        self.keys: list[np.ndarray] = []
        self.limit = np.inf
        self.n = 0

    def offer(self, rows: Any, keys: np.ndarray) -> None:
        """Take in those rows of a chunk that may stay."""
        taken = keys < self.limit
        if not taken.any():
            return
        self.parts.append(take_rows(rows, np.flatnonzero(taken)))
        self.keys.append(keys[taken])
        self.n += len(self.keys[-1])
        if self.most is not None and self.n > self.most + self.most // 4:
            self._cut(self.most)

    def rows(self) -> Any:
        """Return the rows that stayed."""
        if self.most is not None and self.n > self.most:
            self._cut(self.most)
        return join_rows(self.parts)

    def _cut(self, most: int) -> None:
        keys = np.concatenate(self.keys)
        self.limit = np.partition(keys, most - 1)[most - 1]
        stay = keys <= self.limit
        self.parts = [take_rows(join_rows(self.parts), np.flatnonzero(stay))]
        self.keys = [keys[stay]]
        self.n = len(self.keys[0])


def _chunks(source: Any, like: Any) -> Iterator[tuple[str, Any]]:
    """Yield pieces of the source, each with what to call it in an error."""
    if hasattr(source, "collect") and not hasattr(source, "shape"):
        raise TypeError(
            f"X_unlabeled must hold its rows in memory or give chunks that do. Got a "
            f"{type(source).__name__}. Pass X_unlabeled.collect(), or its batches one by one."
        )
    if is_table(source, like):
        yield from (("X_unlabeled", rows) for rows in _slices(source))
    elif hasattr(source, "shape") and hasattr(source, "__getitem__"):
        yield from (("X_unlabeled", np.asarray(rows)) for rows in _slices(source))
    elif hasattr(source, "to_batches"):  # a data set of pyarrow, in files of any size
        yield from _chunks(source.to_batches(), like)
    elif isinstance(source, str | bytes | dict) or not hasattr(source, "__iter__"):
        kind = "a DataFrame" if is_frame(like) else "an array"
        raise TypeError(
            f"X_unlabeled must be {kind} like X or an iterable of such chunks. Got "
            f"{type(source).__name__}. Read a file with, for example, "
            "pd.read_csv(path, chunksize=100_000)."
        )
    else:
        for number, rows in enumerate(source):
            yield f"chunk {number} of X_unlabeled", rows


def _slices(table: Any) -> Iterator[Any]:
    """Cut a long table, so that what is copied or converted at a time stays small."""
    total = n_rows(table)
    if sparse.issparse(table):
        table = table.tocsr()
    rows = table.iloc if isinstance(table, pd.DataFrame) else table
    for start in range(0, max(total, 1), SLICE_ROWS):
        yield rows[start : start + SLICE_ROWS]

"""What predicting costs: time per row and bytes, from few and short measurements."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from typing import Any

import numpy as np

__all__ = ["Cost", "cost_of", "least_seconds", "pickled_bytes", "single_row_latency"]

_BATCH_ROWS = 500
_SINGLE_ROWS = 10
_FEWEST_SINGLES = 2
_BATCHES = 3
_ROUND_SECONDS = 0.05  # a round of single rows that took longer is the last
_SECONDS = 0.01  # a measurement that took longer is not repeated further


@dataclass(frozen=True)
class Cost:
    """What predicting takes; costs of parts add up.

    Parameters
    ----------
    batch_us_per_row : float
        Microseconds for a row in a batch of up to 500 rows.
    one_row_us : float
        Microseconds for a row alone in a call.
    n_bytes : float
        Bytes of the exported file, or of the pickle; NaN when it cannot be pickled.
    exported : bool, default=False
        Whether these are the costs of an exported file.

    Examples
    --------
    >>> from stackens.evaluation import Cost
    >>> Cost(1.0, 20.0, 5_000.0) + Cost(0.5, 10.0, 1_000.0)
    Cost(batch_us_per_row=1.5, one_row_us=30.0, n_bytes=6000.0, exported=False)
    """

    batch_us_per_row: float
    one_row_us: float
    n_bytes: float
    exported: bool = False

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.batch_us_per_row + other.batch_us_per_row,
            self.one_row_us + other.one_row_us,
            self.n_bytes + other.n_bytes,
            self.exported and other.exported,
        )


def cost_of(
    part: Any, ask: Callable[[Any], Any], take: Callable[[np.ndarray], Any], n_samples: int
) -> Cost:
    """Measure what predicts; hold threads at one around it, for what a busy machine tells too.

    Single rows are all different and so are the batch's, so that no cache helps.

    Parameters
    ----------
    part : object
        What is stored, and so gives the bytes.
    ask : callable
        Predicts rows.
    take : callable
        Returns rows by their numbers.
    n_samples : int
        Rows there are.
    """
    picked = np.linspace(0, n_samples - 1, min(n_samples, _SINGLE_ROWS)).astype(int)
    one_row = least_seconds(ask, [take(np.array([row])) for row in picked], _FEWEST_SINGLES)
    n_batch = min(n_samples, _BATCH_ROWS)
    batch = least_seconds(ask, [take(np.arange(n_batch))] * _BATCHES, 1)
    return Cost(1e6 * batch / n_batch, 1e6 * one_row, pickled_bytes(part))


def least_seconds(ask: Callable[[Any], Any], inputs: list[Any], fewest: int = 1) -> float:
    """Return the least time: what else the machine does can only add to it (as in timeit).

    Parameters
    ----------
    ask : callable
        Predicts rows.
    inputs : list
        What it is asked in turn, until 0.01 seconds have passed.
    fewest : int, default=1
        How many are asked at least.
    """
    seconds: list[float] = []
    for rows in inputs:
        start = time.perf_counter()
        ask(rows)
        seconds.append(time.perf_counter() - start)
        if len(seconds) >= fewest and sum(seconds) > _SECONDS:
            break
    return min(seconds)


class _Counter(RawIOBase):
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.n_bytes += size
        return size


def pickled_bytes(model: Any) -> float:
    """Return the size of the pickle of an object, in bytes, without keeping the pickle.

    NaN when it cannot be pickled, as with a function that was defined inside another.
    """
    counter = _Counter()
    try:
        pickle.Pickler(counter, protocol=5).dump(model)
    except Exception:  # pickling runs code of the object, which may fail in any way
        return math.nan
    return float(counter.n_bytes)


def single_row_latency(
    ask: Callable[[Any], Any], rows: list[Any], *, repeats: int = 3
) -> tuple[float, float]:
    """Return the median and the 99th percentile of the time for one row, in microseconds.

    Every row of the list is asked alone, in turn: the same row again and again would flatter
    trees, whose branches a processor learns to foresee. Of `repeats` rounds the least time of
    each row counts, as what else the machine does can only add to it; slow models get fewer rounds.

    Parameters
    ----------
    ask : callable
        Predicts one row.
    rows : list
        Distinct rows, in the form that `ask` takes.
    repeats : int, default=3
    """
    ask(rows[0])  # what happens at the first call only
    best = np.full(len(rows), np.inf)
    for _ in range(repeats):
        for i, row in enumerate(rows):
            start = time.perf_counter()
            ask(row)
            best[i] = min(best[i], time.perf_counter() - start)
        # Not their sum: rows that another process delayed are what a further round is for.
        if len(rows) * np.median(best) > _ROUND_SECONDS:
            break
    median, high = np.quantile(best, [0.5, 0.99])
    return 1e6 * float(median), 1e6 * float(high)

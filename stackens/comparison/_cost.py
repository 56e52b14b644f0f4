"""What a strategy costs after fitting: time per row and bytes, from few and short measurements."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows

__all__ = ["Latency", "dumped_bytes", "measure_latency"]

_BATCH_ROWS = 500
_SINGLE_ROWS = 10
_BATCHES = 3
_FEWEST_SINGLES = 3
_SECONDS = 0.05  # a measurement that took longer is not repeated further


@dataclass(frozen=True)
class Latency:
    """Time to predict a row, in microseconds.

    Parameters
    ----------
    batch_us_per_row : float
        In a batch of up to 500 rows.
    one_row_us : float
        Alone in a call.
    """

    batch_us_per_row: float
    one_row_us: float


def measure_latency(model: Any, X: Any) -> Latency:
    """Time the public predict path of a fitted model: ``predict_proba``, else ``predict``.

    OpenMP and BLAS are held at one thread, so that a busy machine tells nearly the same as an
    idle one. Single rows are all different and so are the batch's, so that no cache helps;
    medians, so that a first call that is slow does not count.

    Parameters
    ----------
    model : fitted estimator
    X : rows that it can predict
    """
    call = getattr(model, "predict_proba", None) or model.predict
    n_samples = n_rows(X)
    picked = np.linspace(0, n_samples - 1, min(n_samples, _SINGLE_ROWS)).astype(int)
    singles = [take_rows(X, np.array([row])) for row in picked]
    rows = take_rows(X, np.arange(min(n_samples, _BATCH_ROWS)))
    with threadpool_limits(limits=1):
        one_row = _median_seconds(call, singles, _FEWEST_SINGLES)
        batch = _median_seconds(call, [rows] * _BATCHES, 1)
    return Latency(1e6 * batch / n_rows(rows), 1e6 * one_row)


def _median_seconds(call: Callable[[Any], Any], inputs: list[Any], fewest: int) -> float:
    seconds: list[float] = []
    for rows in inputs:
        start = time.perf_counter()
        call(rows)
        seconds.append(time.perf_counter() - start)
        if len(seconds) >= fewest and sum(seconds) > _SECONDS:
            break
    return float(np.median(seconds))


class _Counter(RawIOBase):
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.n_bytes += size
        return size

    def tell(self) -> int:
        return self.n_bytes


def dumped_bytes(model: Any) -> float:
    """Return the size of the joblib dump of an object, in bytes, without keeping the dump.

    NaN when it cannot be dumped, as with a function that was defined inside another.
    """
    counter = _Counter()
    try:
        joblib.dump(model, counter)
    except Exception:  # pickling runs code of the object, which may fail in any way
        return math.nan
    return float(counter.n_bytes)

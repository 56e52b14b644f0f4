"""What a strategy costs after fitting: time per row and bytes, from few and short measurements."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from io import RawIOBase
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.comparison._fit_on_table import FittedStrategy
from stackens.out_of_fold import PredictionTable

__all__ = ["Cost", "measure_costs", "pickled_bytes"]

_BATCH_ROWS = 500
_SINGLE_ROWS = 10
_FEWEST_SINGLES = 2
_BATCHES = 3
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
        Bytes of the pickle; NaN when it cannot be pickled.
    """

    batch_us_per_row: float
    one_row_us: float
    n_bytes: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.batch_us_per_row + other.batch_us_per_row,
            self.one_row_us + other.one_row_us,
            self.n_bytes + other.n_bytes,
        )


def measure_costs(
    models: Mapping[str, Any],
    combinations: Mapping[str, FittedStrategy],
    X: Any,
    table: PredictionTable,
) -> dict[str, Cost]:
    """Measure base models, and combinations as the sum of their parts.

    OpenMP and BLAS are held at one thread, so that a busy machine tells nearly the same as an
    idle one. Single rows are all different and so are the batch's, so that no cache helps.

    Parameters
    ----------
    models : dict of str -> fitted estimator
        Base models, and whatever else predicts by itself. Their public predict path is timed:
        ``predict_proba``, else ``predict``.
    combinations : dict of str -> FittedStrategy
        Costs of the models that one needs are added to those of its combiner.
    X : rows that the models can predict
    table : PredictionTable
        What they predict for these rows.

    Returns
    -------
    dict of str -> Cost
    """
    costs: dict[str, Cost] = {}
    with threadpool_limits(limits=1):
        for name, model in models.items():
            ask = getattr(model, "predict_proba", None) or model.predict
            costs[name] = _cost(model, ask, lambda index: take_rows(X, index), n_rows(X))
        for name, found in combinations.items():
            read = partial(_rows, table.select(found.names))
            cost = _cost(found.combiner, found.combiner.combine, read, table.n_samples)
            costs[name] = sum((costs[model] for model in found.weighted_models), cost)
    return costs


def _rows(table: PredictionTable, index: np.ndarray) -> PredictionTable:
    return replace(table, values=table.values[index], features=take_rows(table.features, index))


def _cost(
    part: Any, ask: Callable[[Any], Any], take: Callable[[np.ndarray], Any], n_samples: int
) -> Cost:
    picked = np.linspace(0, n_samples - 1, min(n_samples, _SINGLE_ROWS)).astype(int)
    one_row = _least_seconds(ask, [take(np.array([row])) for row in picked], _FEWEST_SINGLES)
    n_batch = min(n_samples, _BATCH_ROWS)
    batch = _least_seconds(ask, [take(np.arange(n_batch))] * _BATCHES, 1)
    return Cost(1e6 * batch / n_batch, 1e6 * one_row, pickled_bytes(part))


def _least_seconds(ask: Callable[[Any], Any], inputs: list[Any], fewest: int) -> float:
    """Return the least time: what else the machine does can only add to it (as in timeit)."""
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

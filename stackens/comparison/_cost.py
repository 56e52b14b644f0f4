"""What the strategies of a comparison cost: base models alone, combinations as sums of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.comparison._fit_on_table import FittedStrategy
from stackens.evaluation import Cost, cost_of
from stackens.out_of_fold import PredictionTable

__all__ = ["measure_costs"]


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
            costs[name] = cost_of(model, ask, lambda index: take_rows(X, index), n_rows(X))
        for name, found in combinations.items():
            read = partial(_rows, table.select(found.names))
            cost = cost_of(found.combiner, found.combiner.combine, read, table.n_samples)
            costs[name] = sum((costs[model] for model in found.weighted_models), cost)
    return costs


def _rows(table: PredictionTable, index: np.ndarray) -> PredictionTable:
    return replace(table, values=table.values[index], features=take_rows(table.features, index))

"""What the strategies of a comparison cost: base models alone, combinations as sums of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.comparison._fit_on_table import FittedStrategy
from stackens.evaluation import Cost, cost_of
from stackens.exceptions import ExportError
from stackens.export import ExportedCost, exported_cost, program_cost
from stackens.export.numpy import columns_of
from stackens.export.program import Graph, Program
from stackens.export.readers import Table
from stackens.export.readers.ensembles import Predictions, read_combination
from stackens.out_of_fold import PredictionTable

__all__ = ["measure_costs"]

_SINGLE_ROWS = 20  # for a median


def measure_costs(
    models: Mapping[str, Any],
    combinations: Mapping[str, FittedStrategy],
    X: Any,
    table: PredictionTable,
) -> dict[str, Cost]:
    """Measure base models, and combinations as the sum of their parts.

    What can be exported is measured as one Python file that needs numpy only; the rest as it is,
    by its public predict path and its pickle. OpenMP and BLAS are held at one thread, so that a
    busy machine tells nearly the same as an idle one. Single rows are all different and so are the
    batch's, so that no cache helps.

    Parameters
    ----------
    models : dict of str -> fitted estimator
        Base models, and whatever else predicts by itself.
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
            exported = exported_cost(model, X, n_single=_SINGLE_ROWS)
            costs[name] = _as_cost(exported) or _cost_as_it_is(model, X)
        for name, found in combinations.items():
            cost = _combiner_cost(found, X, table.select(found.names))
            costs[name] = sum((costs[model] for model in found.weighted_models), cost)
    return costs


def _as_cost(found: ExportedCost | None) -> Cost | None:
    if found is None:
        return None
    return Cost(found.batch_us_per_row, found.one_row_us, found.n_bytes, exported=True)


def _cost_as_it_is(model: Any, X: Any) -> Cost:
    ask = getattr(model, "predict_proba", None) or model.predict
    return cost_of(model, ask, lambda index: take_rows(X, index), n_rows(X))


def _combiner_cost(found: FittedStrategy, X: Any, table: PredictionTable) -> Cost:
    """Measure what a combiner adds to its models."""
    exported = None
    try:
        program, columns = _combiner_program(found, X, table)
        exported = _as_cost(program_cost(program, columns, n_single=_SINGLE_ROWS))
    except (TypeError, ValueError):  # no export of it, or none that reads such rows
        pass  # it is measured as it is
    read = partial(_rows, table)
    return exported or cost_of(found.combiner, found.combiner.combine, read, table.n_samples)


def _combiner_program(
    found: FittedStrategy, X: Any, table: PredictionTable
) -> tuple[Program, list[np.ndarray]]:
    """Return a combiner alone as a program, with its columns: predictions, then features.

    Raises
    ------
    ExportError
        If it cannot be exported.
    """
    if issparse(X) or len(getattr(X, "shape", ())) != 2:
        raise ExportError(
            f"Rows of an export are a dense table of columns. Got a {type(X).__name__}. Use an "
            "array or a DataFrame."
        )
    named = hasattr(X, "columns")
    features = [str(name) for name in X.columns] if named else [f"x{i}" for i in range(X.shape[1])]
    values = table.values.reshape(table.n_samples, -1)
    width, n_predicted = table.n_outputs, values.shape[1]
    graph = Graph([*(f"prediction {i}" for i in range(n_predicted)), *features], named=named)
    nodes = [graph.numbers(range(i * width, (i + 1) * width)) for i in range(table.n_models)]
    passed = Table.of_raw_rows(graph).select(range(n_predicted, n_predicted + len(features)))
    node = read_combination(found.combiner, graph, Predictions(tuple(nodes), table, passed))
    program = graph.program(node, "values", one_target=False)
    columns, _ = columns_of(X, program.row_columns()[n_predicted:], named)
    return program, [*np.ascontiguousarray(values.T), *columns]


def _rows(table: PredictionTable, index: np.ndarray) -> PredictionTable:
    return replace(table, values=table.values[index], features=take_rows(table.features, index))

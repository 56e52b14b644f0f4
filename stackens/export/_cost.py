"""What a model costs once it is exported: bytes, and time for a row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.combiners import Combiner
from stackens.evaluation import least_seconds, single_row_latency
from stackens.export._manifest import manifest_of
from stackens.export._program_of import program_of
from stackens.export.numpy import columns_of, open_numpy, write_numpy
from stackens.export.program import Graph, Program
from stackens.export.readers import Table
from stackens.export.readers.ensembles import read_combined
from stackens.export.verification import raw_rows, tolerance_of
from stackens.out_of_fold import CrossFit

__all__ = ["ExportedCost", "exported_cost", "exported_ensemble_cost", "program_cost"]

_CARRIED = 8  # rows that a file carries for its check
_SINGLE_ROWS = 100
_BATCH_ROWS = 500
_BATCHES = 3


@dataclass(frozen=True)
class ExportedCost:
    """What predicting takes with :func:`stackens.export.to_numpy`'s file.

    Attributes
    ----------
    n_bytes : float
        Size of the file.
    one_row_us, one_row_p99_us : float
        Median and 99th percentile of the microseconds for one raw row, over distinct rows.
    batch_us_per_row : float
        Microseconds for a row in a batch of up to 500.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from stackens.export import exported_cost
    >>> X = np.arange(4.0).reshape(-1, 1)
    >>> cost = exported_cost(LinearRegression().fit(X, X[:, 0]), X)
    >>> 0 < cost.one_row_us <= cost.one_row_p99_us
    True
    """

    n_bytes: float
    one_row_us: float
    one_row_p99_us: float
    batch_us_per_row: float


def exported_cost(model: Any, X: Any, *, n_single: int = _SINGLE_ROWS) -> ExportedCost | None:
    """Measure a model in the form of one Python file that needs numpy only, on one thread.

    Parameters
    ----------
    model : object
        A fitted model.
    X : rows of shape (n_samples, n_features)
        Raw rows to ask, as the model takes them; at least one.
    n_single : int, default=100
        How many of them are asked alone, at most: a percentile takes more than a median.

    Returns
    -------
    ExportedCost or None
        None where the model cannot be exported, or the rows are no dense table.
    """
    return _cost_or_none(lambda: program_of(model), X, n_single)


def exported_ensemble_cost(fitted: CrossFit, combiner: Combiner, X: Any) -> ExportedCost | None:
    """Measure the models of a cross-fit with a fitted combiner, as :func:`exported_cost` does.

    Parameters
    ----------
    fitted : CrossFit
    combiner : Combiner
    X : rows of shape (n_samples, n_features)

    Returns
    -------
    ExportedCost or None
    """

    def read() -> Program:
        named = hasattr(X, "columns")
        names = X.columns if named else [f"x{i}" for i in range(X.shape[1])]
        graph = Graph([str(name) for name in names], named=named)
        node = read_combined(fitted, combiner, graph, Table.of_raw_rows(graph))
        return graph.program(node, "values", one_target=False)

    return _cost_or_none(read, X)


def _cost_or_none(
    read: Callable[[], Program], X: Any, n_single: int = _SINGLE_ROWS
) -> ExportedCost | None:
    if issparse(X) or len(getattr(X, "shape", ())) != 2:
        return None
    try:
        program = read()
        few = take_rows(X, np.arange(min(n_rows(X), _BATCH_ROWS)))
        columns, _ = columns_of(few, program.row_columns(), program.named)
        return program_cost(program, columns, n_single=n_single)
    except (TypeError, ValueError):  # no export of this model, or none that reads such rows
        return None


def program_cost(
    program: Program, columns: Sequence[np.ndarray], *, n_single: int = _SINGLE_ROWS
) -> ExportedCost:
    """Measure a program, as :func:`exported_cost` measures a model.

    Parameters
    ----------
    program : Program
    columns : sequence of arrays of shape (n_samples,)
        As :func:`stackens.export.program.evaluate` takes them.
    n_single : int, default=100

    Raises
    ------
    ExportError
        If it cannot be written.
    """
    columns = [column[:_BATCH_ROWS] for column in columns]
    carried = [column[:_CARRIED] for column in columns]
    nothing = np.zeros((len(carried[0]), program.n_outputs))
    manifest = manifest_of(program, program, "numpy", tolerance_of(program), carried, nothing)
    text = write_numpy(program, manifest.to_json())
    rows = raw_rows(program, [column[:n_single] for column in columns])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.py")
        file.write_text(text, encoding="utf-8")
        runner = open_numpy(file)
    with threadpool_limits(limits=1):
        median, high = single_row_latency(runner.ask, rows)
        batch = 1e6 * least_seconds(runner.outputs, [columns] * _BATCHES)
    return ExportedCost(float(len(text.encode())), median, high, batch / len(columns[0]))

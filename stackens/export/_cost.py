"""What a model costs once it is exported: bytes, and time for a row."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from threadpoolctl import threadpool_limits

from stackens._core._rows import n_rows, take_rows
from stackens.evaluation import single_row_latency
from stackens.exceptions import ExportError
from stackens.export._manifest import manifest_of
from stackens.export._program_of import program_of
from stackens.export.numpy import columns_of, open_numpy, write_numpy
from stackens.export.program import Program
from stackens.export.verification import tolerance_of

__all__ = ["ExportedCost", "exported_cost", "program_cost"]

_CARRIED = 8  # rows that a file carries for its check
_SINGLE_ROWS = 100
_BATCH_ROWS = 500


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
    """

    n_bytes: float
    one_row_us: float
    one_row_p99_us: float
    batch_us_per_row: float


def exported_cost(model: Any, X: Any) -> ExportedCost | None:
    """Measure a model in the form of one Python file that needs numpy only, on one thread.

    Parameters
    ----------
    model : object
        A fitted model.
    X : rows of shape (n_samples, n_features)
        Raw rows to ask, as the model takes them; at least one.

    Returns
    -------
    ExportedCost or None
        None where the model cannot be exported, or the rows are no dense table.
    """
    if issparse(X) or len(getattr(X, "shape", ())) != 2:
        return None
    try:
        program = program_of(model)
        few = take_rows(X, np.arange(min(n_rows(X), _BATCH_ROWS)))
        columns, _ = columns_of(few, program.row_columns(), program.named)
        return program_cost(program, columns)
    except ExportError:
        return None


def program_cost(program: Program, columns: Sequence[np.ndarray]) -> ExportedCost:
    """Measure a program, as :func:`exported_cost` measures a model.

    Parameters
    ----------
    program : Program
    columns : sequence of arrays of shape (n_samples,)
        As :func:`stackens.export.program.evaluate` takes them.

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
    rows = [list(row) for row in zip(*(c[:_SINGLE_ROWS].tolist() for c in columns), strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.py")
        file.write_text(text, encoding="utf-8")
        runner = open_numpy(file)
    with threadpool_limits(limits=1):
        median, high = single_row_latency(runner.ask, rows)
        batch, _ = single_row_latency(runner.outputs, [columns])
    return ExportedCost(float(len(text.encode())), median, high, batch / len(columns[0]))

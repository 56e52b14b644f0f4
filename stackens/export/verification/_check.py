"""Compares what an exported file answers with what its source answers, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stackens.exceptions import ExportMismatchError
from stackens.export.program import Program
from stackens.export.verification._probes import Probes

__all__ = ["Check", "Runner", "check", "largest_difference", "size_of", "tolerance_of"]

_SINGLE_ROWS = 12
_BATCH = 1_000
_DOUBLE = 1e-10
_SINGLE = 1e-5  # a source of several wide layers is itself no closer to its exact answer


class Runner(Protocol):
    """An exported file, opened."""

    def outputs(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Answer columns of values that are read already.

        Parameters
        ----------
        columns : sequence of arrays of shape (n_samples,)
            float64 with NaN for missing values, or objects that are text or None.

        Returns
        -------
        float64 array of shape (n_samples, n_outputs)
            NaN in rows that the model refuses.
        """

    def ask(self, row: Sequence[Any]) -> Any:
        """Answer one raw row by the quickest public call."""


@dataclass(frozen=True)
class Check:
    """How an exported file compares with its source.

    Attributes
    ----------
    n_rows : int
        Rows compared.
    n_cuts : int
        How many of them lie on or beside a threshold.
    n_refused : int
        How many of them both refuse.
    max_difference : float
        Largest difference, absolute for answers up to 1 and relative to larger ones, or to what
        answers usually are.
    tolerance : float
        What it may be.
    n_cuts_tried : int, default=0
        Thresholds with rows on and beside them.
    n_cuts_left_out : int, default=0
        Thresholds without a row on or beside them, since there were too many.

    Examples
    --------
    >>> import os, tempfile
    >>> import stackens as se
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [2.0, 5.0])
    >>> path = os.path.join(tempfile.mkdtemp(), "tree.py")
    >>> check = se.export.to_numpy(tree, path).report.check
    >>> check.n_cuts_tried, check.max_difference <= check.tolerance
    (1, True)
    """

    n_rows: int
    n_cuts: int
    n_refused: int
    max_difference: float
    tolerance: float
    n_cuts_tried: int = 0
    n_cuts_left_out: int = 0


def tolerance_of(program: Program) -> float:
    """Return the difference that rounding alone can make: 1e-10, in single precision 1e-5."""
    return _SINGLE if program.single_precision else _DOUBLE


def size_of(expected: np.ndarray) -> np.ndarray:
    """Return how large answers are, all but the largest 5%, at least 1; shape (n_outputs,).

    Sums of large terms that come out near zero are as uncertain as other answers are.
    """
    known = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    if len(known) == 0:
        return np.ones(known.shape[1])
    return np.maximum(1.0, np.quantile(known, 0.95, axis=0))


def largest_difference(
    expected: np.ndarray, got: np.ndarray, size: np.ndarray | float = 1.0
) -> tuple[float, int]:
    """Return the largest difference and its row.

    Parameters
    ----------
    expected, got : float64 array of shape (n_rows, n_outputs)
    size : float or array of shape (n_outputs,), default=1.0
        How large answers are.

    Returns
    -------
    difference : float
        Relative to the size, or to the expected answer where that is larger. Equal infinities and
        two NaN do not differ; another infinity or one NaN differs infinitely.
    row : int
    """
    if expected.size == 0:
        return 0.0, 0
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(got - expected) / np.maximum(size, np.abs(expected))
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    difference = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))
    by_row = difference.max(axis=1)
    row = int(by_row.argmax())
    return float(by_row[row]), row


def check(
    runner: Runner, program: Program, probes: Probes, expected: np.ndarray, tolerance: float
) -> Check:
    """Compare an opened file with its source, in batches of all rows, of 1,000 and of 1.

    Parameters
    ----------
    runner : Runner
    program : Program
    probes : Probes
    expected : float64 array of shape (n_rows, n_outputs)
        What the source answers; NaN where it refuses a row.
    tolerance : float

    Raises
    ------
    ExportMismatchError
        If a difference is larger than the tolerance; the message has the worst row.
    """
    n = len(probes)
    everything = np.arange(n)
    batches = [everything, everything[:_BATCH]]
    batches += [np.array([i]) for i in np.linspace(0, n - 1, _SINGLE_ROWS).astype(int)]
    largest, size = 0.0, size_of(expected)
    for index in batches:
        got = runner.outputs(probes.rows(index))
        difference, row = largest_difference(expected[index], got, size)
        largest = max(largest, difference)
        if not difference <= tolerance:
            raise ExportMismatchError(
                f"The exported file must answer as its source does, to {tolerance:g}. Got a "
                f"difference of {difference:.3g} in a batch of {len(index)}: "
                f"{got[row].tolist()} instead of {expected[index[row]].tolist()} for the row "
                f"{described(program, probes.columns, int(index[row]))}. The file is not kept."
            )
    refused = int(np.isnan(expected).all(axis=1).sum())
    thresholds = probes.n_cuts_tried, probes.n_cuts_left_out
    return Check(n, probes.n_cuts, refused, largest, tolerance, *thresholds)


def described(program: Program, columns: Sequence[np.ndarray], row: int) -> dict[str, Any]:
    """Return one row as a dictionary, for messages."""
    return {
        column.name: values[row] if column.kind == "category" else float(values[row])
        for column, values in zip(program.columns, columns, strict=True)
    }

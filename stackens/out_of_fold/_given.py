"""Predictions that exist already, such as columns of a file, in the layout of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stackens._core._rows import arrow_frame, is_arrow, is_frame
from stackens._core._task import Task

__all__ = ["given_values"]


def given_values(predictions: Any, task: Task) -> dict[str, np.ndarray]:
    """Return the predictions of each model, shape (n_samples, n_outputs), by its name.

    Parameters
    ----------
    predictions : DataFrame or dict
        See :meth:`stackens.OutOfFoldTable.from_predictions`.
    task : Task

    Raises
    ------
    TypeError, ValueError
        If it is something else, or has other columns, or numbers that are no probabilities.
    """
    found = {name: _values(name, part, task) for name, part in _by_model(predictions)}
    if not found or len({len(values) for values in found.values()}) > 1:
        raise ValueError(
            "Predictions must come from at least one model, all for the same rows. Got "
            f"{ {name: len(values) for name, values in found.items()} } rows. Cut them alike."
        )
    return found


def _by_model(predictions: Any) -> Iterator[tuple[str, Any]]:
    predictions = arrow_frame(predictions) if is_arrow(predictions) else predictions
    if not isinstance(predictions, Mapping) and not is_frame(predictions):
        raise TypeError(
            "Predictions must be a DataFrame with a column for each model, or a dict from names "
            f"of models to arrays. Got {type(predictions).__name__}. Give each model a name."
        )
    if getattr(getattr(predictions, "columns", None), "nlevels", 1) == 2:
        names = predictions.columns.get_level_values(0).unique()
    else:
        names = predictions.columns if is_frame(predictions) else predictions
    for name in names:
        yield str(name), predictions[name]


def _values(name: str, part: Any, task: Task) -> np.ndarray:
    """Return the outputs of one model, in the order of the task."""
    expected = task.output_names()
    labels = list(part.columns) if is_frame(part) else expected
    try:
        values = np.asarray(part, dtype=np.float64)
        values = values.reshape(len(values), -1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Predictions must be columns of numbers. Got {error} for {name!r}. Leave out what is "
            "no prediction."
        ) from error
    known = values[~np.isnan(values).all(axis=1)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    limits = (-1e-3, 1.0 + 1e-3) if task.is_classification else (-np.inf, np.inf)
    if not (np.isfinite(known).all() and limits[0] <= low and high <= limits[1]):
        what = "probabilities" if task.is_classification else "finite numbers"
        raise ValueError(
            f"Predictions must be {what}, or missing for a whole row. Got values from {low:.6g} to "
            f"{high:.6g} from {name!r}. Margins need a sigmoid or softmax, ranks a division by the "
            "number of rows, whole numbers that are no classes a target of classification=False."
        )
    if task.kind == "binary" and values.shape[1] == 1:
        values, labels = np.column_stack([1.0 - values, values]), expected
    numbered = labels == list(range(len(expected)))  # a frame without names of its own
    if values.shape[1] != len(expected) or not (numbered or set(labels) == set(expected)):
        raise ValueError(
            f"Predictions must have one column for each of {expected[:20]}. Got {values.shape[1]} "
            f"columns from {name!r}, called {labels[:20]}. Name them like that, or give an array "
            "with the columns in this order; of two classes the second one alone is enough."
        )
    if labels != expected and not numbered:
        values = values[:, [labels.index(label) for label in expected]]
    return values

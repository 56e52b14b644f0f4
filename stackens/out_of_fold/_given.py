"""Predictions that exist already, such as columns of a file, in the layout of a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from stackens._core._rows import arrow_frame, as_array, is_arrow, is_frame
from stackens._core._task import Task

__all__ = ["given_values"]


def given_values(
    predictions: Any, task: Task, *, only: Collection[str] | None = None, like: Any = None
) -> dict[str, np.ndarray]:
    """Return the predictions of each model, shape (n_samples, n_outputs), by its name.

    Parameters
    ----------
    predictions : DataFrame or dict
        See :meth:`stackens.OutOfFoldTable.from_predictions`.
    task : Task
    only : collection of str or None, default=None
        Names of the models that are read; None reads all.
    like : Series, DataFrame or anything else, default=None
        What has a value for each of the same rows.

    Raises
    ------
    TypeError, ValueError
        If it is something else, or has other columns, or numbers that are no probabilities.
    """
    found: dict[str, np.ndarray] = {}
    for name, part in _by_model(predictions):
        if name in found:
            raise ValueError(
                f"Models must have different names. Got {name!r} twice. Rename one of the columns."
            )
        if only is None or name in only:
            _refuse_other_order(name, part, like)
            found[name] = _values(name, part, task)
    if only is not None and len(found) < len(only):
        raise ValueError(
            f"Predictions of every model are needed. Got {list(found)}, without "
            f"{[name for name in only if name not in found]}. Add them, or make the table without "
            "these models."
        )
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


def _refuse_other_order(name: str, part: Any, like: Any) -> None:
    """Raise where the labels say that predictions are those of the same rows in another order."""
    labels: list[Any] = [getattr(labelled, "index", None) for labelled in (part, like)]
    # counted from 0 by pandas, they say nothing
    if any(not isinstance(i, pd.Index) or isinstance(i, pd.RangeIndex) for i in labels):
        return
    ours, theirs = labels
    if len(ours) == len(theirs) and not ours.equals(theirs) and ours.isin(theirs).all():
        raise ValueError(
            f"Predictions must have their rows in the order of y. Got {list(ours[:3])!r:.100}, ... "
            f"from {name!r}, and {list(theirs[:3])!r:.100}, ... in y. Sort them, as "
            "predictions.loc[y.index] does."
        )


def _values(name: str, part: Any, task: Task) -> np.ndarray:
    """Return the outputs of one model, in the order of the task."""
    expected = task.output_names()
    known = {str(label): label for label in expected} | {label: label for label in expected}
    labels = [known.get(label, label) for label in part.columns] if is_frame(part) else expected
    is_counted = isinstance(getattr(part, "columns", None), pd.RangeIndex)
    try:
        if isinstance(part, pd.DataFrame):  # whose missing values may be of many kinds
            part = part.to_numpy(np.float64, na_value=np.nan)
        part = as_array(part) if hasattr(part, "detach") else part
        values = np.asarray(part, dtype=np.float64)
        values = values.reshape(len(values), math.prod(values.shape[1:]))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Predictions must be columns of numbers. Got {error} for {name!r}. Leave out what is "
            "no prediction."
        ) from error
    there = values[~np.isnan(values).all(axis=1)]
    low, high = (there.min(), there.max()) if there.size else (0.0, 0.0)
    limits = (-1e-3, 1.0 + 1e-3) if task.is_classification else (-np.inf, np.inf)
    if not (np.isfinite(there).all() and limits[0] <= low and high <= limits[1]):
        what = "probabilities" if task.is_classification else "finite numbers"
        raise ValueError(
            f"Predictions must be {what}, or missing for a whole row. Got values from {low:.6g} to "
            f"{high:.6g} from {name!r}. Margins need a sigmoid or softmax, ranks a division by the "
            "number of rows, whole numbers that are no classes a target of classification=False."
        )
    if task.kind == "binary" and values.shape[1] == 1:
        is_first = labels == expected[:1] and not is_counted
        columns = [values, 1.0 - values] if is_first else [1.0 - values, values]
        values, labels = np.column_stack(columns), expected
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

"""What is predicted: the kind of target, its classes, and how many outputs a row has."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

__all__ = ["Task", "infer_task", "plain_target"]

TaskKind = Literal["binary", "multiclass", "multilabel", "regression"]
_LARGEST_TARGET = 1e150


@dataclass(frozen=True, eq=False)
class Task:
    """The kind of target and the meaning of the output columns.

    Parameters
    ----------
    kind : {"binary", "multiclass", "multilabel", "regression"}
        Kind of target.
    n_outputs : int
        Columns of a prediction: classes, labels (multilabel) or regression targets.
    classes : ndarray of shape (n_classes,) or None
        Sorted class labels of a binary or multiclass target, otherwise None.
    y_ndim : int, default=1
        Dimensions of the target, so that predictions come back in the same shape.
    """

    kind: TaskKind
    n_outputs: int
    classes: np.ndarray | None = None
    y_ndim: int = 1

    @property
    def is_classification(self) -> bool:
        """Whether the target is made of classes or labels."""
        return self.kind != "regression"

    @property
    def has_classes(self) -> bool:
        """Whether each row belongs to exactly one class (binary or multiclass)."""
        return self.classes is not None

    def encode(self, y: Any) -> np.ndarray:
        """Turn a target into numbers that combiners work on.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target as the user gave it.

        Returns
        -------
        ndarray
            Class codes of shape (n_samples,), or floats of shape (n_samples, n_outputs)
            for multilabel and regression targets.
        """
        values = np.asarray(y)
        if self.classes is not None:
            return np.searchsorted(self.classes, values.reshape(len(values)))
        return values.reshape(len(values), -1).astype(np.float64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Turn class codes of shape (n_samples,) back into labels."""
        if self.classes is None:
            raise TypeError(f"A {self.kind} target has no class labels to decode.")
        return self.classes[codes]

    def output_names(self) -> list[Any]:
        """Names of the output columns: class labels, or numbers from 0."""
        if self.classes is not None:
            return self.classes.tolist()
        return list(range(self.n_outputs))


def infer_task(y: Any, *, classification: bool | None = None) -> tuple[Task, Any]:
    """Find out the task from a target and check the target on the way.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target. A single column of a 2-D array is taken as 1-D, with a warning.
    classification : bool or None, default=None
        Whether to treat the target as classes. None decides by its type: floats with a
        fractional part are a regression target, everything else is made of classes.

    Returns
    -------
    task : Task
    y : the target, 1-D where it has one column
    """
    given = y
    if sparse.issparse(y):
        y = y.toarray()
    elif not hasattr(y, "ndim") and not isinstance(y, list | tuple):
        y = np.asarray(y)  # objects that only know how to become an array
    values = np.asarray(y)
    if values.ndim == 0:
        raise ValueError(
            f"y must hold one target for each row. Got {given!r:.100}. Pass an array, a list or a "
            "Series."
        )
    if len(values) == 0:
        raise ValueError(
            "y must have at least one row. Got 0 sample(s) while a minimum of 1 is required. "
            "Check how the rows were selected."
        )
    if pd.isna(values).any():
        raise ValueError(
            "Input y contains NaN or None, but targets must not be missing. Drop those rows, or "
            "give them a target."
        )
    y = plain_target(y)
    values = np.asarray(y)
    _refuse_infinity(values)
    try:
        with np.errstate(invalid="ignore"):  # it casts to int64, also what does not fit
            kind = type_of_target(y, input_name="y")
    except TypeError as error:  # labels that cannot be sorted
        raise _strange_labels(values) from error
    if classification is None:
        classification = not kind.startswith("continuous")
    if classification:
        if kind == "unknown":
            raise _strange_labels(values)
        check_classification_targets(y)
        if kind == "multilabel-indicator":
            n_labels = np.shape(y)[1]
            return Task("multilabel", n_labels, y_ndim=2), y
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y must be one column of classes or a 0/1 matrix of labels. Got several columns "
                "with more than two classes each. Fit one ensemble for each column."
            )
        y = _one_column(y)
        classes = np.unique(np.asarray(y))
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least two classes. Got one class: {classes.tolist()}. "
                "Check the target column, or add rows of another class."
            )
        return Task("binary" if len(classes) == 2 else "multiclass", len(classes), classes), y
    return _regression_task(y)


def plain_target(y: Any) -> Any:
    """Return a target of dtype object that holds only truth values or numbers in a plain dtype.

    Such a target comes out of a file in which some were missing, or out of a database, as decimal
    numbers; scikit-learn knows no labels of that kind. Every other target is returned as it is.
    """
    if not isinstance(y, np.ndarray | pd.Series | pd.DataFrame) or np.ndim(y) not in (1, 2):
        return y
    values = np.asarray(y)
    plain_types = bool | np.bool_ | int | float | np.number | Decimal
    if values.dtype != object or not values.size or not isinstance(values.flat[0], plain_types):
        return y
    if any(isinstance(value, Decimal) for value in values.flat):
        only_numbers = all(isinstance(value, plain_types) for value in values.flat)
        return y.astype(np.float64) if only_numbers else y
    plain = (pd.DataFrame(y) if isinstance(y, np.ndarray) else y).infer_objects()
    if np.asarray(plain).dtype.kind not in "biuf":
        return y
    return plain.to_numpy().reshape(y.shape) if isinstance(y, np.ndarray) else plain


def _regression_task(y: Any) -> tuple[Task, Any]:
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        values = np.asarray(y)
        task = Task("regression", values.shape[1], y_ndim=2)
    else:
        y = _one_column(y)
        values = np.asarray(y)
        task = Task("regression", 1)
    if values.dtype.kind not in "fiub":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y must hold numbers for regression. Got values of type {values.dtype} that "
                "are not numbers. Use the classifier for labels."
            ) from error
        _refuse_infinity(values)
        y = values
    if values.dtype.kind == "f" and float(np.abs(values).max()) > _LARGEST_TARGET:
        raise ValueError(
            f"y must hold numbers up to {_LARGEST_TARGET:g} for regression, as the squares of "
            f"larger ones overflow. Got {values.ravel()[np.abs(values).argmax()]:g}. Divide the "
            "target by a constant."
        )
    return task, y


def _strange_labels(values: np.ndarray) -> ValueError:
    types = sorted({type(label).__name__ for label in values.ravel()})
    return ValueError(
        "Unknown label type: y must hold labels of one type, all text or all numbers. Got objects "
        f"of type {', '.join(types)}. Convert them, with y.astype(str) or y.astype(int)."
    )


def _refuse_infinity(values: np.ndarray) -> None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError("Input y contains infinity. Drop those rows, or correct their target.")


def _one_column(y: Any) -> Any:
    return y if np.ndim(y) == 1 and not isinstance(y, list | tuple) else column_or_1d(y, warn=True)

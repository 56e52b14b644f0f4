"""The table of predictions that every combiner reads, and its out-of-fold form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from stackens._core._rows import take_rows
from stackens._core._task import Task

__all__ = ["OutOfFoldTable", "PredictionTable", "Response"]

Response = Literal["predict_proba", "decision_function", "predict", "value"]


@dataclass(frozen=True, eq=False, repr=False)
class PredictionTable:
    """Predictions of several models for the same rows.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
        Predictions. ``n_outputs`` is the number of classes, labels or regression targets.
    names : tuple of str of length n_models
        Names of the models.
    task : Task
        What is predicted, with the class labels.
    response : tuple of str of length n_models
        What each model's values are: ``"predict_proba"``; ``"decision_function"`` (margins;
        a binary margin ``d`` is stored as ``(-d, d)``); ``"predict"`` (regression values, or
        predicted classes as 0 and 1); ``"value"`` (a regressor under a classification task:
        the same number in the columns of all classes, or one number for each label).
    features : DataFrame, ndarray, sparse matrix or None, default=None
        The feature rows themselves (a reference, not a copy), for combiners that read them.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [("lr", LogisticRegression(max_iter=500)), ("nb", GaussianNB())]
    >>> table = se.cross_fit(models, X, y).predict(X[:2])
    >>> table.values.shape
    (2, 2, 3)
    >>> table.frame().columns.tolist()[:3]
    [('lr', 0), ('lr', 1), ('lr', 2)]
    """

    values: np.ndarray
    names: tuple[str, ...]
    task: Task
    response: tuple[Response, ...]
    features: Any = None

    def __repr__(self) -> str:
        shown = [*self.names[:10], *(["..."] if self.n_models > 10 else [])]
        of = f"{type(self).__name__} of {', '.join(shown)}"
        return f"<{of}: {self.task.kind}, {self.n_samples} rows>"

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.values.shape[0]

    @property
    def n_models(self) -> int:
        """Number of models."""
        return self.values.shape[1]

    @property
    def n_outputs(self) -> int:
        """Number of output columns of each model."""
        return self.values.shape[2]

    @property
    def is_probability(self) -> bool:
        """Whether every model's rows are probabilities (or 0/1 votes), so that means make sense."""
        return self.task.is_classification and all(
            kind in ("predict_proba", "predict") for kind in self.response
        )

    def frame(self) -> pd.DataFrame:
        """Return the predictions as a DataFrame with (model, output) columns."""
        columns = pd.MultiIndex.from_product(
            [self.names, self.task.output_names()], names=["model", "output"]
        )
        return pd.DataFrame(self.values.reshape(self.n_samples, -1), columns=columns)

    def select(self, names: Sequence[str]) -> Self:
        """Return the same table with only these models, in this order."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(
                f"The table has no model named {unknown}. Got a table of {list(self.names)}. "
                "Use names that were given to cross_fit."
            )
        index = [self.names.index(name) for name in names]
        return replace(
            self,
            values=self.values[:, index],
            names=tuple(names),
            response=tuple(self.response[i] for i in index),
        )

    def columns(self) -> list[tuple[int, int]]:
        """(model, output) pairs that carry information, in order.

        The first class of a binary target is left out (its probability is one minus the
        other), and a regressor's value for a target of classes counts once.
        """
        last = self.n_outputs - 1
        is_binary = self.task.kind == "binary"
        return [
            (model, output)
            for model, kind in enumerate(self.response)
            for output in (
                [last]
                if is_binary or (kind == "value" and self.task.has_classes)
                else range(last + 1)
            )
        ]

    def column_names(self) -> list[str]:
        """Names of the informative columns: the model, and the class where it has several."""
        columns = self.columns()
        outputs = self.task.output_names()
        count = Counter(model for model, _ in columns)
        return [
            self.names[model] if count[model] == 1 else f"{self.names[model]}_{outputs[output]}"
            for model, output in columns
        ]

    def matrix(self) -> np.ndarray:
        """Return the informative columns, shape (n_samples, n_columns)."""
        models, outputs = zip(*self.columns(), strict=True)
        return self.values[:, list(models), list(outputs)]


@dataclass(frozen=True, eq=False, repr=False)
class OutOfFoldTable(PredictionTable):
    """Predictions for training rows, each made by models that did not see the row.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target as given to :func:`stackens.cross_fit`.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows.
    splits : tuple of (train, test) pairs of index arrays
        The folds that made the predictions. Empty when unknown.
    covered : ndarray of bool of shape (n_samples,) or None
        Rows held out at least once; all rows when None. The values of other rows are NaN.
        Repeated predictions of a row are averaged.
    """

    y: Any = None
    sample_weight: np.ndarray | None = None
    splits: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    covered: np.ndarray | None = None

    def __repr__(self) -> str:
        text = f"{super().__repr__()[:-1]}, {len(self.splits)} folds"
        if self.covered is not None and not self.covered.all():
            text += f", {np.count_nonzero(self.covered)} rows held out"
        return f"{text}>"

    @property
    def target(self) -> np.ndarray:
        """The target in numbers.

        Class codes of shape (n_samples,), or floats of shape (n_samples, n_outputs) for
        multilabel and regression targets.
        """
        return self.task.encode(self.y)

    def rows(self, index: np.ndarray) -> OutOfFoldTable:
        """Return the table of these rows (indices or a mask), without splits."""
        return replace(
            self,
            values=self.values[index],
            y=take_rows(self.y, index),
            sample_weight=None if self.sample_weight is None else self.sample_weight[index],
            splits=(),
            covered=None if self.covered is None else self.covered[index],
            features=None if self.features is None else take_rows(self.features, index),
        )

    def covered_rows(self) -> OutOfFoldTable:
        """Return the table of the rows that were held out at least once.

        The splits are renumbered to the rows that remain.
        """
        if self.covered is None or self.covered.all():
            return self
        position = np.cumsum(self.covered) - 1
        splits = tuple(
            (position[train[self.covered[train]]], position[test[self.covered[test]]])
            for train, test in self.splits
        )
        return replace(self.rows(np.flatnonzero(self.covered)), splits=splits)

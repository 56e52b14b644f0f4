"""The table of predictions that every combiner reads, and its out-of-fold form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from stackens._core._html import html_of
from stackens._core._rows import check_same_rows, take_rows
from stackens._core._task import Task, infer_task
from stackens._core._warning import warn
from stackens.exceptions import LeakageWarning, StackensWarning
from stackens.out_of_fold._checks import check_names, checked_weights
from stackens.out_of_fold._given import given_values

__all__ = ["OutOfFoldTable", "PredictionTable", "Response"]

_ROWS_IN_NOTEBOOKS = 10
_FEW_ROWS = 20  # a model that is sure may have fewer right by chance

# Probabilities written with two decimals sum to one as closely as this times the classes.
_SUM_ROUNDING, _MOST_ROUNDING = 0.005, 0.1

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

    def _repr_html_(self) -> str:
        return html_of(repr(self)[1:-1], self._frame(slice(_ROWS_IN_NOTEBOOKS)))

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
        """Return the predictions as a DataFrame with (model, output) columns.

        Rows have the labels that they have in X, or else in y, where these are of pandas.
        """
        return self._frame(slice(None))

    def _frame(self, rows: slice) -> pd.DataFrame:
        columns = pd.MultiIndex.from_product(
            [self.names, self.task.output_names()], names=["model", "output"]
        )
        values, index = self.values[rows], self._index()
        values = values.reshape(len(values), self.n_models * self.n_outputs)
        return pd.DataFrame(values, index=None if index is None else index[rows], columns=columns)

    def _index(self) -> pd.Index | None:
        """Labels of the rows, where they came in a pandas frame."""
        features = self.features
        return features.index if isinstance(features, pd.DataFrame) else None

    def _warn_sums(self) -> None:
        """Warn about models of classes whose probabilities do not sum to one."""
        said = []
        allowed = min(_SUM_ROUNDING * max(self.n_outputs, 3), _MOST_ROUNDING) + 1e-9
        for i, kind in enumerate(self.response):
            if kind == "predict_proba" and self.task.has_classes and self.n_samples:
                sums = self.values[:, i].sum(axis=1)
                low, high = np.nanmin(sums), np.nanmax(sums)
                if max(1.0 - low, high - 1.0) > allowed:
                    said.append(f"{self.names[i]!r} (from {low:.4g} to {high:.4g})")
        if said:
            warn(
                "The probabilities of a row must sum to one over the classes. Got other sums from "
                f"{', '.join(said)}. They are combined and scored as they are; divide each row by "
                "its sum, or wrap the model in CalibratedClassifierCV.",
                StackensWarning,
            )

    def select(self, names: Sequence[str]) -> Self:
        """Return the same table with only these models, in this order."""
        check_names(names)
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
        flat = self.values.reshape(self.n_samples, self.n_models * self.n_outputs)
        chosen = [model * self.n_outputs + output for model, output in self.columns()]
        # several times as fast as an index of two lists, and each row in one piece
        return np.take(flat, chosen, axis=1)


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

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "knn": KNeighborsClassifier()}
    >>> table = se.cross_fit(models, X, y).out_of_fold
    >>> table
    <OutOfFoldTable of nb, knn: multiclass, 178 rows, 5 folds>
    >>> bool((table.values[:, 0].argmax(axis=1) == table.target).mean() > 0.95)
    True
    >>> table.select(["nb"]).frame().columns.tolist()
    [('nb', 0), ('nb', 1), ('nb', 2)]
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

    def _index(self) -> pd.Index | None:
        labelled = isinstance(self.y, pd.Series | pd.DataFrame)
        return self.y.index if self.features is None and labelled else super()._index()

    @property
    def target(self) -> np.ndarray:
        """The target in numbers.

        Class codes of shape (n_samples,), or floats of shape (n_samples, n_outputs) for
        multilabel and regression targets.
        """
        return self.task.encode(self.y)

    @classmethod
    def from_predictions(
        cls,
        predictions: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        classification: bool | None = None,
    ) -> OutOfFoldTable:
        """Make a table of predictions that exist already, for rows that no model was trained on.

        Parameters
        ----------
        predictions : DataFrame or dict of str -> array-like of shape (n_samples, n_outputs)
            A column or an entry for each model: probabilities for classes, values for numbers. For
            two classes one column is enough, the probability of the second one unless it is
            called like the first. For more, an entry has a column for each class, sorted or called
            like them; a frame has two levels of columns, as :meth:`frame` gives. Rows with nothing
            but NaN were not held out.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.
        classification : bool or None, default=None
            Whether y holds classes. None: floats with a fractional part are numbers.

        Returns
        -------
        OutOfFoldTable

        Raises
        ------
        TypeError, ValueError
            For predictions in another form, of other rows, or that are no probabilities.

        Warns
        -----
        LeakageWarning
            For predictions that are the target itself in 20 rows or more.

        Examples
        --------
        >>> import pandas as pd
        >>> import stackens as se
        >>> y = ["no", "no", "yes", "yes"]
        >>> kept = pd.DataFrame({"net": [0.1, 0.3, 0.6, 0.9], "trees": [0.2, 0.1, 0.4, 0.8]})
        >>> table = se.OutOfFoldTable.from_predictions(kept, y)
        >>> blend = se.combiners.combiner_for("greedy").fit(table)
        >>> new = table.with_predictions(pd.DataFrame({"net": [0.2], "trees": [0.4]}))
        >>> blend.combine(new)
        array([[0.8, 0.2]])
        """
        task, y = infer_task(y, classification=classification)
        found = given_values(predictions, task, like=y)
        check_same_rows(predictions=next(iter(found.values())), y=y, sample_weight=sample_weight)
        values = np.stack(list(found.values()), axis=1)
        response: Response = "predict_proba" if task.is_classification else "predict"
        covered = np.isfinite(values).all(axis=(1, 2))
        table = cls(
            values,
            tuple(found),
            task,
            (response,) * len(found),
            y=y,
            sample_weight=checked_weights(sample_weight, len(values)),
            covered=covered,
        )
        rows = table.covered_rows()
        rows._warn_sums()
        rows._warn_target()
        return table

    def _warn_target(self) -> None:
        """Warn about predictions that are the target itself, such as its column in the frame."""
        if self.n_samples < _FEW_ROWS or not self._is_target(slice(_FEW_ROWS)).any():
            return
        same = self._is_target(slice(None))
        names = [name for name, equal in zip(self.names, same, strict=True) if equal]
        if names:
            warn(
                f"Predictions are made without the answer. Got the target itself from {names}, in "
                f"all {self.n_samples} rows. Leave out its column, or what has learnt these rows.",
                LeakageWarning,
            )

    def _is_target(self, rows: slice) -> np.ndarray:
        """Which models say the target itself in these rows, shape (n_models,)."""
        target = self.target[rows]
        target = np.eye(self.n_outputs)[target] if self.task.has_classes else target
        return (self.values[rows] == target.reshape(len(target), 1, -1)).all(axis=(0, 2))

    def with_predictions(self, predictions: Any) -> PredictionTable:
        """Return a table of the same models for new rows.

        Parameters
        ----------
        predictions : DataFrame or dict of str -> array-like of shape (n_samples, n_outputs)
            As in :meth:`from_predictions`. Models that the table does not have are left out.

        Returns
        -------
        PredictionTable

        Raises
        ------
        TypeError, ValueError
            If a model is missing, or for predictions that the table could not have.
        """
        if self.task.is_classification and not self.is_probability:
            raise ValueError(
                "The table must hold probabilities of all models. Got "
                f"{dict(zip(self.names, self.response, strict=True))}. Let the CrossFit that made "
                "it predict new rows, or select the models with probabilities."
            )
        found = given_values(predictions, self.task, only=self.names)
        values = np.stack([found[name] for name in self.names], axis=1)
        if np.isnan(values).any():
            raise ValueError(
                "Predictions of new rows must not be missing. Got NaN in "
                f"{int(np.isnan(values).any(axis=(1, 2)).sum())} rows. Leave these rows out."
            )
        return PredictionTable(values, self.names, self.task, self.response)

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

"""The protocol of all combiners: learn from an out-of-fold table, combine any table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from stackens.out_of_fold import OutOfFoldTable, PredictionTable

__all__ = [
    "Combiner",
    "WeightedCombiner",
    "count_weights",
    "fitting_rows",
    "readable_rows",
    "require_fitted",
    "require_names",
    "require_probabilities",
    "require_table",
    "weighted_mean",
    "weightless",
]

# Above this many outputs a weighted mean is no longer written as one matrix product.
_MATRIX_PRODUCT_OUTPUTS = 16
_BLOCK_ELEMENTS = 1 << 18


class Combiner(BaseEstimator, ABC):
    """Turns the predictions of several models into one.

    A combiner is fitted on an out-of-fold table and may use only its covered rows. Constructor
    arguments are only stored, as in scikit-learn, so that combiners can be cloned and searched.

    Attributes
    ----------
    identity_on_one_model : bool
        Whether a table of one model is returned as it is (a class attribute).
    ignores_duplicates : bool
        Whether the combination stays the same when a model is copied (a class attribute).

    Examples
    --------
    A combiner of one's own, which then serves as ``weighting`` of a blend or in ``compare``:

    >>> import numpy as np
    >>> import stackens as se
    >>> class Median(se.combiners.Combiner):
    ...     def fit(self, out_of_fold):
    ...         self.names_ = out_of_fold.names
    ...         return self
    ...
    ...     def combine(self, table):
    ...         return np.median(table.values, axis=1)
    >>> kept = {"a": [1.0, 2.0], "b": [1.1, 2.2], "c": [9.0, 2.1]}
    >>> table = se.OutOfFoldTable.from_predictions(kept, [1.0, 2.0], classification=False)
    >>> Median().fit(table).combine(table).ravel()
    array([1.1, 2.1])
    """

    identity_on_one_model: ClassVar[bool] = False
    ignores_duplicates: ClassVar[bool] = False

    @property
    def reads_features(self) -> bool:
        """Whether it looks at the feature rows of a table; they are not cut along otherwise."""
        return False

    def accepts(self, table: PredictionTable) -> bool:
        """Whether this combiner can read the table (kinds of task and of response)."""
        return True

    def check_scoring(self, table: OutOfFoldTable) -> None:
        """Raise on a scorer that cannot be used, before any base model is fitted.

        Parameters
        ----------
        table : OutOfFoldTable
            The table to come; its values are not known yet.

        Raises
        ------
        ValueError
        """

    @abstractmethod
    def fit(self, out_of_fold: OutOfFoldTable) -> Combiner:
        """Learn from out-of-fold predictions and return self."""

    @abstractmethod
    def combine(self, table: PredictionTable) -> np.ndarray:
        """Combine predictions into an array of shape (n_samples, n_outputs)."""


class WeightedCombiner(Combiner):
    """A combiner whose answer is a weighted sum of the models, with one weight for each.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Weights in the order of the table's names.
    names_ : tuple of str of length n_models
        Names of the models of the table it was fitted on.
    """

    weights_: np.ndarray
    names_: tuple[str, ...]

    def accepts(self, table: PredictionTable) -> bool:
        return table.is_probability or not table.task.is_classification

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_names(self, table)
        require_probabilities(table, type(self).__name__)
        return weighted_mean(table.values, self.weights_)


def fitting_rows(out_of_fold: OutOfFoldTable, combiner: str) -> OutOfFoldTable:
    """Return the covered rows of positive weight, or say why there are none.

    A row of weight zero is left out altogether, so that it counts as absent for every
    combiner.
    """
    require_table(out_of_fold, OutOfFoldTable, combiner)
    rows = out_of_fold.covered_rows()
    if rows.n_models == 0:
        raise ValueError(
            f"{combiner} combines models. Got a table without any. Fit at least one base model."
        )
    weights = rows.sample_weight
    if weights is not None:
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(
                f"sample_weight of {combiner} must hold finite numbers of at least zero. Got "
                "NaN, infinite or negative weights. Correct them, or drop those rows."
            )
        if (weights == 0).any():
            rows = _keep_positive(rows, weights > 0)
    if rows.n_samples == 0:
        raise ValueError(
            f"{combiner} learns from rows that were held out. Got a table in which no row is "
            "covered with a positive weight. Use a splitter that holds rows out."
        )
    return rows


def readable_rows(out_of_fold: OutOfFoldTable, combiners: Iterable[Combiner]) -> OutOfFoldTable:
    """Leave the features out of a table unless a combiner reads them: cutting rows copies them."""
    if any(getattr(combiner, "reads_features", True) for combiner in combiners):
        return out_of_fold
    return replace(out_of_fold, features=None)


def _keep_positive(rows: OutOfFoldTable, keep: np.ndarray) -> OutOfFoldTable:
    position = np.cumsum(keep) - 1
    splits = tuple((position[a[keep[a]]], position[b[keep[b]]]) for a, b in rows.splits)
    return replace(rows.rows(np.flatnonzero(keep)), splits=splits)


def count_weights(rows: OutOfFoldTable) -> np.ndarray:
    """Return row weights in units of rows, shape (n_samples,), for what counts rows.

    Penalties and standard errors depend on how many rows there are. A weight of 3 stands for
    three copies of a row; weights whose mean is below one can't be meant so, and are scaled
    to a mean of one.
    """
    n = rows.n_samples
    if rows.sample_weight is None:
        return np.ones(n)
    weights = np.asarray(rows.sample_weight, dtype=np.float64)
    total = weights.sum()
    return weights if total >= n or total <= 0 else weights * (n / total)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted sum of models.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
    weights : ndarray of shape (n_models,)
        Models of weight zero are not read, so what they predict cannot matter.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    n, n_models, n_outputs = values.shape
    used = np.flatnonzero(weights)
    if len(used) < n_models:
        combined = np.empty((n, n_outputs))
        step = max(1, _BLOCK_ELEMENTS // (n_models * n_outputs))
        for start in range(0, n, step):  # blocks, so that what is left out costs no memory
            rows = slice(start, start + step)
            combined[rows] = weighted_mean(values[rows].take(used, axis=1), weights[used])
        return combined
    if n_models == 0:
        return np.zeros((n, n_outputs))
    if n_models == 1:
        return values[:, 0] * weights[0]
    if n_outputs > _MATRIX_PRODUCT_OUTPUTS:
        return np.einsum("smo,m->so", values, weights)
    # One product with a block of weights is 1.5 to 5 times as fast as einsum for few outputs.
    block = np.kron(weights[:, None], np.eye(n_outputs))
    return values.reshape(n, n_models * n_outputs) @ block


def weightless(combiner: Combiner, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the models that a fitted combiner gives no weight, and never reads."""
    weights = getattr(combiner, "weights_", None)
    if weights is None or np.shape(weights) != (len(names),):
        return ()
    return tuple(name for name, weight in zip(names, weights, strict=True) if weight == 0)


def require_table(table: Any, kind: type[PredictionTable], combiner: str) -> None:
    """Refuse features, arrays and frames in place of a table."""
    if not isinstance(table, kind):
        raise TypeError(
            f"{combiner} reads tables of predictions ({kind.__name__}). Got "
            f"{type(table).__name__}. Take the one of stackens.cross_fit, or make one of "
            "predictions that exist: OutOfFoldTable.from_predictions, and its with_predictions."
        )


def require_fitted(combiner: Combiner) -> None:
    """Refuse to combine before a fit, which sets attributes that end in an underscore."""
    if not any(name.endswith("_") and not name.startswith("_") for name in vars(combiner)):
        raise NotFittedError(
            f"This {type(combiner).__name__} instance is not fitted yet, and was asked to combine. "
            "Call 'fit' with an OutOfFoldTable before."
        )


def require_names(combiner: Combiner, table: PredictionTable) -> None:
    """Refuse a table whose models are not those the combiner was fitted on."""
    require_table(table, PredictionTable, type(combiner).__name__)
    require_fitted(combiner)
    names = getattr(combiner, "names_", None)
    if names is not None and names != table.names:
        raise ValueError(
            f"{type(combiner).__name__} was fitted on the models {list(names)}. Got a table of "
            f"{list(table.names)}. Use table.select(names) to bring the same models in order."
        )


def require_probabilities(table: PredictionTable, combiner: str) -> None:
    """Refuse a classification table that holds margins instead of probabilities."""
    require_table(table, PredictionTable, combiner)
    if not table.task.is_classification or table.is_probability:
        return
    bad = [
        name
        for name, kind in zip(table.names, table.response, strict=True)
        if kind not in ("predict_proba", "predict")
    ]
    raise ValueError(
        f"{combiner} averages probabilities. Got models without predict_proba: {bad}. Wrap them in "
        "sklearn.calibration.CalibratedClassifierCV, leave them out, or stack them instead."
    )

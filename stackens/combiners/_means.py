"""Combiners that learn no weights from losses: means, votes, and the best single model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from stackens._core._losses import normalised_weights, output_scales, row_losses
from stackens.combiners._base import (
    Combiner,
    WeightedCombiner,
    fitting_rows,
    require_names,
    require_probabilities,
    require_table,
)
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

__all__ = ["BestSingle", "FixedWeights", "MajorityVote", "UniformMean", "model_weights"]


def model_weights(weights: Any, names: Sequence[str], owner: str) -> np.ndarray:
    """Check weights that a user gave and return them with a sum of one.

    Parameters
    ----------
    weights : array-like of shape (n_models,), dict of name -> weight, or None
        Weights of at least zero; equal ones when None. A dict may name more models.
    names : sequence of str of length n_models
        The models that need one.
    owner : str
        Name of the class that took them, for the error.

    Returns
    -------
    ndarray of shape (n_models,)

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or their number is wrong.
    """
    n_models = len(names)
    if weights is None:
        return np.full(n_models, 1.0 / n_models)
    what = f"The weights of {owner} must"
    if isinstance(weights, Mapping):
        missing = [name for name in names if name not in weights]
        if missing:
            raise ValueError(
                f"{what} name every model. Got {dict(weights)}, without {missing}. Give a model "
                "that should not count a 0."
            )
        weights = [weights[name] for name in names]
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} be an array of numbers. Got {weights!r}. Give one number for each model."
        ) from error
    if values.shape != (n_models,):
        raise ValueError(
            f"{what} have shape ({n_models},), one for each model. Got shape {values.shape}. "
            "Give the weights in the order of the models."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"{what} be finite. Got {values.tolist()}. Give a model that should not count a 0."
        )
    if (values < 0).any():
        raise ValueError(
            f"{what} not be negative. Got {values.tolist()}. Use a meta-learner such as "
            "RidgeLeaveOneOut where models may count against each other."
        )
    total = values.sum()
    if total <= 0:
        raise ValueError(
            f"{what} not be all zero. Got {values.tolist()} for the models {list(names)}. Give at "
            "least one of them a weight."
        )
    return values / total


class UniformMean(WeightedCombiner):
    """The plain mean of all models.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        ``1 / n_models`` for every model.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.UniformMean().fit(table).weights_
    array([0.5, 0.5])
    """

    identity_on_one_model: ClassVar[bool] = True

    def fit(self, out_of_fold: OutOfFoldTable) -> UniformMean:
        require_probabilities(out_of_fold, type(self).__name__)
        self.weights_ = model_weights(None, out_of_fold.names, type(self).__name__)
        self.names_ = out_of_fold.names
        return self


class FixedWeights(WeightedCombiner):
    """The mean of all models with weights that the user chose.

    Parameters
    ----------
    weights : array-like of shape (n_models,), dict of name -> weight, or None, default=None
        Weights of at least zero, in the order of the models or by name. They are divided by
        their sum. None means equal weights.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        The weights, with a sum of one.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.FixedWeights([3, 1]).fit(table).weights_
    array([0.75, 0.25])
    """

    identity_on_one_model: ClassVar[bool] = True

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def fit(self, out_of_fold: OutOfFoldTable) -> FixedWeights:
        require_probabilities(out_of_fold, type(self).__name__)
        self.weights_ = model_weights(self.weights, out_of_fold.names, type(self).__name__)
        self.names_ = out_of_fold.names
        return self


class BestSingle(WeightedCombiner):
    """The one model with the lowest loss on the table: log loss, or squared error.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        1 for the model chosen (the first of equally good ones), 0 for the others.
    losses_ : ndarray of shape (n_models,)
        Mean loss of each model.
    best_name_ : str
        Name of the model chosen.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.BestSingle().fit(table).best_name_
    'ridge'
    """

    identity_on_one_model: ClassVar[bool] = True
    ignores_duplicates: ClassVar[bool] = True

    def fit(self, out_of_fold: OutOfFoldTable) -> BestSingle:
        require_probabilities(out_of_fold, type(self).__name__)
        rows = fitting_rows(out_of_fold, type(self).__name__)
        self.losses_ = model_losses(rows)
        best = int(self.losses_.argmin())
        self.weights_ = np.eye(rows.n_models)[best]
        self.names_ = rows.names
        self.best_name_ = rows.names[best]
        return self


def model_losses(rows: OutOfFoldTable) -> np.ndarray:
    """Return the mean loss of each model over these rows, shape (n_models,)."""
    weights = normalised_weights(rows.sample_weight, rows.n_samples)
    target = rows.target
    scales = None if rows.task.is_classification else output_scales(target, weights)
    return np.array(
        [
            weights @ row_losses(rows.values[:, model], target, rows.task, scales=scales)
            for model in range(rows.n_models)
        ]
    )


class MajorityVote(Combiner):
    """The share of votes that each class gets, each model voting for its most likely class.

    A model whose classes tie votes for the first of them, and so does ``predict`` on equal
    shares. For a multilabel task each label is voted on by itself. Models that only have
    ``decision_function`` vote too.

    Parameters
    ----------
    weights : array-like of shape (n_models,), dict of name -> weight, or None, default=None
        How much each model's vote counts; equal when None.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        The weights, with a sum of one.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.MajorityVote().fit(table).combine(table)[0]
    array([1., 0., 0.])
    """

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def accepts(self, table: PredictionTable) -> bool:
        return table.task.is_classification and "value" not in table.response

    def fit(self, out_of_fold: OutOfFoldTable) -> MajorityVote:
        require_table(out_of_fold, OutOfFoldTable, type(self).__name__)
        self._check(out_of_fold)
        self.weights_ = model_weights(self.weights, out_of_fold.names, type(self).__name__)
        self.names_ = out_of_fold.names
        return self

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_names(self, table)
        self._check(table)
        shares = np.zeros((table.n_samples, table.n_outputs))
        rows = np.arange(table.n_samples)
        for model, weight in enumerate(self.weights_):
            values = table.values[:, model]
            if table.task.has_classes:
                shares[rows, values.argmax(axis=1)] += weight
            else:
                threshold = 0.0 if table.response[model] == "decision_function" else 0.5
                shares += weight * (values > threshold)
        return shares

    def _check(self, table: PredictionTable) -> None:
        if not table.task.is_classification:
            raise ValueError(
                "MajorityVote counts votes for classes. Got a regression table. Use UniformMean."
            )
        numbers = [
            name for name, kind in zip(table.names, table.response, strict=True) if kind == "value"
        ]
        if numbers:
            raise ValueError(
                f"MajorityVote counts votes for classes. Got models that predict numbers: "
                f"{numbers}. Leave them out, or stack them instead."
            )

"""The models of all folds as one predictor: their mean, without another fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens.out_of_fold._responses import ask_boosters, final_lightgbm, respond, transformed
from stackens.out_of_fold._table import Response

__all__ = ["FoldBag", "respond_model"]


class FoldBag:
    """Fold models of one base model; predicts the mean of their responses.

    Parameters
    ----------
    models : sequence of fitted estimators
        One model for each fold.
    response : str
        What is averaged: probabilities, margins or values.
    task : Task
    n_train : sequence of int
        Training rows of each model.

    References
    ----------
    Breiman (1996). Bagging predictors. Machine Learning 24, 123-140. Parmanto, Munro & Doyle
    (1996) average networks of cross-validation folds in the same way.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> trees = {"tree": DecisionTreeClassifier(random_state=0)}
    >>> bag = se.cross_fit(trees, X, y, final_fit="bag").models["tree"]
    >>> bag
    FoldBag(5 x DecisionTreeClassifier(random_state=0))
    >>> bag.predict_proba(X[70:71])
    array([[0. , 0.8, 0.2]])
    """

    def __init__(
        self, models: Sequence[Any], response: Response, task: Task, n_train: Sequence[int]
    ) -> None:
        self.models = list(models)
        self.response = response
        self.task = task
        self.n_train = list(n_train)
        # Found out once, because it takes as long as predicting a row.
        self._lightgbms = [
            found
            for found in (final_lightgbm(model, response) for model in self.models)
            if found is not None
            and task.kind != "multilabel"
            and (task.classes is None or np.array_equal(found[1].classes_, task.classes))
        ]

    @property
    def averages_one_column(self) -> bool:
        """Whether the probability of the second class is averaged, and the first follows."""
        boosters = [model.booster_ for _, model in self._lightgbms]
        return (
            self.task.kind == "binary"
            and len(boosters) == len(self.models)
            and all(booster.num_model_per_iteration() == 1 for booster in boosters)
        )

    def respond(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Return the mean response, shape (n_samples, n_outputs)."""
        if len(self._lightgbms) == len(self.models):
            steps, finals = zip(*self._lightgbms, strict=True)
            mean = ask_boosters(finals, (transformed(X, part) for part in steps), threads)
            if mean is not None:
                return mean.reshape(len(mean), -1)
        total = np.zeros((n_rows(X), self.task.n_outputs))
        for model, n_train in zip(self.models, self.n_train, strict=True):
            total += respond(model, X, self.response, self.task, n_train=n_train, threads=threads)
        return total / len(self.models)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels, or target values."""
        values = self.respond(X)
        if self.task.has_classes and self.response != "value":
            return self.task.decode(values.argmax(axis=1))
        if self.task.kind == "multilabel":
            return (values > (0.0 if self.response == "decision_function" else 0.5)).astype(int)
        return values if self.task.y_ndim == 2 else values[:, -1]

    def _has_proba(self) -> bool:
        return self.response == "predict_proba"

    def _has_margin(self) -> bool:
        return self.response == "decision_function"

    @available_if(_has_proba)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities, shape (n_samples, n_classes)."""
        return self.respond(X)

    @available_if(_has_margin)
    def decision_function(self, X: Any) -> np.ndarray:
        """Return mean margins, shape (n_samples,) for two classes, else (n_samples, n_classes)."""
        values = self.respond(X)
        return values[:, 1] if self.task.kind == "binary" else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the labels or the R2 of the values, as in scikit-learn."""
        measure = accuracy_score if self.task.is_classification else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        if self.task.classes is None:
            raise AttributeError(f"A FoldBag for a {self.task.kind} target has no classes_.")
        return self.task.classes

    @property
    def feature_importances_(self) -> np.ndarray:
        """Mean of the fold models' importances, shape (n_features,), where they have them."""
        return np.mean([model.feature_importances_ for model in self.models], axis=0)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in fit."""
        return self.models[0].n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features seen in fit."""
        return self.models[0].feature_names_in_

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.models[0])

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        return f"FoldBag({len(self.models)} x {self.models[0]!r})"


def respond_model(
    model: Any, X: Any, response: Response, task: Task, threads: int | None = None
) -> np.ndarray:
    """Return the table's layout for what predicts after a cross-fit: a bag or a single model."""
    if isinstance(model, FoldBag):
        return model.respond(X, threads=threads)
    return respond(model, X, response, task, threads=threads)

"""The models of all folds as one predictor: their mean, without another fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens.out_of_fold._responses import ask_boosters, is_plain_lightgbm, respond
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
    """

    def __init__(
        self, models: Sequence[Any], response: Response, task: Task, n_train: Sequence[int]
    ) -> None:
        self.models = list(models)
        self.response = response
        self.task = task
        self.n_train = list(n_train)
        # Checked once, because it takes as long as predicting a row.
        self._plain_lightgbm = task.kind != "multilabel" and all(
            is_plain_lightgbm(model, response)
            and (task.classes is None or np.array_equal(model.classes_, task.classes))
            for model in self.models
        )

    def respond(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Return the mean response, shape (n_samples, n_outputs)."""
        if self._plain_lightgbm:
            mean = ask_boosters(self.models, X, threads)
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

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        if self.task.classes is None:
            raise AttributeError(f"A FoldBag for a {self.task.kind} target has no classes_.")
        return self.task.classes

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

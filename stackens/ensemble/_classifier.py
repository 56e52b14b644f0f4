"""How a classifying ensemble answers: labels, probabilities and margins from combined outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from stackens._core._task import plain_target

__all__ = ["ClassifierOutputs"]


class ClassifierOutputs(ClassifierMixin):
    """Outputs of an ensemble whose combiner gives probabilities or margins."""

    def _adopt(self, fitted: Any) -> Any:
        task = fitted.task
        labels = [np.array([0, 1])] * task.n_outputs
        self.classes_ = labels if task.classes is None else task.classes
        return super()._adopt(fitted)

    def _combined(self, X: Any) -> np.ndarray:
        table = self._table(X)
        return self.combiner_.combine(table)

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or of 0 and 1 of shape (n_samples, n_labels)
        """
        combined = self._combined(X)
        if isinstance(self.classes_, list):
            return (combined > 0.5).astype(int)
        return self.classes_[combined.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predicted labels.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        float
        """
        return super().score(X, plain_target(y), sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples, n_labels)
            For a multilabel target, the probability that each label is present.
        """
        return self._combined(X)

"""How a regressing ensemble answers: values in the shape of the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

__all__ = ["RegressorOutputs"]


class RegressorOutputs(RegressorMixin):
    """Outputs of an ensemble whose combiner gives target values."""

    def predict(self, X: Any) -> np.ndarray:
        """Predict target values.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        table = self._table(X)
        combined = self.combiner_.combine(table)
        two_dimensional = self.cross_fit_.task.y_ndim == 2
        return combined if two_dimensional else combined[:, 0]

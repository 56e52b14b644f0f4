"""A log-linear pool that may also use the probabilities themselves."""

from __future__ import annotations

import numpy as np

from stackens.combiners._logistic import LogLinearPool, is_probability, with_probabilities
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

__all__ = ["TwoScalePool"]

# Near one half, log-odds grow four times as fast as the probability.
SLOPE = 4.0


class TwoScalePool(LogLinearPool):
    """A log-linear pool with a second weight for each model, on the probability itself.

    The score of a class is ``sum_m w[m] * log p[m, class] + 4 * v[m] * (p[m, class] - 1/2) +
    b[class]``. Log-probabilities say much about rows that a model is sure of; where sure models
    are often wrong, as with mistaken labels, bounded probabilities are the better evidence. The
    penalty pulls ``w`` to a plain geometric mean and ``v`` to zero. Models without
    probabilities have only the first weight.

    Parameters
    ----------
    penalty : float, default=3.0
        Strength of the pull, in units of rows.

    Attributes
    ----------
    coef_ : ndarray of shape (n_models, 2), or (n_models, 2, n_labels) for a multilabel task
        ``w`` and ``v`` of each model, in the order of the table's names.
    intercept_ : ndarray of shape (n_outputs,), or (1,) for a binary task

    References
    ----------
    Ting & Witten (1999), Issues in stacked generalization, arXiv:1105.5466 (probabilities as
    inputs); Genest & Zidek (1986), Statistical Science 1(1), DOI 10.1214/ss/1177013825
    (logarithmic pools).

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.TwoScalePool().fit(table).coef_.shape
    (2, 2)
    """

    nonnegative = False

    def __init__(self, penalty: float = 3.0) -> None:
        self.penalty = penalty

    def accepts(self, table: PredictionTable) -> bool:
        return super().accepts(table) and bool(self._with_probabilities(table))

    def _n_features(self, table: PredictionTable) -> int:
        return table.n_models + len(self._with_probabilities(table))

    def _fill(self, table: PredictionTable, values: np.ndarray, features: np.ndarray) -> None:
        super()._fill(table, values, features[:, :, : table.n_models])
        bounded = features[:, :, table.n_models :]
        np.subtract(values[-len(features) :, :, with_probabilities(table)], 0.5, out=bounded)
        bounded *= SLOPE

    @staticmethod
    def _with_probabilities(table: PredictionTable) -> list[int]:
        return [model for model, kind in enumerate(table.response) if is_probability(kind)]

    def _prior(self, table: PredictionTable) -> np.ndarray:
        prior = super()._prior(table)
        return np.concatenate([prior, np.zeros(len(self._with_probabilities(table)))])

    def _store(
        self, coefs: list[np.ndarray], intercepts: list[np.ndarray], rows: OutOfFoldTable
    ) -> None:
        self._keep(coefs, intercepts, rows)
        n_models = rows.n_models
        coef = np.zeros((n_models, 2, len(coefs)))
        for label, found in enumerate(coefs):
            coef[:, 0, label] = found[:n_models]
            coef[self._with_probabilities(rows), 1, label] = found[n_models:]
        self.coef_ = coef[:, :, 0] if rows.task.has_classes else coef

"""Linear meta-learners in closed form from products of the models' predictions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.linalg import eigh

from stackens._core._losses import normalised_weights, output_scales, renormalise
from stackens._core._parallel import single_threaded_blas
from stackens._core._task import Task
from stackens.combiners._base import (
    Combiner,
    WeightedCombiner,
    count_weights,
    fitting_rows,
    require_names,
    require_probabilities,
    weighted_mean,
)
from stackens.combiners._quadratic import gram_matrix, nonnegative_quadratic
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

__all__ = ["NonNegativeLeastSquares", "RidgeLeaveOneOut", "ridge_leave_one_out"]

_BLOCK_ELEMENTS = 1 << 17


def _indicators(target: np.ndarray, task: Task) -> np.ndarray:
    """Return the target as one column for each output."""
    if task.has_classes:
        return (target[:, None] == np.arange(task.n_outputs)).astype(np.float64)
    return target


class NonNegativeLeastSquares(WeightedCombiner):
    """Non-negative weights that minimise squared error (the Brier score for classification).

    Every output shares the weights; squared errors of a multi-output target are divided by
    its variances. There is no intercept.

    Parameters
    ----------
    normalize : bool or None, default=None
        Whether weights are divided by their sum. None means for classification only, where
        rows must stay probabilities.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Weights of at least zero.

    References
    ----------
    Breiman (1996), Stacked regressions, Machine Learning 24, DOI 10.1007/BF00117832

    Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> nnls = se.combiners.NonNegativeLeastSquares().fit(table)
    >>> bool((nnls.weights_ > 0).all())
    True
    """

    ignores_duplicates: ClassVar[bool] = True

    def __init__(self, normalize: bool | None = None) -> None:
        self.normalize = normalize

    def fit(self, out_of_fold: OutOfFoldTable) -> NonNegativeLeastSquares:
        require_probabilities(out_of_fold, type(self).__name__)
        rows = fitting_rows(out_of_fold, type(self).__name__)
        target = _indicators(rows.target, rows.task)
        weights = normalised_weights(rows.sample_weight, rows.n_samples)
        ones = np.ones(rows.n_outputs)
        scales = ones if rows.task.is_classification else output_scales(target, weights)
        with single_threaded_blas:
            gram, cross = gram_matrix(rows.values, target, weights, scales, residuals=False)
            solution = nonnegative_quadratic(gram.sum(axis=0), cross.sum(axis=0))
        normalize = rows.task.is_classification if self.normalize is None else self.normalize
        if normalize:
            total = solution.sum()
            uniform = np.full(rows.n_models, 1.0 / rows.n_models)
            solution = solution / total if total > 0 else uniform
        self.weights_ = solution
        self.names_ = rows.names
        return self

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_names(self, table)
        require_probabilities(table, type(self).__name__)
        combined = weighted_mean(table.values, self.weights_)
        return renormalise(combined, table.task) if table.task.is_classification else combined


def ridge_leave_one_out(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    alphas: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Fit ridge regression for the penalty with the least leave-one-out error.

    With ``h_i`` the leverage of row ``i``, its error when one unit of its weight is left out
    is its residual divided by ``1 - h_i / w_i``: a row of weight 3 is three copies, of which
    one is left out. A row lighter than one unit is left out as a whole. Everything comes from
    one eigendecomposition of the weighted covariance of the features.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_targets)
    weights : ndarray of shape (n_samples,)
        Positive row weights, in units of rows.
    alphas : ndarray of shape (n_alphas,)
        Penalties relative to the mean eigenvalue. Every target takes the same one.

    Returns
    -------
    coef : ndarray of shape (n_targets, n_features)
    intercept : ndarray of shape (n_targets,)
    best : int
        Index of the penalty chosen.
    errors : ndarray of shape (n_alphas, n_targets)
        Weighted mean squared leave-one-out error.

    References
    ----------
    Allen (1974), The relationship between variable selection and data augmentation and a
    method for prediction, Technometrics 16(1), DOI 10.1080/00401706.1974.10489157
    """
    total = weights.sum()
    centre, level = weights @ features / total, weights @ targets / total
    (n, n_features), n_targets, n_alphas = features.shape, targets.shape[1], len(alphas)
    # In blocks that stay in cache: neither centred nor rotated features are ever held as a whole.
    step = max(1, _BLOCK_ELEMENTS // max(n_features, n_alphas * n_targets))
    blocks = [slice(start, start + step) for start in range(0, n, step)]
    covariance, moments = np.zeros((n_features, n_features)), np.zeros((n_features, n_targets))
    for rows in blocks:
        centred, root = features[rows] - centre, np.sqrt(weights[rows])[:, None]
        centred *= root
        covariance += centred.T @ centred
        moments += centred.T @ ((targets[rows] - level) * root)
    eigenvalues, vectors = eigh(covariance)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    level_of_scale = eigenvalues.mean()
    penalties = alphas * (level_of_scale if level_of_scale > 1e-200 else 1.0)
    cross = vectors.T @ moments
    shrink = 1.0 / (eigenvalues + penalties[:, None])
    paths = (shrink.T[:, :, None] * cross[:, None, :]).reshape(n_features, -1)
    errors = np.zeros(n_alphas * n_targets)
    for rows in blocks:
        rotated = (features[rows] - centre) @ vectors
        fitted = (rotated @ paths).reshape(-1, n_alphas, n_targets)
        leverage = np.square(rotated, out=rotated) @ shrink.T
        leverage += 1.0 / total
        leverage *= np.minimum(weights[rows], 1.0)[:, None]
        kept = np.maximum(np.subtract(1.0, leverage, out=leverage), 1e-12, out=leverage)
        residual = np.subtract((targets[rows] - level)[:, None, :], fitted, out=fitted)
        residual /= kept[:, :, None]
        squares = np.square(residual, out=residual).reshape(len(residual), -1)
        errors += (weights[rows] / total) @ squares
    errors = errors.reshape(n_alphas, n_targets)
    least = errors.min(axis=0)
    relative = (errors / np.where(least > 0, least, 1.0)).sum(axis=1)
    # Ties go to the larger penalty, so the grid is read from its end.
    best = n_alphas - 1 - int(relative[::-1].argmin())
    coef = (vectors @ (shrink[best][:, None] * cross)).T
    return coef, level - coef @ centre, best, errors


class RidgeLeaveOneOut(Combiner):
    """Ridge regression on the predictions, its penalty chosen by exact leave-one-out.

    The penalty pulls toward the plain mean of the models and not toward nothing: the ridge
    learns what is left after that mean. Every output is a linear function of all columns of
    the table, plus an intercept. For classification it is fitted to 0/1 indicators; the
    answers are clipped to probabilities and divided by their sum.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or None, default=None
        Penalties relative to the mean eigenvalue of the columns' covariance, in increasing
        order. None means 25 from 1e-10 to 1e2.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_columns)
        Coefficients of the columns of ``table.matrix()``, the mean included.
    intercept_ : ndarray of shape (n_outputs,)
    alpha_ : float
        The relative penalty chosen.

    References
    ----------
    Allen (1974), The relationship between variable selection and data augmentation and a
    method for prediction, Technometrics 16(1), DOI 10.1080/00401706.1974.10489157

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.RidgeLeaveOneOut().fit(table).coef_.shape
    (1, 2)
    """

    def __init__(self, alphas: Any = None) -> None:
        self.alphas = alphas

    def fit(self, out_of_fold: OutOfFoldTable) -> RidgeLeaveOneOut:
        rows = fitting_rows(out_of_fold, type(self).__name__)
        alphas = _checked_alphas(self.alphas)
        target = _indicators(rows.target, rows.task)
        features = np.asarray(rows.matrix(), dtype=np.float64)
        prior = _mean_of_models(rows)
        weights = count_weights(rows)
        # The first class of a binary target follows from the second.
        outputs = [1] if rows.task.kind == "binary" else list(range(rows.n_outputs))
        residual = target[:, outputs] - features @ prior[:, outputs]
        with single_threaded_blas:
            coef, intercept, best, _ = ridge_leave_one_out(features, residual, weights, alphas)
        coef = coef + prior[:, outputs].T
        if rows.task.kind == "binary":
            coef, intercept = np.vstack([-coef, coef]), np.append(1.0 - intercept, intercept)
        self.coef_, self.intercept_ = coef, intercept
        self.alpha_ = float(alphas[best])
        self.names_ = rows.names
        return self

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_names(self, table)
        combined = table.matrix() @ self.coef_.T + self.intercept_
        return renormalise(combined, table.task) if table.task.is_classification else combined


def _mean_of_models(rows: OutOfFoldTable) -> np.ndarray:
    """Coefficients of the plain mean of the models that predict the target itself.

    Shape (n_columns, n_outputs); margins and a regressor's values under a classification task
    take no part.
    """
    columns = rows.columns()
    direct = [
        kind in ("predict_proba", "predict") or not rows.task.is_classification
        for kind in rows.response
    ]
    result = np.zeros((len(columns), rows.n_outputs))
    for index, (model, output) in enumerate(columns):
        if direct[model]:
            result[index, output] = 1.0 / sum(direct)
    return result


def _checked_alphas(alphas: Any) -> np.ndarray:
    if alphas is None:
        return np.logspace(-10, 2, 25)
    values = np.asarray(alphas, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not (values > 0).all():
        raise ValueError(
            "The 'alphas' parameter of RidgeLeaveOneOut must be a list of positive numbers. "
            f"Got {alphas!r}. Leave it at None unless you have a reason."
        )
    return np.sort(values)

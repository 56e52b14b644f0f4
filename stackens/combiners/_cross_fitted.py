"""What a combiner would have said about each row of a table had it not been fitted on it."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from stackens.combiners._base import Combiner, readable_rows
from stackens.out_of_fold import OutOfFoldTable

__all__ = ["cross_fitted_predictions", "place_rows", "table_splits"]

Splits = tuple[tuple[np.ndarray, np.ndarray], ...]
_OWN_FOLDS = 5


def cross_fitted_predictions(combiner: Combiner, out_of_fold: OutOfFoldTable) -> np.ndarray:
    """Combine each row by a combiner fitted on other rows of the table.

    The splits are those of the table; of their training rows only the covered ones are used.
    A score of these predictions is a quick estimate: the predictions in the table were made
    by models that saw the labels of other folds. Only rows set aside before any model was
    fitted give an honest score.

    Parameters
    ----------
    combiner : Combiner
        It is cloned, not fitted. A clone that has a method ``fit_cross_fitted`` is asked for
        them.
    out_of_fold : OutOfFoldTable

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        NaN for rows that no split holds out with something to learn from. Repeated
        predictions of a row are averaged.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "knn": KNeighborsClassifier()}
    >>> table = se.cross_fit(models, X, y).out_of_fold
    >>> simplex = se.combiners.SimplexWeights()
    >>> se.combiners.cross_fitted_predictions(simplex, table).shape
    (178, 3)
    """
    if hasattr(combiner, "fit_cross_fitted"):
        return clone(combiner).fit_cross_fitted(out_of_fold)
    rows = readable_rows(out_of_fold, [combiner]).covered_rows()
    splits = table_splits(rows)
    parts = []
    for train, test in splits:
        fitted = clone(combiner).fit(rows.rows(train))
        parts.append(fitted.combine(rows.rows(test)))
    return place_rows(parts, splits, out_of_fold)


def table_splits(rows: OutOfFoldTable) -> Splits:
    """Return the splits of a fully covered table that leave something to learn from.

    A table without any gets five folds of its own: rows in the order of the target, dealt out
    in turn after a fixed shuffle, so that every fold has its share of every class.
    """
    weights = rows.sample_weight
    heavy = np.ones(rows.n_samples, dtype=bool) if weights is None else weights > 0
    splits = tuple((train, test) for train, test in rows.splits if len(test) and heavy[train].any())
    if splits or rows.n_samples < 2:
        return splits
    shuffled = np.random.default_rng(0).permutation(rows.n_samples)
    target = rows.target.reshape(rows.n_samples, -1).sum(axis=1)
    order = shuffled[np.argsort(target[shuffled], kind="stable")]
    fold = np.empty(rows.n_samples, dtype=np.intp)
    fold[order] = np.arange(rows.n_samples) % _OWN_FOLDS
    return tuple(
        (np.flatnonzero(fold != k), np.flatnonzero(fold == k))
        for k in range(min(_OWN_FOLDS, rows.n_samples))
        if heavy[fold != k].any()
    )


def place_rows(parts: list[np.ndarray], splits: Splits, out_of_fold: OutOfFoldTable) -> np.ndarray:
    """Average the predictions of the splits' test rows into the rows of the whole table.

    Parameters
    ----------
    parts : list of ndarray of shape (n_test, n_outputs)
        Predictions for the test rows of each split.
    splits : tuple of (train, test) pairs
        Index arrays into the covered rows.
    out_of_fold : OutOfFoldTable
        The whole table, with the rows that are not covered.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        NaN where there is no prediction.
    """
    total = np.zeros((out_of_fold.n_samples, out_of_fold.n_outputs))
    count = np.zeros(out_of_fold.n_samples)
    covered = out_of_fold.covered
    index = np.arange(out_of_fold.n_samples) if covered is None else np.flatnonzero(covered)
    for part, (_, test) in zip(parts, splits, strict=True):
        np.add.at(total, index[test], part)
        np.add.at(count, index[test], 1.0)
    total[count == 0] = np.nan
    return total / np.maximum(count, 1.0)[:, None]

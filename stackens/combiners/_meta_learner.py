"""Stacking proper: any estimator as a meta-learner over the table, and over features beside it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone

from stackens._core._rows import is_frame, n_rows
from stackens._core._sklearn import safe_indexing
from stackens.combiners._base import Combiner, require_fitted, require_table
from stackens.out_of_fold import (
    OutOfFoldTable,
    PredictionTable,
    choose_response,
    fit_model,
    model_error,
    respond,
    weight_params,
)

__all__ = ["MetaLearner", "meta_features", "passed_positions"]


class MetaLearner(Combiner):
    """Fits any estimator on the models' predictions.

    Parameters
    ----------
    final_estimator : estimator
        A scikit-learn style classifier or regressor; it is cloned.
    passthrough : bool or list of column names or positions, default=False
        Features that stand beside the predictions: all of them, or these columns.

    Attributes
    ----------
    final_estimator_ : estimator
        The fitted meta-learner.
    passed_ : list of int
        Positions of the features that pass through.

    References
    ----------
    Wolpert (1992). Stacked generalization. Neural Networks 5(2), 241-259.
    Ting & Witten (1999). Issues in stacked generalization. JAIR 10, arXiv:1105.5466.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_wine(return_X_y=True)
    >>> table = se.cross_fit({"nb": GaussianNB()}, X, y).out_of_fold
    >>> meta = se.combiners.MetaLearner(LogisticRegression()).fit(table)
    >>> meta.combine(table).shape
    (178, 3)
    """

    def __init__(self, final_estimator: Any, passthrough: bool | Sequence[Any] = False) -> None:
        self.final_estimator = final_estimator
        self.passthrough = passthrough

    @property
    def reads_features(self) -> bool:
        return True

    def fit(self, out_of_fold: OutOfFoldTable) -> MetaLearner:
        """Fit the meta-learner on the covered rows.

        Raises
        ------
        BaseModelError
            If its fit fails; also a ``TypeError`` when the cause is one.
        """
        require_table(out_of_fold, OutOfFoldTable, type(self).__name__)
        rows = out_of_fold.covered_rows()
        weights = (
            {}
            if rows.sample_weight is None
            else weight_params(self.final_estimator, rows.sample_weight)
        )
        self.final_estimator_ = clone(self.final_estimator)
        seen = meta_features(rows, self.passthrough)
        try:
            # weight_params names the steps of a Pipeline, as they are asked without routing
            with config_context(enable_metadata_routing=False):
                fit_model(self.final_estimator_, seen, rows.y, weights)
        except Exception as error:
            name = type(self.final_estimator).__name__
            advice = "Fix it, or choose another final_estimator or other columns to pass through."
            raise model_error(f"The final estimator ({name}) failed", error, advice) from error
        self.passed_ = _positions(rows.features, self.passthrough)
        self.response_ = choose_response(
            "final_estimator", self.final_estimator_, "auto", out_of_fold.task
        )
        return self

    def combine(self, table: PredictionTable) -> np.ndarray:
        """Return the meta-learner's probabilities, margins or values."""
        require_table(table, PredictionTable, type(self).__name__)
        require_fitted(self)
        return respond(
            self.final_estimator_,
            meta_features(table, self.passthrough),
            self.response_,
            table.task,
        )


def meta_features(table: PredictionTable, passthrough: bool | Sequence[Any] = False) -> Any:
    """Return what a meta-learner sees, in the kind of container that the features came in.

    Predictions stand first, then the features that pass through, with their types kept. A frame
    gives a frame with names, a sparse matrix one of the same format, anything else an array.
    """
    predictions = table.matrix()
    X = table.features
    wants_features = passthrough is True or (passthrough is not False and len(passthrough) > 0)
    if wants_features and X is None:
        raise ValueError(
            "passthrough needs the feature rows, and this table was made without them. "
            "Use a table from cross_fit, or set passthrough=False."
        )
    kept = None
    if wants_features:
        kept = X if passthrough is True else _columns(X, passthrough or ())
    if is_frame(X):
        return _frame(predictions, table.column_names(), X, kept)
    if kept is None:
        return predictions
    if sparse.issparse(kept):
        return sparse.hstack([predictions, kept], format=X.format)
    features = np.asarray(kept).reshape(n_rows(kept), -1)
    if features.dtype.kind in "UST":  # or the predictions would become text as well
        features = features.astype(object)
    return np.hstack([predictions, features])


def passed_positions(X: Any, passthrough: Sequence[Any]) -> list[int]:
    """Return the positions of columns given by name or, where none is so called, by position.

    Raises
    ------
    ValueError
        If X does not have one of them, or one is meant twice.
    """
    if any(isinstance(column, bool | np.bool_) for column in passthrough):
        raise ValueError(
            "The 'passthrough' parameter must be True, False, or hold names or positions of "
            f"columns. Got a mask, {list(passthrough)!r:.100}. Give the positions, with "
            "numpy.flatnonzero(mask).tolist()."
        )
    width = X.shape[1]
    named = list(X.columns) if is_frame(X) else []
    missing = [c for c in passthrough if c not in named and not _is_position(c, width)]
    if missing and named:
        raise ValueError(
            f"The 'passthrough' parameter must name columns of X. Got {missing}, which are "
            f"not among {named[:20]}. Correct the names."
        )
    if missing:
        raise ValueError(
            f"The 'passthrough' parameter must hold column positions below {width} when X has no "
            f"column names. Got {list(passthrough)}. Correct the positions, or pass a DataFrame."
        )
    positions = [named.index(c) if c in named else int(c) % width for c in passthrough]
    repeated = [c for i, c in enumerate(passthrough) if positions[i] in positions[:i]]
    if repeated:
        raise ValueError(
            f"The 'passthrough' parameter must name each column once. Got {repeated} again, among "
            f"{list(passthrough)!r:.200}. Leave the repeats out."
        )
    return positions


def _positions(X: Any, passthrough: bool | Sequence[Any]) -> list[int]:
    if isinstance(passthrough, bool):
        return list(range(math.prod(X.shape[1:]))) if passthrough else []
    return passed_positions(X, passthrough) if len(passthrough) else []


def _columns(X: Any, wanted: Sequence[Any]) -> Any:
    return safe_indexing(X, passed_positions(X, wanted), axis=1)


def _is_position(column: Any, width: int) -> bool:
    return isinstance(column, int | np.integer) and bool(-width <= column < width)


def _frame(predictions: np.ndarray, names: list[str], X: Any, kept: Any) -> Any:
    clash = [] if kept is None else sorted(set(names) & {str(column) for column in kept.columns})
    if clash:
        raise ValueError(
            f"Columns that pass through must not be called like a base model. Got {clash} for "
            "both. Rename the base model or the column."
        )
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(X, polars.DataFrame):
        frame = polars.DataFrame({name: predictions[:, i] for i, name in enumerate(names)})
        return frame if kept is None else frame.hstack(kept.get_columns())
    index = X.index if isinstance(X, pd.DataFrame) else None
    frame = pd.DataFrame(predictions, columns=names, index=index)
    if kept is None:
        return frame
    # scikit-learn refuses frames that mix text and numbers among the column names.
    return pd.concat([frame, kept.set_axis(list(map(str, kept.columns)), axis=1)], axis=1)

"""A mixed set of base models for any table, so that a comparison can start without choosing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from stackens._core._rows import as_features, check_columns, check_same_rows, n_rows
from stackens._core._task import Task, infer_task, plain_target
from stackens.neural import TorchMLPClassifier, TorchMLPRegressor
from stackens.preprocessing import TabularEncoder

__all__ = ["default_estimators"]

_SMALL, _LARGE = 5_000, 20_000  # rows
_MANY_CLASSES = 5
_MOST_LABELS = 20  # different whole numbers that still count as classes


def default_estimators(
    X: Any, y: Any, *, classification: bool | None = None, random_state: int | None = 0
) -> list[tuple[str, Any]]:
    """Return a mixed set of base models that suits the task and the number of rows.

    Two boosted, two bagged, one linear model and a network err in different ways, which is what
    combining lives on. Each takes any DataFrame, with text, dates, missing values and, at predict
    time, levels never seen: it is a Pipeline that begins with :class:`stackens.TabularEncoder`,
    or has one in itself.

    =================  ===================================================================
    name               what it is
    =================  ===================================================================
    lightgbm           31 leaves, rate 0.05, half of the columns for each tree, 200 trees
                       (400 from 20,000 rows; 100 at rate 0.1 for more than 5 classes)
    lightgbm_shallow   7 leaves, rate 0.1, 200 trees (300 from 5,000 rows; 100 for more
                       than 5 classes)
    random_forest      200 trees (100 from 5,000 rows), leaves of at least 1 to 5 rows
    extra_trees        the same number, drawn with replacement so that out-of-bag works
    linear             logistic regression, or ridge with its penalty from leave-one-out
    mlp                TorchMLPClassifier or TorchMLPRegressor as they are, if torch is
                       installed and X is not sparse
    =================  ===================================================================

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Training rows. Only their number and whether they are sparse matter here.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    classification : bool or None, default=None
        Whether y holds classes. None decides by y: floats with a fractional part are numbers,
        and so are whole numbers of more than 20 different values.
    random_state : int or None, default=0
        Seed of every model that has one.

    Returns
    -------
    list of (str, estimator) pairs

    Notes
    -----
    Chosen on ten tables of 1,000 to 24,000 rows by log loss or RMSE on held-out rows. Of the
    boosted settings, half of the columns with 31 leaves was best or near it on tables with many
    informative columns, and 7 leaves on small noisy ones. Forests of two classes gain from
    leaves of 3 rows; forests of several classes or of numbers lose. LightGBM is held at one
    thread: base models run side by side anyway, and its threads are slow on busy cores.
    Without the network they fit 5,000 rows of 20 columns in about 2 seconds of one core; it takes
    as long as all the others together.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> [name for name, _ in se.default_estimators(X, y)][:5]
    ['lightgbm', 'lightgbm_shallow', 'random_forest', 'extra_trees', 'linear']
    """
    X = as_features(X)
    check_columns(X)
    check_same_rows(X=X, y=y)
    if classification is None and _are_numbers(plain_target(y)):
        classification = False
    task, _ = infer_task(y, classification=classification)
    plan = _Plan(n_rows(X), task, sparse.issparse(X), random_state)
    found = [
        ("lightgbm", plan.behind_encoder(plan.boosted(shallow=False), impute=None)),
        ("lightgbm_shallow", plan.behind_encoder(plan.boosted(shallow=True), impute=None)),
        ("random_forest", plan.behind_encoder(plan.forest(extra=False))),
        ("extra_trees", plan.behind_encoder(plan.forest(extra=True))),
        ("linear", plan.linear()),
    ]
    if find_spec("torch") and not plan.is_sparse:
        found.append(("mlp", plan.network()))
    return found


def _are_numbers(y: Any) -> bool:
    """Whether y has too many different whole numbers to be classes."""
    values = np.asarray(y)
    return values.ndim == 1 and values.dtype.kind in "iuf" and len(np.unique(values)) > _MOST_LABELS


@dataclass(frozen=True)
class _Plan:
    """What the sizes depend on."""

    n_samples: int
    task: Task
    is_sparse: bool
    random_state: int | None

    @property
    def many_classes(self) -> bool:
        return self.task.has_classes and self.task.n_outputs > _MANY_CLASSES

    def boosted(self, *, shallow: bool) -> Any:
        from lightgbm import LGBMClassifier, LGBMRegressor

        if shallow:
            n_estimators = 200 if self.n_samples < _SMALL else 300
            settings = {"num_leaves": 7, "learning_rate": 0.1, "colsample_bytree": 0.8}
        else:
            n_estimators = 200 if self.n_samples < _LARGE else 400
            rate = 0.1 if self.many_classes else 0.05
            settings = {"num_leaves": 31, "learning_rate": rate, "colsample_bytree": 0.5}
        kind = LGBMClassifier if self.task.is_classification else LGBMRegressor
        model = kind(
            n_estimators=100 if self.many_classes else n_estimators,
            random_state=self.random_state,
            n_jobs=1,
            verbose=-1,
            deterministic=True,
            force_row_wise=True,
            **settings,
        )
        if self.task.kind == "multilabel":
            return OneVsRestClassifier(model)
        return MultiOutputRegressor(model) if self.task.y_ndim == 2 else model

    def forest(self, *, extra: bool) -> Any:
        settings: dict[str, Any] = {
            "n_estimators": 200 if self.n_samples < _SMALL else 100,
            "min_samples_leaf": self._leaf(),
            "bootstrap": True,
            "random_state": self.random_state,
        }
        if self.task.is_classification:
            kind = ExtraTreesClassifier if extra else RandomForestClassifier
            return kind(max_features="sqrt", **settings)
        if extra:
            return ExtraTreesRegressor(max_features=0.5, **settings)
        return RandomForestRegressor(max_features=1 / 3, **settings)

    def _leaf(self) -> int:
        if self.task.kind == "binary":
            return 3 if self.n_samples < _LARGE else 5
        if self.n_samples < _SMALL:
            return 1
        return 2 if self.n_samples < _LARGE else 5

    def linear(self) -> Pipeline:
        if self.task.is_classification:
            model = LogisticRegression(max_iter=1000, random_state=self.random_state)
            if self.task.kind == "multilabel":
                model = OneVsRestClassifier(model)
        else:
            model = RidgeCV(np.logspace(-2, 4, 13))
        if self.is_sparse:
            return make_pipeline(MaxAbsScaler(), model)
        settings = {"min_frequency": 5, "max_categories": 50}
        return self.behind_encoder(
            model, encoding="one-hot", scale=True, add_indicator=True, **settings
        )

    def network(self) -> Any:
        if not self.task.is_classification:
            return TorchMLPRegressor(random_state=self.random_state)
        model = TorchMLPClassifier(random_state=self.random_state)
        return OneVsRestClassifier(model) if self.task.kind == "multilabel" else model

    def behind_encoder(self, model: Any, **settings: Any) -> Any:
        return model if self.is_sparse else make_pipeline(TabularEncoder(**settings), model)

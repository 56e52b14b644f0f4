"""Small base models for the tests: they record, count, fail or answer on purpose."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on; predicts class frequencies (sums of weights)."""

    def __init__(self, tag=None, n_jobs=None):
        self.tag = tag
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        self.X_, self.y_, self.sample_weight_ = X, y, sample_weight
        self.n_jobs_in_fit_ = self.n_jobs
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        weights = np.bincount(codes, weights=sample_weight, minlength=len(self.classes_))
        self.frequencies_ = weights / weights.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.frequencies_, (X.shape[0], 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class CountingClassifier(ClassifierMixin, BaseEstimator):
    """Counts all fits and predictions of its class, and looks at the first feature."""

    fits = 0
    predictions = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        type(self).predictions += 1
        p = 1 / (1 + np.exp(-np.asarray(X)[:, 0]))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class FailingClassifier(ClassifierMixin, BaseEstimator):
    """Raises in fit, or from the given fit on; answers NaN when ``nan`` is set."""

    def __init__(self, error=ValueError, nan=False, max_rows=0):
        self.error = error
        self.nan = nan
        self.max_rows = max_rows

    def fit(self, X, y):
        if not self.nan and len(y) > self.max_rows:
            raise self.error("broken on purpose")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        value = np.nan if self.nan else 1 / len(self.classes_)
        return np.full((X.shape[0], len(self.classes_)), value)

    def predict(self, X):
        return np.repeat(self.classes_[:1], X.shape[0])


class RowMeanRegressor(RegressorMixin, BaseEstimator):
    """Predicts the mean of the training target plus the first feature."""

    def fit(self, X, y):
        self.mean_ = np.mean(y)
        self.n_train_ = len(y)
        return self

    def predict(self, X):
        return self.mean_ + np.asarray(X)[:, 0]


class PlainObject:
    """A model with fit and predict and nothing from scikit-learn but get_params."""

    def __init__(self, flip=False):
        self.flip = flip

    def get_params(self, deep=True):
        return {"flip": self.flip}

    def set_params(self, **params):
        vars(self).update(params)
        return self

    def fit(self, X, y):
        self.classes_ = np.unique(y)

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]

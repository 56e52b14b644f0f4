"""Lessons for tests of students: a known teacher, drawn labels, every kind of task."""

from __future__ import annotations

import numpy as np

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson


def class_task(n_classes):
    kind = "binary" if n_classes == 2 else "multiclass"
    return Task(kind, n_classes, np.array([f"class {k:02d}" for k in range(n_classes)]))


def class_lesson(n_classes=3, n=300, *, seed=0, n_features=4, **changes):
    """Rows whose classes are drawn from what the teacher says."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    soft = np.exp(1.5 * X @ rng.normal(size=(n_features, n_classes)))
    soft /= soft.sum(axis=1, keepdims=True)
    codes = (soft.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    given = {
        "X": X,
        "soft": soft,
        "hard": np.eye(n_classes)[codes],
        "task": class_task(n_classes),
        "weight": np.ones(n),
    }
    return Lesson(**{**given, **changes})


def value_lesson(n_outputs=1, n=300, *, seed=0, **changes):
    """Rows whose values are what the teacher says plus noise of deviation 1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    soft = np.column_stack([X[:, 0] * (k + 1) + X[:, 1] for k in range(n_outputs)])
    given = {
        "X": X,
        "soft": soft,
        "hard": soft + rng.normal(size=soft.shape),
        "task": Task("regression", n_outputs, y_ndim=1 if n_outputs == 1 else 2),
        "weight": np.ones(n),
        "loss": "squared_error",
    }
    return Lesson(**{**given, **changes})


def quantile_lesson(levels=(0.1, 0.5, 0.9), n=300, *, seed=0, **changes):
    """One value with noise of deviation 1, and a teacher that knows its quantiles."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    noise = np.quantile(np.random.default_rng(1).normal(size=100_000), levels)
    y = 2.0 * X[:, 0] + rng.normal(size=n)
    given = {
        "X": X,
        "soft": 2.0 * X[:, :1] + noise,
        "hard": np.repeat(y[:, None], len(levels), axis=1),
        "task": Task("regression", len(levels)),
        "weight": np.ones(n),
        "loss": "pinball",
        "quantiles": levels,
    }
    return Lesson(**{**given, **changes})


def every(k, n):
    """Mark every k-th of n rows."""
    return np.arange(n) % k == 0

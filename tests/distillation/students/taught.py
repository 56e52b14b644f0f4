"""Small lessons of known targets, for the tests of students."""

import numpy as np
import pandas as pd

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson

LABELS = {2: np.array(["no", "yes"]), 3: np.array(["a", "b", "c"])}


def classes(n_classes=3, n=240, *, seed=0, **changes):
    """Rows of a frame whose teacher is a softmax of their columns; labels are drawn from it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    scores = X @ np.random.default_rng(1).normal(size=(3, n_classes)) * 1.5
    soft = np.exp(scores - scores.max(axis=1, keepdims=True))
    soft /= soft.sum(axis=1, keepdims=True)
    drawn = (rng.random((n, 1)) > soft.cumsum(axis=1)[:, :-1]).sum(axis=1)
    kind = "binary" if n_classes == 2 else "multiclass"
    given = {
        "X": pd.DataFrame(X, columns=["x", "y", "z"]),
        "soft": soft,
        "hard": np.eye(n_classes)[drawn],
        "task": Task(kind, n_classes, LABELS[n_classes]),
        "weight": np.ones(n),
    }
    return Lesson(**given | changes)


def values(n_outputs=1, n=240, *, noise=0.5, seed=0, **changes):
    """Rows of an array with values far from zero, and their true values with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    soft = 1000.0 + 50.0 * X[:, :n_outputs] + 20.0 * X[:, [2]]
    given = {
        "X": X,
        "soft": soft,
        "hard": soft + 50.0 * noise * rng.normal(size=soft.shape),
        "task": Task("regression", n_outputs, y_ndim=1 if n_outputs == 1 else 2),
        "weight": np.ones(n),
        "loss": "squared_error",
    }
    return Lesson(**given | changes)


def held_back(n, every=5):
    """A mask of rows to stop by."""
    return np.arange(n) % every == 0


def silent(lesson, rows, *, teacher=True):
    """The targets of a lesson, of one side, with NaN where that side says nothing."""
    targets = (lesson.soft if teacher else lesson.hard).copy()
    targets[rows] = np.nan
    return targets


def excess(student, lesson, X=None):
    """Loss beyond the teacher's own, as a share of that of a constant."""
    own = lesson.mean_loss(lesson.soft)
    nothing = lesson.mean_loss(lesson.soft.mean(axis=0) + 0 * lesson.soft)
    return (lesson.mean_loss(student.outputs(lesson.X if X is None else X)) - own) / (nothing - own)

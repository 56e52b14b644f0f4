"""What tabular students share: how tables reach them, and their fitted form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from stackens._core._rows import as_features
from stackens.distillation._lesson import Lesson
from stackens.distillation.students._base import FittedStudent
from stackens.export.program import Graph
from stackens.export.readers import Table, read_transform
from stackens.preprocessing import TabularEncoder

__all__ = ["FittedTabular", "dense_table", "encoded", "path_of", "require_settings"]

_OTHERS = (
    "Use a student that can take them: a torch module or a scikit-learn estimator, such as a "
    "Pipeline."
)


@dataclass(eq=False, repr=False)
class FittedTabular(FittedStudent):
    """A student that reads a matrix of numbers, which its encoder makes of a table.

    Parameters
    ----------
    task, label, path
        As for :class:`FittedStudent`.
    encoder : TabularEncoder
        Fitted; it is public, as exports need it.
    """

    encoder: TabularEncoder

    @abstractmethod
    def outputs_of_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """Return probabilities or values of encoded rows, shape (n_samples, n_outputs)."""

    @abstractmethod
    def ask_one(self) -> Callable[[Any], Any]:
        """Return a function of one encoded row, float64 of shape (1, n_features)."""

    @abstractmethod
    def _read_matrix(self, graph: Graph, table: Table) -> int:
        """Return the node of :meth:`outputs_of_matrix` in an exported program."""

    def outputs(self, X: Any) -> np.ndarray:
        return self.outputs_of_matrix(self._matrix(X))

    def _read_outputs(self, graph: Graph, table: Table) -> int:
        return self._read_matrix(graph, read_transform(self.encoder, graph, table))

    def bare(self, X: Any) -> tuple[Callable[[Any], Any], list[Any]]:
        matrix = self._matrix(X)
        return self.ask_one(), [matrix[i : i + 1].copy() for i in range(len(matrix))]

    def _matrix(self, X: Any) -> np.ndarray:
        return self.encoder.transform(dense_table(X, self.label))


def encoded(lesson: Lesson, encoder: TabularEncoder, student: str) -> Lesson:
    """Fit an encoder on a lesson's rows, and return the lesson with X as a matrix of numbers.

    Rows of weight 0 are left out. Weights come in units of rows: those with a mean below one
    cannot stand for copies and are scaled to a mean of one, so that least sizes of leaves and
    penalties mean the same whatever the weights' scale.

    Raises
    ------
    ValueError, TypeError
        If X is sparse, no table, or no row has a weight.
    """
    X = dense_table(lesson.X, student)
    counts = lesson.weight > 0
    lesson = replace(lesson, X=X)
    if not counts.all():
        if not counts.any():
            raise ValueError(
                f"{student} needs rows to learn from. Got {len(lesson)} rows of weight 0. Pass "
                "some rows with a positive weight."
            )
        lesson = lesson.take(counts)
    weight = np.asarray(lesson.weight, dtype=np.float64)
    mean = weight.mean()
    if mean < 1.0:
        weight = weight / mean
    matrix = encoder.fit(lesson.X, sample_weight=weight).transform(lesson.X)
    return replace(lesson, X=matrix, weight=weight)


def dense_table(X: Any, student: str) -> Any:
    """Return X if it is a table: rows and columns, in memory and dense."""
    X = as_features(X)
    if sparse.issparse(X):
        raise TypeError(
            f"{student} needs a dense table. Got a sparse {type(X).__name__}. {_OTHERS}"
        )
    n_dimensions = getattr(X, "ndim", 2 if hasattr(X, "columns") else 1)
    if n_dimensions == 2:
        return X
    what = "texts or dicts" if n_dimensions == 1 else f"{n_dimensions} dimensions"
    raise ValueError(
        f"{student} needs a table of rows and columns. Got a {type(X).__name__} of {what}. "
        + _OTHERS
    )


def path_of(lesson: Lesson) -> str:
    """Say in words how a student with soft losses learns from a lesson."""
    if not (lesson.soft_share > 0).any():
        return "hard labels"
    if not lesson.task.is_classification:
        return "squared error"
    if lesson.loss == "squared_logits":
        return "squared error of logits"
    if lesson.temperature == 1.0:
        return "soft cross-entropy"
    return f"soft cross-entropy at temperature {lesson.temperature:g}"


def require_settings(student: Any, least: dict[str, float]) -> None:
    """Refuse settings of a recipe that are no numbers, or less than what makes sense.

    Parameters
    ----------
    student : Student
    least : dict of str to int or float
        Least value of each; an int where a whole number is needed.

    Raises
    ------
    ValueError
        If one is not.
    """
    for name, bound in least.items():
        value = getattr(student, name)
        whole = isinstance(bound, int)
        kind = Integral if whole else Real
        if isinstance(value, bool) or not isinstance(value, kind) or not float(value) >= bound:
            raise ValueError(
                f"The '{name}' parameter of {type(student).__name__} must be a "
                f"{'whole ' if whole else ''}number of at least {bound:g}. Got {value!r}. Use the "
                f"default, {getattr(type(student), name)!r}, or a larger number."
            )

"""What every student is: a recipe of a size that learns a lesson, and what came out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson
from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers import Method, Table

__all__ = ["FittedStudent", "Student"]


class Student(ABC):
    """A kind of student of one size, before it has learnt anything.

    Subclasses are frozen dataclasses of their settings, so that recipes compare and print.

    Attributes
    ----------
    family : str
        Name that users choose the kind by (a class attribute).
    stops_early : bool
        Whether ``lesson.stopping`` rows are held back (a class attribute).
    reads_tables : bool
        Whether it learns from dense tables only (a class attribute).
    """

    family: ClassVar[str]
    stops_early: ClassVar[bool] = False
    reads_tables: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """Short name with the size, such as ``"lightgbm 100x31"``."""

    @classmethod
    def sweep(cls, task: Task, n_samples: int) -> list[Self]:
        """Return recipes of rising size, for a search; only the default where size is fixed."""
        return [cls()]

    def variants(self) -> list[Self]:
        """Return the same size with other settings that are worth trying, each with its label."""
        return []

    @abstractmethod
    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedStudent:
        """Learn a lesson.

        Parameters
        ----------
        lesson : Lesson
            It is not changed.
        random_state : int or None, default=None
            Seed of whatever is drawn.

        Raises
        ------
        ValueError, TypeError
            If this kind of student cannot take the lesson; the message says what could.
        """


@dataclass(eq=False, repr=False)
class FittedStudent(ABC):
    """A student that has learnt: it answers raw rows, and can be measured without them.

    Parameters
    ----------
    task : Task
    label : str
        As its recipe's.
    path : str
        How it learnt: ``"soft cross-entropy"``, ``"squared error"``, ``"squared error of logits"``,
        ``"weighted copies of each class"`` or ``"hard labels"``, with what else is to be said.
    """

    task: Task
    label: str
    path: str

    @abstractmethod
    def outputs(self, X: Any) -> np.ndarray:
        """Return probabilities or values for raw rows, float64 of shape (n_samples, n_outputs)."""

    @abstractmethod
    def n_bytes(self) -> float:
        """Return the bytes of the bare model: text of a booster, arrays, or a pickle.

        NaN for an estimator that cannot be pickled.
        """

    @abstractmethod
    def bare(self, X: Any) -> tuple[Callable[[Any], Any], list[Any]]:
        """Return what a single row costs: a function, and raw rows X prepared for it one by one.

        Parameters
        ----------
        X : rows, as :meth:`outputs` takes them

        Returns
        -------
        ask : callable
            Predicts one prepared row on one thread, without preprocessing and validation.
        rows : list of length n_samples
            Prepared rows.
        """

    @available_if(lambda self: self.task.is_classification)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, shape (n_samples, n_classes), columns as in ``classes_``."""
        return self.outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return labels or values, as scikit-learn's estimators do."""
        outputs = self.outputs(X)
        if self.task.has_classes:
            return self.task.decode(outputs.argmax(axis=1))
        return outputs if self.task.y_ndim == 2 or outputs.shape[1] > 1 else outputs[:, 0]

    def _read_into(self, graph: Graph, table: Table, method: Method) -> int:
        """Return the node of what this student answers, in an exported program."""
        node = self._read_outputs(graph, table)
        return graph.argmax(node) if method == "predict" and self.task.has_classes else node

    def _read_outputs(self, graph: Graph, table: Table) -> int:
        """Return the node of :meth:`outputs` in an exported program."""
        raise ExportError(
            f"A {type(self).__name__} cannot be exported. Got {self!r}. Distil into a student that "
            "can: 'lightgbm', 'tree', 'linear' or 'mlp'."
        )

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        if self.task.classes is None:
            raise AttributeError("A student for regression has no classes_.")
        return self.task.classes

    def __repr__(self) -> str:
        return f"<{self.label}, learnt by {self.path}>"

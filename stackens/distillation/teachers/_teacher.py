"""What every teacher is: it learns rows, labels them honestly, and answers for others."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Literal

import numpy as np

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens.distillation.teachers._labelling import Labelling
from stackens.distillation.teachers._model import Model
from stackens.exceptions import BaseModelError
from stackens.out_of_fold import model_error

__all__ = ["FittedTeacher", "Teacher", "TeacherRows", "TeachingOptions"]


@dataclass(frozen=True, eq=False)
class TeacherRows:
    """Rows that a teacher learns from, or only labels.

    Parameters
    ----------
    X : rows of any kind
        As the user gave them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        As the user gave it.
    task : Task
        What is predicted in all rows of the user, also where these are a part of them: a class
        that this part lacks keeps its column.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
    groups : ndarray of shape (n_samples,) or None, default=None
    seen : ndarray of bool of shape (n_samples,) or None, default=None
        Rows that a teacher, or parts of it, which are not fitted here were trained on. None: not
        known.
    targets : ndarray of shape (n_samples, n_outputs) or (n_samples,) or None, default=None
        Soft targets that exist already.
    n_outputs : int or None, default=None
        Columns of a soft target; None: those of the task. Quantiles of one number are several.
    """

    X: Any
    y: Any
    task: Task
    sample_weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    seen: np.ndarray | None = None
    targets: np.ndarray | None = None
    n_outputs: int | None = None

    def __len__(self) -> int:
        return n_rows(self.X)

    @property
    def none_seen(self) -> bool:
        """Whether it is said that what is fitted already saw none of the rows."""
        return self.seen is not None and not self.seen.any()

    @property
    def width(self) -> int:
        """Columns of a soft target."""
        return self.task.n_outputs if self.n_outputs is None else self.n_outputs


@dataclass(frozen=True)
class TeachingOptions:
    """How a teacher learns and labels.

    Parameters
    ----------
    cv : int, splitter or list of (train, test) pairs, default=5
        Folds of teachers that have none of their own.
    n_repeats : int, default=1
        Cross-fits with other folds and seeds, whose labels are averaged. It cuts label noise and
        costs as many fits; the model for new rows is that of the first.
    soft_targets : {"auto", "in_sample"}, default="auto"
        ``"auto"`` are honest targets where that is possible. ``"in_sample"`` lets the teacher
        label the very rows that it was fitted on.
    calibrate : bool, default=True
        Whether probabilities get a temperature where out-of-fold ones are there to learn it from,
        and votes the share of them that is right.
    n_jobs : int or None, default=None
        Fits at the same time.
    random_state : int or None, default=None
        Seed of folds, and of teachers that have none.
    verbose : int, default=0
        Above 0 shows progress, with rows and the remaining time.
    cache : path or None, default=None
        Folder for labels, so that an interrupted run goes on where it stopped.
    cache_key : str or None, default=None
        Stands for the teacher in the cache in place of a hash of its parameters or weights, for
        functions and whatever cannot be hashed. It has to change with the teacher; code is never
        part of a hash.
    """

    cv: Any = 5
    n_repeats: int = 1
    soft_targets: Literal["auto", "in_sample"] = "auto"
    calibrate: bool = True
    n_jobs: int | None = None
    random_state: int | None = None
    verbose: int = 0
    cache: str | PathLike[str] | None = None
    cache_key: str | None = None


class Teacher(ABC):
    """Something that predicts, before it has learnt these rows.

    Attributes
    ----------
    fits : bool
        Whether :meth:`learn` fits it; a frozen one labels rows as it is (a class attribute).
    """

    fits: ClassVar[bool]

    @abstractmethod
    def learn(self, rows: TeacherRows, options: TeachingOptions) -> FittedTeacher:
        """Fit it, where it is fitted, and label the rows without having seen their answers.

        Parameters
        ----------
        rows : TeacherRows
            They are not changed.
        options : TeachingOptions

        Raises
        ------
        ValueError, TypeError
            If it does not suit the rows; the message says what would.
        BaseModelError
            If its fit fails.
        """


class FittedTeacher:
    """A teacher that has learnt rows: their honest soft targets, and answers for other rows.

    Parameters
    ----------
    rows : TeacherRows
        What it learnt; only their task and width are kept.
    soft : ndarray of shape (n_samples, n_outputs)
        Probabilities or values, calibrated. NaN in all of a row about which it says nothing.
    source : str
        Where they come from, in words for a report: ``"out-of-fold, 5 folds"``.
    model : Model, callable without arguments, or None
        What answers for other rows, or makes it when it is first needed. None: nothing does.
    labelling : Labelling
        Counts and stores.
    temperature : float or None
        What calibrated the probabilities; above 1 where they were too sure. None: nothing did.
    seconds : float
        Time to learn, in seconds.
    """

    def __init__(
        self,
        rows: TeacherRows,
        soft: np.ndarray,
        source: str,
        model: Model | Callable[[], Model] | None,
        labelling: Labelling,
        *,
        temperature: float | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.task = rows.task
        self.n_outputs = rows.width
        self.soft = soft
        self.source = source
        self._model = model
        self.temperature_ = temperature
        self.seconds = seconds
        self._labelling = labelling

    def outputs(self, X: Any) -> np.ndarray:
        """Return calibrated answers for rows, float64 of shape (n_samples, n_outputs).

        They are asked for chunk by chunk, counted, and stored where there is a cache.

        Raises
        ------
        ValueError
            If soft targets were given as numbers, or an answer is not what a teacher may say.
        """
        return self._labelling.label(self._ask, X, self.n_outputs)

    def _ask(self, X: Any) -> np.ndarray:
        model = self.model
        if model is None:
            raise ValueError(
                "Soft targets given as numbers cannot label other rows. Got rows to label without "
                "a teacher. Pass the teacher itself or a function that predicts, or do without "
                "extra rows."
            )
        try:
            values = model.ask(X)
        except BaseModelError:
            raise
        except Exception as error:  # the models are the user's, and may fail in any way
            raise model_error(
                "The teacher failed on rows that it was to label",
                error,
                "Give it, as X_unlabeled too, rows like those it learnt from.",
            ) from error
        return model.finished(values, n_rows(X))

    @property
    def model(self) -> Model | None:
        """What answers: ``model(X)`` is the same as ``outputs(X)``, neither counted nor stored.

        It is fitted now where the labels came from a cache. None where soft targets were given.
        """
        if self._model is not None and not isinstance(self._model, Model):
            start = time.perf_counter()
            self._model = self._model()
            self.seconds += time.perf_counter() - start
        return self._model

    def kept(self, name: str, n: int, make: Callable[[], Sequence[float]]) -> list[float]:
        """Return n numbers about this teacher, made now or, where there is a cache, once."""
        store = self._labelling.store
        if store is None:
            return list(make())
        key = store.key(name, teacher=self._labelling.key)
        found = store.get(key, numbers=(n,))
        if found is None:
            found = {"numbers": np.asarray(make(), dtype=np.float64)}
            store.put(key, **found)
        return found["numbers"].tolist()

    @property
    def n_calls(self) -> int:
        """How many times it was asked for labels; each chunk of rows is a call."""
        return self._labelling.n_calls

    @property
    def rows_labelled(self) -> int:
        """Rows that it was asked about; those found in the cache are not among them."""
        return self._labelling.n_rows

    def __repr__(self) -> str:
        return f"<teacher of {len(self.soft)} rows, soft targets {self.source}>"

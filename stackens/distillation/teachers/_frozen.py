"""Teachers that are never fitted here: functions, networks and fitted objects label as they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from stackens._core._losses import looks_like_probabilities, softmax
from stackens._core._rows import as_array, n_rows, take_rows
from stackens._core._task import Task
from stackens._core._warning import warn
from stackens.distillation._given_rows import given_mask
from stackens.distillation.teachers._calibration import Calibration, fitted_calibration
from stackens.distillation.teachers._cross_fitted import remark_on, temperature_of
from stackens.distillation.teachers._label_store import LabelStore, hash_of_teacher
from stackens.distillation.teachers._labelling import Labelling
from stackens.distillation.teachers._model import AskedModel, Model, checked_targets
from stackens.distillation.teachers._networks import ask_network, is_network, output_of_network
from stackens.distillation.teachers._teacher import (
    FittedTeacher,
    Teacher,
    TeacherRows,
    TeachingOptions,
)
from stackens.exceptions import LeakageWarning
from stackens.out_of_fold import choose_response, model_error

__all__ = ["FrozenTeacher"]

Output = Literal["auto", "probabilities", "logits", "values"]


class FrozenTeacher(Teacher):
    """A function, a trained network or a fitted object that labels rows as it is.

    Whether it saw the rows that it labels is not known here, so :meth:`learn` warns, unless a
    mask of the rows it saw is given (only the others are labelled, and calibrate it) or in-sample
    labels are asked for.

    Parameters
    ----------
    teacher : callable, torch module, Keras model, or object with predict
    output : {"auto", "probabilities", "logits", "values"}, default="auto"
        What a function or network returns. For classes functions return probabilities unless
        it is said here; of networks the last layer tells, where it can. Objects with nothing but
        predict return labels unless it is said here, as for a Booster of LightGBM.
    """

    fits = False

    def __init__(self, teacher: Any, output: Output = "auto") -> None:
        self.teacher = teacher
        self.output = output

    def learn(self, rows: TeacherRows, options: TeachingOptions) -> FittedTeacher:
        """Label the rows; see :meth:`Teacher.learn`."""
        start = time.perf_counter()
        model = self._model(rows)
        labelling = Labelling(verbose=options.verbose)
        if options.cache is not None:
            store = LabelStore(options.cache)
            identity = hash_of_teacher(self.teacher, options.cache_key)
            answers = (self.output, rows.width, rows.task.output_names())
            key = store.key("as it is", teacher=identity, answers=answers)
            labelling = Labelling(store, key, options.verbose)
        accepted = options.soft_targets == "in_sample"
        asked = self._asked_about(rows, accepted)
        X = rows.X if asked.all() else take_rows(rows.X, asked)
        values = labelling.label(model.ask, X, rows.width)
        model = replace(model, calibration=self._calibration(model, values, rows, asked, options))
        soft = np.full((len(rows), rows.width), np.nan)
        soft[asked] = model.finished(values, len(values))
        if rows.seen is not None and not accepted:
            source = f"of the teacher as it is, for {int(asked.sum())} rows it has not seen"
        else:
            source = "of the teacher as it is" + (", accepted by name" if accepted else "")
        labelling.key += f" {model.calibration}"  # what it says of other rows is calibrated
        return FittedTeacher(
            rows,
            soft,
            source + remark_on(model),
            model,
            labelling,
            temperature=temperature_of(model.calibration),
            seconds=time.perf_counter() - start,
        )

    def _asked_about(self, rows: TeacherRows, accepted: bool) -> np.ndarray:
        """Return a mask of the rows that it labels."""
        if accepted:
            return np.ones(len(rows), dtype=bool)
        if rows.seen is None:
            warn(
                "The teacher is not fitted here and labels rows as it is: whether it was trained "
                "on them is not known. If it was, its labels and its score look better than they "
                "are, and the student inherits that. Pass seen_by_teacher=, a mask of the rows it "
                "was trained on, or accept such labels with soft_targets='in_sample'.",
                LeakageWarning,
            )
            return np.ones(len(rows), dtype=bool)
        seen = cast(np.ndarray, given_mask(rows.seen, len(rows)))
        if seen.all():
            raise ValueError(
                "The teacher must have rows to label that it has not seen. Got seen_by_teacher "
                f"true for all {len(rows)} rows. Give other rows, or accept labels of rows that it "
                "saw with soft_targets='in_sample'."
            )
        return ~seen

    def _calibration(
        self,
        model: Model,
        values: np.ndarray,
        rows: TeacherRows,
        asked: np.ndarray,
        options: TeachingOptions,
    ) -> Calibration:
        """Learn a temperature from rows it has not seen; margins are calibrated in any case.

        So are votes: of rows that it may have seen they are too sure, but less than 0 and 1.
        """
        if not rows.task.has_classes:
            return model.calibration
        weights = None if rows.sample_weight is None else rows.sample_weight[asked]
        response = model.calibration.response
        honest = rows.seen is not None and options.soft_targets == "auto"
        return fitted_calibration(
            values,
            response,
            rows.task.encode(rows.y)[asked],
            weights,
            calibrate=options.calibrate and (honest or response == "predict"),
        )

    def _model(self, rows: TeacherRows) -> Model:
        """Return what asks it, after a look at its classes."""
        task, width, teacher = rows.task, rows.width, self.teacher
        ask: Any
        response = "predict_proba" if task.is_classification else "predict"
        if task.is_classification and _answers_by_methods(teacher, self.output):
            _check_classes(teacher, task)
            response = choose_response("teacher", teacher, "auto", task)
            ask = AskedModel(teacher, response, task)
        else:
            output: str = self.output if task.is_classification else "values"
            if output == "auto" and is_network(teacher):
                output = output_of_network(teacher)
            ask = AskedFunction(teacher, output, task, width)
        return Model(ask, task, task, width, Calibration(response))


@dataclass(frozen=True, eq=False)
class AskedFunction:
    """A function or network, and what it returns.

    Parameters
    ----------
    function : callable, network, or object with predict
    output : {"probabilities", "auto", "logits", "values"}
    task : Task
    width : int
    """

    function: Any
    output: str
    task: Task
    width: int

    def __call__(self, X: Any) -> np.ndarray:
        """Return probabilities or values, shape (n_samples, width)."""
        try:
            if is_network(self.function):
                values = ask_network(self.function, X)
            else:
                values = getattr(self.function, "predict", self.function)(X)
        except Exception as error:  # it is the user's, and may fail in any way
            raise model_error(
                f"The teacher {_name_of(self.function)} failed on rows {_shape_of(X)}",
                error,
                "Give the rows in the form that it was trained on.",
            ) from error
        if self.output == "logits":
            values = _probabilities(values)
        return checked_targets(values, n_rows(X), self.width, self.task)


def _probabilities(logits: Any) -> np.ndarray:
    """Return the softmax of logits; a single column is that of the second class."""
    logits = as_array(logits).astype(np.float64, copy=False)
    logits = logits[:, None] if logits.ndim == 1 else logits
    if logits.shape[1] == 1:
        logits = np.column_stack([np.zeros(len(logits)), logits])
    if looks_like_probabilities(logits):
        raise ValueError(
            "A teacher with teacher_output='logits' must answer with logits. Got rows of numbers "
            "from 0 to 1 whose sum is 1. Say teacher_output='probabilities', or leave the softmax "
            "at its end out."
        )
    return softmax(logits)


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _shape_of(X: Any) -> str:
    return f"of shape {tuple(X.shape)}" if hasattr(X, "shape") else f"in a {type(X).__name__}"


def _answers_by_methods(teacher: Any, output: str) -> bool:
    """Whether its methods tell what they return, as those of scikit-learn's classifiers do."""
    if is_network(teacher):
        return False
    if hasattr(teacher, "predict_proba") or hasattr(teacher, "decision_function"):
        return True
    return hasattr(teacher, "predict") and output == "auto"


def _check_classes(teacher: Any, task: Task) -> None:
    """Raise where a fitted teacher knows other classes than there are."""
    known = getattr(teacher, "classes_", None)
    if known is None or task.classes is None:
        return
    theirs, ours = np.asarray(known).tolist(), task.classes.tolist()
    unknown = [label for label in theirs if label not in ours]
    missing = [label for label in ours if label not in theirs]
    if unknown or missing:
        raise ValueError(
            "A teacher must know the classes of y. Got "
            f"{f'classes {unknown} of the teacher that y does not have' if unknown else ''}"
            f"{' and ' if unknown and missing else ''}"
            f"{f'classes {missing} of y that it does not know' if missing else ''}. Give the "
            "labels in the form the teacher learnt, or a function that returns a column for each "
            f"class of y, {ours}."
        )

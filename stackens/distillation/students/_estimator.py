"""Any scikit-learn estimator as a student: how it can be brought to learn soft targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor, ExtraTreesRegressor, RandomForestRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor, RadiusNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import get_tags

from stackens._core._losses import renormalise, softmax
from stackens._core._rows import n_rows, take_rows
from stackens._core._sklearn import BaseSearchCV
from stackens._core._task import Task
from stackens.distillation._lesson import Lesson, centred_logits
from stackens.distillation.students._base import FittedStudent, Student
from stackens.evaluation import pickled_bytes
from stackens.export.program import Graph
from stackens.export.readers import Table
from stackens.export.readers.ensembles import read_answer, renormalised
from stackens.out_of_fold import (
    choose_response,
    estimator_type,
    final_step,
    model_error,
    respond,
    seeded_clone,
    weight_params,
)

__all__ = ["EstimatorStudent", "FittedEstimator"]

# What they predict lies between the targets, so that probabilities stay probabilities.
_PREDICT_MEANS = (
    DecisionTreeRegressor,  # and ExtraTreeRegressor, its subclass
    DummyRegressor,
    ExtraTreesRegressor,
    KNeighborsRegressor,
    RadiusNeighborsRegressor,
    RandomForestRegressor,
)
# A class with less makes no copy of the row; a rare class must not lose what makes it up.
_LEAST_TARGET, _LEAST_OF_MEAN = 1e-3, 1e-2
_LONGEST_LABEL = 40  # characters

Says = Literal["answers", "probabilities", "logits"]


@dataclass(frozen=True)
class EstimatorStudent(Student):
    """A scikit-learn estimator, or what behaves like one, as a student.

    How it learns soft targets depends on what it is; the fitted student's `path` tells.

    - A regressor for values learns the mixture of teacher and truth, by its own loss.
    - A regressor for classes learns probabilities if it predicts means of targets (trees,
      forests, neighbours), otherwise the teacher's centred logits (the log-odds of two
      classes). Logits of hard targets say nothing, so where the teacher is silent for some rows it
      learns probabilities, too. What predicts one number is fitted once for each class.
    - A classifier whose ``fit`` takes weights learns a copy of each row for every class, with the
      target as weight: for models fitted by likelihood that is the cross-entropy of soft targets.
      To bound the memory, targets below 0.001 and below a hundredth of their class's mean make
      no copy, and the row's others are raised to sum to one.
    - Any other classifier learns hard labels, the most probable class.

    Parameters
    ----------
    estimator : object
        A classifier or regressor, also a Pipeline or a search. It is cloned, never fitted.
        Labels and DataFrames reach it as they are.
    name : str, default=""
        Label in reports; empty for the estimator's own text, or its class where that is long.

    Notes
    -----
    Estimators that set rows aside themselves, for early stopping or a search, may find copies
    of one row on both sides. The temperature has no effect.

    References
    ----------
    Ba & Caruana (2014), Do Deep Nets Really Need to be Deep?, arXiv:1312.6184, for logits.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stackens._core._task import infer_task
    >>> from stackens.distillation._lesson import Lesson
    >>> from stackens.distillation.students import EstimatorStudent
    >>> task, _ = infer_task(["no", "yes"])
    >>> X = np.linspace(-2, 2, 200)[:, None]
    >>> soft = np.column_stack([1 / (1 + np.exp(2 * X)), 1 / (1 + np.exp(-2 * X))])
    >>> lesson = Lesson(X, soft, np.full((200, 2), np.nan), task, np.ones(200))
    >>> student = EstimatorStudent(LogisticRegression(C=1e6)).fit(lesson)
    >>> student
    <LogisticRegression(C=1000000.0), learnt by weighted copies of each class>
    >>> student.estimator.coef_.round(2)
    array([[2.]])
    >>> student.predict([[-1.0], [1.0]])
    array(['no', 'yes'], dtype='<U3')
    """

    estimator: Any
    name: str = ""

    family: ClassVar[str] = "estimator"

    @property
    def label(self) -> str:
        if self.name:
            return self.name
        model = final_step(self.estimator)
        text = " ".join(repr(model).split())
        return text if len(text) <= _LONGEST_LABEL else type(model).__name__

    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedEstimator:
        if not (lesson.weight > 0).all():
            lesson = lesson.take(lesson.weight > 0)
        lesson = replace(lesson, stopping=None)
        kind = estimator_type(self.estimator)
        model = seeded_clone(self.label, self.estimator, random_state)
        if not lesson.task.is_classification:
            return self._learn_values(lesson, model, kind)
        if kind == "regressor":
            return self._learn_scores(lesson, model)
        return self._learn_classes(lesson, model)

    def _learn_values(self, lesson: Lesson, model: Any, kind: str | None) -> FittedEstimator:
        if kind == "classifier":
            raise TypeError(
                "A student for regression must be a regressor. Got the classifier "
                f"{self.label}. Pass a regressor, such as DecisionTreeRegressor()."
            )
        model = self._fitted(model, lesson, lesson.targets)
        path = "squared error, or the estimator's own loss"
        return FittedEstimator(lesson.task, self.label, path, model, "answers", len(lesson))

    def _learn_scores(self, lesson: Lesson, model: Any) -> FittedEstimator:
        """Fit a regressor to the probabilities of classes, or to their logits."""
        taught = bool((lesson.soft_share > 0).all())
        if taught and (lesson.loss == "squared_logits" or not _predicts_means(model)):
            targets, says = centred_logits(lesson.targets), "logits"
            if lesson.task.kind == "binary":
                targets = targets[:, 1:] - targets[:, :1]
        else:
            targets, says = lesson.targets, "probabilities"
            if lesson.task.kind == "binary":
                targets = targets[:, 1:]
        model = self._fitted(model, lesson, targets)
        path = f"squared error of {says}"
        return FittedEstimator(lesson.task, self.label, path, model, says, len(lesson))  # type: ignore[arg-type]

    def _learn_classes(self, lesson: Lesson, model: Any) -> FittedEstimator:
        task, targets = lesson.task, lesson.targets
        if _takes_weights(model):
            row, code, weight = _copies(targets, lesson.weight)
            taught = (lesson.soft_share > 0).any()
            path = "weighted copies of each class" if taught else "hard labels"
        else:
            row, code, weight = np.arange(len(lesson)), targets.argmax(axis=1), lesson.weight
            path = "hard labels, because its fit takes no weights"
        X = lesson.X if len(row) == len(lesson) else take_rows(lesson.X, row)
        self._call_fit(model, model, X, task.decode(code), weight)
        return FittedEstimator(task, self.label, path, model, "answers", len(lesson))

    def _fitted(self, model: Any, lesson: Lesson, targets: np.ndarray) -> Any:
        """Return a regressor fitted to columns of targets, one by one if it predicts only one."""
        inner = model
        if targets.shape[1] > 1 and not _predicts_several(model):
            model = MultiOutputRegressor(model)
        y = targets if targets.shape[1] > 1 else targets[:, 0]
        self._call_fit(model, inner, lesson.X, y, lesson.weight)
        return model

    def _call_fit(self, model: Any, inner: Any, X: Any, y: Any, weight: np.ndarray) -> None:
        params: dict[str, Any] = {}
        if not (weight == 1).all() and _takes_weights(inner):
            params = weight_params(inner, weight)
        elif np.ptp(weight) > 0:
            raise ValueError(
                f"Rows of different weight need a student whose fit takes sample_weight. Got "
                f"{self.label}, which does not. Leave sample_weight out, or choose another student."
            )
        try:
            model.fit(X, y, **params)
        except Exception as error:
            raise model_error(
                f"Student {self.label} failed in fit",
                error,
                "Change its settings, or choose another student.",
            ) from error


@dataclass(eq=False, repr=False)
class FittedEstimator(FittedStudent):
    """A student that is a fitted scikit-learn estimator.

    Parameters
    ----------
    task, label, path
    estimator : object
        The fitted estimator.
    says : {"answers", "probabilities", "logits"}
        What its predictions mean: its own kind of answer, or values of a regressor that learnt
        probabilities or logits (one column for two classes).
    n_train : int
        Rows it learnt from. A class that it never saw has the probability 1 / (n_train +
        n_classes).
    """

    estimator: Any
    says: Says
    n_train: int

    def outputs(self, X: Any) -> np.ndarray:
        return self._ask(X, None)

    def _ask(self, X: Any, threads: int | None) -> np.ndarray:
        task = self.task
        if self.says == "answers":
            response = choose_response(self.label, self.estimator, "auto", task)
            answer = respond(
                self.estimator, X, response, task, n_train=self.n_train, threads=threads
            )
            if response != "decision_function":
                return answer
            # two classes have one margin m, which came as -m and m
            return softmax(answer / 2 if task.kind == "binary" else answer)
        width = 1 if task.kind == "binary" else task.n_outputs
        inner = Task("regression", width)
        values = respond(self.estimator, X, "predict", inner, threads=threads)
        if self.says == "logits":
            return softmax(np.hstack([np.zeros_like(values), values]) if width == 1 else values)
        return renormalise(np.hstack([1.0 - values, values]) if width == 1 else values, task)

    def _read_outputs(self, graph: Graph, table: Table) -> int:
        task, model = self.task, self.estimator
        binary = task.kind == "binary"
        if self.says == "answers":
            response = choose_response(self.label, model, "auto", task)
            answer = read_answer(model, graph, table, response, task, n_train=self.n_train)
            if response != "decision_function":
                return answer
            return graph.softmax(graph.over(answer, 2.0) if binary else answer)
        inner = Task("regression", 1 if binary else task.n_outputs)
        values = read_answer(model, graph, table, "predict", inner)
        if self.says == "logits":
            zero = graph.constant(0.0)
            return graph.softmax(graph.concatenate([zero, values]) if binary else values)
        return renormalised(graph, graph.two_classes(values) if binary else values, task)

    def n_bytes(self) -> float:
        return pickled_bytes(self.estimator)

    def bare(self, X: Any) -> tuple[Callable[[Any], Any], list[Any]]:
        rows = [take_rows(X, np.array([row])) for row in range(n_rows(X))]
        return lambda row: self._ask(row, 1), rows


def _predicts_means(estimator: Any) -> bool:
    """Whether what a regressor predicts lies between the targets that it saw."""
    model = final_step(estimator)
    if isinstance(model, BaseSearchCV):
        return _predicts_means(model.estimator)
    if isinstance(model, BaggingRegressor):
        return model.estimator is None or _predicts_means(model.estimator)
    return isinstance(model, _PREDICT_MEANS)


def _predicts_several(estimator: Any) -> bool:
    try:
        return get_tags(estimator).target_tags.multi_output
    except AttributeError:  # not derived from scikit-learn's BaseEstimator
        return False


def _takes_weights(estimator: Any) -> bool:
    try:
        weight_params(estimator, None)
    except TypeError:
        return False
    return True


def _copies(targets: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, class and weight of each copy; hard targets give each row once.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_classes)
    weight : ndarray of shape (n_samples,)
    """
    least = np.minimum(_LEAST_TARGET, _LEAST_OF_MEAN * np.average(targets, axis=0, weights=weight))
    kept = np.where(targets >= least, targets, 0.0)
    kept /= kept.sum(axis=1, keepdims=True)
    row, code = np.nonzero(kept)
    return row, code, weight[row] * kept[row, code]

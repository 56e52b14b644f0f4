"""What the distilled classifier and regressor share: parameters, fit, and asking the student."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from stackens._core._rows import as_array, check_columns, check_same_rows, n_rows
from stackens._core._sklearn import Interval, StrOptions, fit_context
from stackens._core._task import Task, infer_task
from stackens._core._warning import warn
from stackens.distillation._candidates import mixes
from stackens.distillation._distil import Distillation, distil
from stackens.distillation._findings import PLAIN, verdict
from stackens.distillation._given_rows import given_mask, given_rows, given_unlabeled
from stackens.distillation._inputs import Inputs
from stackens.distillation._lesson import Loss
from stackens.distillation._plan import Plan
from stackens.distillation._report import DistillationReport
from stackens.distillation.extra_rows._make_rows import METHODS, check_table
from stackens.distillation.students import FittedStudent, resolve_student
from stackens.distillation.students._tabular import dense_table
from stackens.distillation.teachers import (
    EnsembleTeacher,
    TeachingOptions,
    resolve_teacher,
)
from stackens.ensemble import OutOfFoldEnsemble
from stackens.evaluation import Scoring, listed_cv, resolve_scoring
from stackens.exceptions import DistillationWarning
from stackens.export.program import Graph
from stackens.export.readers import Method, Table, read_response
from stackens.out_of_fold import CrossFit, as_seed, checked_groups, checked_weights

__all__ = ["Distilled"]


class Distilled(MetaEstimatorMixin, BaseEstimator, ABC):
    """Base of :class:`DistilledClassifier` and :class:`DistilledRegressor`."""

    student_: FittedStudent

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": "no_validation",  # type: ignore[dict-item]
        "student": "no_validation",  # type: ignore[dict-item]
        "soft_weight": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="right")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "augmentation": [StrOptions({"auto", *METHODS}), None],
        "max_bytes": [None, Interval(Real, 0, None, closed="neither")],
        "max_latency_us": [None, Interval(Real, 0, None, closed="neither")],
        "soft_targets": [StrOptions({"auto", "in_sample"})],
        "teacher_output": [StrOptions({"auto", "logits", "probabilities"})],
        "calibrate": ["boolean"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "outer": "no_validation",  # type: ignore[dict-item]
        "scoring": [None, str, callable],
        "guard": ["boolean"],
        "max_unlabeled": [Interval(Integral, 1, None, closed="left")],
        "cache": [None, str, PathLike],
        "cache_key": [None, str],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # The constructors of the two classes store these.
    teacher: Any
    student: Any
    soft_weight: Any
    temperature: float
    augmentation: str | None
    max_bytes: float | None
    max_latency_us: float | None
    soft_targets: Any
    teacher_output: Any
    calibrate: bool
    n_repeats: int
    cv: Any
    outer: Any
    scoring: Any
    guard: bool
    max_unlabeled: int
    cache: Any
    cache_key: str | None
    n_jobs: int | None
    random_state: Any
    verbose: int

    @abstractmethod
    def _loss(self) -> Loss:
        """Return the loss of soft targets."""

    def _student_task(self, task: Task) -> Task:
        """Return what students answer."""
        return task

    @abstractmethod
    def _hard(self, y: Any, task: Task) -> np.ndarray:
        """Return the truth as students learn it, shape (n_samples, n_outputs)."""

    def _scoring(self, task: Task) -> Scoring:
        """Return what students are compared by."""
        return resolve_scoring(self.scoring, task, {})

    @property
    def _levels(self) -> tuple[float, ...]:
        """Quantile levels; none for everything else."""
        return ()

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        X_unlabeled: Any = None,
        teacher_targets: Any = None,
        seen_by_teacher: Any = None,
    ) -> Self:
        """Let the teacher label the rows, search for the student, and fit it on all rows.

        Parameters
        ----------
        X : DataFrame, array-like, sparse matrix or tensor of shape (n_samples, ...)
            Rows. Teachers and students that are scikit-learn estimators get them untouched.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, for teacher, students and scores.
        groups : array-like of shape (n_samples,) or None, default=None
            Group of each row; a group never stands on both sides of any split.
        X_unlabeled : like X, or iterable of chunks like X, or None, default=None
            More rows, for the teacher to label. Chunks, such as those of a file larger than
            memory, are read once; a uniform sample of at most `max_unlabeled` rows is kept. Those
            that X has as well are left out, since the teacher knows their answers.
        teacher_targets : array-like of shape (n_samples, n_outputs) or (n_samples,), default=None
            What the teacher says of the rows: probabilities in the order of the sorted classes
            (one column is that of the second class), or values. The teacher is then never called.
            They should come from models that did not see the row's answer.
        seen_by_teacher : array-like of bool of shape (n_samples,) or None, default=None
            Rows that a teacher which is not fitted here was trained on. It labels only the others.
            Of fitted parts inside a teacher a mask without any True says that they saw none.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            For bad input, early; and if no student meets the budget.
        BaseModelError
            If the teacher or the student fails; the message says which and why.
        """
        X = given_rows(X)
        inputs = self._inputs(X, y, sample_weight, groups, teacher_targets, seen_by_teacher)
        teacher = resolve_teacher(
            self.teacher if teacher_targets is None else None,
            classification=is_classifier(self),
            output=self.teacher_output,
        )
        unlabeled = given_unlabeled(
            X_unlabeled, X, self.max_unlabeled, as_seed(self.random_state), self.verbose
        )
        plan = self._plan(inputs, unlabeled, self.outer)
        return self._adopt(distil(inputs, teacher, plan), X)

    def fit_from(self, cross_fit: CrossFit) -> Self:
        """Fit the student on the out-of-fold table of a cross-fit that exists already.

        The models of the cross-fit are the teacher, combined as the teacher of this estimator
        combines them if it is a stackens ensemble, else by the automatic combiner. Nothing is
        fitted but the combiner and the student, and nothing is set aside: there is no guard, and
        the first of several sizes and mixes is taken. :func:`stackens.compare` works so, since
        it sets rows aside itself.

        Parameters
        ----------
        cross_fit : CrossFit
            From :func:`stackens.cross_fit`.

        Returns
        -------
        self : object
        """
        self._validate_params()
        if not isinstance(cross_fit, CrossFit):
            raise TypeError(
                f"fit_from needs a CrossFit. Got {type(cross_fit).__name__}. Pass the result of "
                "stackens.cross_fit, or call fit."
            )
        table = cross_fit.out_of_fold
        if table.features is None or table.y is None or not table.n_samples:
            raise ValueError(
                "fit_from needs a cross-fit with its training rows. Got one without them. Pass "
                "the result of stackens.cross_fit itself."
            )
        if table.task.is_classification != is_classifier(self):
            raise ValueError(
                f"{type(self).__name__} needs a cross-fit of its own kind of target. Got a "
                f"{table.task.kind} target. Use the classifier for classes and the regressor for "
                "numbers."
            )
        inputs = self._inputs(table.features, table.y, table.sample_weight, None, None, None)
        teacher = resolve_teacher(cross_fit, classification=is_classifier(self))
        if isinstance(self.teacher, OutOfFoldEnsemble):
            teacher = EnsembleTeacher(self.teacher, cross_fit)
        return self._adopt(distil(inputs, teacher, self._plan(inputs, None, None)), inputs.X)

    def _inputs(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        targets: Any,
        seen: Any,
    ) -> Inputs:
        """Check what was given, and learn names and classes."""
        check_columns(X)
        validate_data(self, X, y, skip_check_array=True)
        check_same_rows(X=X, y=y, sample_weight=sample_weight, groups=groups)
        task, y = infer_task(y, classification=is_classifier(self))
        if task.kind == "multilabel":
            raise ValueError(
                f"{type(self).__name__} needs one class for each row. Got a matrix of labels "
                f"(multilabel-indicator) with {task.n_outputs} columns. Distil each label by "
                "itself, with sklearn.multioutput.MultiOutputClassifier."
            )
        sample_weight = checked_weights(sample_weight, n_rows(X))
        if sample_weight is not None:
            sample_weight = sample_weight.astype(np.float64)
        if is_classifier(self):
            self.classes_ = task.classes
        groups = checked_groups(groups)
        return Inputs(
            X,
            y,
            task,
            self._hard(y, task),
            self._student_task(task),
            sample_weight,
            groups,
            listed_cv(self.cv, X, y, groups),
            given_mask(seen, n_rows(X)),
            None if targets is None else as_array(targets),
        )

    def _plan(self, inputs: Inputs, unlabeled: Any, outer: Any) -> Plan:
        seed = as_seed(self.random_state)
        has_budget = self.max_bytes is not None or self.max_latency_us is not None
        automatic = isinstance(self.student, str) and self.student == "auto"
        searching = outer is not None and (has_budget or automatic)
        recipes = resolve_student(
            self.student, inputs.student_task, searching=searching, n_samples=len(inputs)
        )
        for recipe in recipes:
            if recipe.reads_tables:
                dense_table(inputs.X, f"Student {recipe.label!r}")
        if self.augmentation in METHODS:
            check_table(inputs.X)
        tabular = len(getattr(inputs.X, "shape", ())) == 2 and not hasattr(inputs.X, "tocsr")
        return Plan(
            recipes=recipes,
            mixes=mixes(
                self.soft_weight,
                self.augmentation,
                searching=outer is not None,
                unlabeled=unlabeled is not None,
                can_make=tabular and inputs.targets is None,
                n_samples=len(inputs),
            ),
            other_rows="munge" if is_classifier(self) else "resample",
            scoring=self._scoring(inputs.student_task),
            outer=outer,
            loss=self._loss(),
            temperature=float(self.temperature),
            quantiles=self._levels,
            max_latency_us=self.max_latency_us,
            max_bytes=self.max_bytes,
            tunes=isinstance(self.student, str),
            guard=self.guard,
            unlabeled=unlabeled,
            teaching=TeachingOptions(
                n_repeats=self.n_repeats,
                soft_targets=self.soft_targets,
                calibrate=self.calibrate,
                n_jobs=self.n_jobs,
                random_state=seed,
                verbose=self.verbose,
                cache=self.cache,
                cache_key=self.cache_key,
            ),
            random_state=0 if seed is None else seed,
            verbose=self.verbose,
        )

    def _adopt(self, found: Distillation, X: Any) -> Self:
        """Set the learnt attributes, and warn where the guard stepped in."""
        if found.findings.chosen == PLAIN:
            warn(
                f"{verdict(found.findings)}. The plain student is given; report_ has the numbers. "
                "A better teacher or more rows would help; guard=False gives the distilled one.",
                DistillationWarning,
            )
        # Tags tell nothing of base models that fill in missing values; what they learnt from does.
        full = isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not np.isnan(X.min())
        self._takes_nan = get_tags(self).input_tags.allow_nan or not full
        self.student_ = found.student
        self.teacher_ = found.teacher
        self.report_ = DistillationReport(found.findings)
        self._pareto = found.pareto
        return self

    @property
    def pareto_(self) -> Any:
        """Students, plain students and teacher by score, latency and bytes.

        Raises
        ------
        AttributeError
            If nothing was set aside (``outer=None``, ``fit_from``), so that there are no scores.
        """
        check_is_fitted(self, "student_")
        if self._pareto is None:
            raise AttributeError(
                f"This {type(self).__name__} has no pareto_: it needs scores on rows set aside. "
                "Got outer=None, or fit_from. Call fit with outer='auto'."
            )
        return self._pareto

    def predict(self, X: Any) -> np.ndarray:
        """Predict with the student.

        Parameters
        ----------
        X : like the X of fit

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
        """
        X = self._checked(X)
        return self.student_.predict(X)

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self, "student_")
        X = given_rows(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        if not self._takes_nan and isinstance(X, np.ndarray) and X.dtype.kind == "f":
            assert_all_finite(X, input_name="X")  # as teacher or student would say
        return X

    def _read_into(self, graph: Graph, table: Table, method: Method) -> int:
        """Return the node of what the student answers, in an exported program."""
        node = read_response(self.student_, graph, table, method)
        if not self._takes_nan and table.names is None and graph.reads_only_numbers:
            graph.refuse(table.numbers(graph))  # as `_checked` does with arrays of numbers
        return node

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "student_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        models = [model for model in (self.teacher, self.student) if _is_estimator(model)]
        given = [get_tags(model).input_tags for model in models]
        inputs, own = tags.input_tags, isinstance(self.student, str)
        inputs.allow_nan = all(tags.allow_nan for tags in given)
        inputs.string = inputs.categorical = own and all(tags.string for tags in given)
        inputs.sparse = not own and all(tags.sparse for tags in given)
        return tags


def _is_estimator(model: Any) -> bool:
    return (
        hasattr(model, "predict")
        and hasattr(model, "__sklearn_tags__")
        and not isinstance(model, type)
    )

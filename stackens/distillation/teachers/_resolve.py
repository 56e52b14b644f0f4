"""Whatever a user calls a teacher, as one of the kinds there are."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from stackens.distillation.teachers._ensembles import CrossFitTeacher, EnsembleTeacher
from stackens.distillation.teachers._estimators import EstimatorTeacher, QuantileTeacher
from stackens.distillation.teachers._frozen import FrozenTeacher, Output
from stackens.distillation.teachers._given import GivenTeacher
from stackens.distillation.teachers._networks import is_network
from stackens.distillation.teachers._teacher import Teacher
from stackens.ensemble import OutOfFoldEnsemble
from stackens.out_of_fold import CrossFit, estimator_type, final_step

__all__ = ["resolve_teacher"]


def resolve_teacher(teacher: Any, *, classification: bool, output: Output = "auto") -> Teacher:
    """Return what a user passed as a teacher.

    Parameters
    ----------
    teacher : ensemble, estimator, CrossFit, callable, network, fitted object, list or None
        Ensembles of stackens, estimators and cross-fits are cloned and fitted again, so that
        their labels are honest, as is a list of regressors, one for each quantile. Functions,
        torch modules, Keras models, frozen networks and estimators (also at the end of a
        Pipeline) and objects without ``fit`` or that cannot be cloned label as they are. None
        stands for soft targets that are given with the rows.
    classification : bool
        Whether it is to teach classes.
    output : {"auto", "probabilities", "logits", "values"}, default="auto"
        What a function or network returns; values are for regression, the others for classes.

    Returns
    -------
    Teacher

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If it teaches the other kind of target, or `output` is not known.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from stackens._core._task import infer_task
    >>> from stackens.distillation.teachers import (
    ...     TeacherRows,
    ...     TeachingOptions,
    ...     resolve_teacher,
    ... )
    >>> X, y = load_wine(return_X_y=True)
    >>> teacher = resolve_teacher(RandomForestClassifier(random_state=0), classification=True)
    >>> fitted = teacher.learn(TeacherRows(X, y, infer_task(y)[0]), TeachingOptions())
    >>> fitted.source
    'out-of-bag'
    >>> fitted.soft.shape, fitted.outputs(X[:2]).shape
    ((178, 3), (2, 3))
    >>> resolve_teacher(lambda X: X[:, 0], classification=False).fits
    False
    """
    allowed = ("auto", "probabilities", "logits") if classification else ("auto", "values")
    if output not in allowed:
        raise ValueError(
            f"The output of a teacher of {'classes' if classification else 'numbers'} must be one "
            f"of {allowed}. Got {output!r}. Say what the function or network returns."
        )
    if teacher is None:
        return GivenTeacher()
    if isinstance(teacher, Teacher):
        return teacher
    if isinstance(teacher, type):
        raise TypeError(
            f"A teacher must be an object. Got the class {teacher.__name__}. Create it first, with "
            "brackets."
        )
    if isinstance(teacher, list | tuple) and not classification and teacher:
        if not all(_is_fitted_here(model) for model in teacher):
            raise TypeError(
                "A list of teachers must hold regressors with fit, one for each quantile. Got "
                f"{teacher!r:.200}. Pass a function that returns all quantiles otherwise."
            )
        return QuantileTeacher(teacher)
    _check_kind(teacher, classification)
    if isinstance(teacher, CrossFit):
        return CrossFitTeacher(teacher)
    if isinstance(teacher, OutOfFoldEnsemble):
        return EnsembleTeacher(teacher)
    if not is_network(teacher) and _is_fitted_here(teacher):
        return EstimatorTeacher(teacher)
    if is_network(teacher) or callable(teacher) or hasattr(teacher, "predict"):
        return FrozenTeacher(teacher, output)
    raise TypeError(
        "A teacher must be something that predicts: an estimator, an ensemble, a CrossFit, a "
        f"function, a network or a fitted object. Got {type(teacher).__name__}: {teacher!r:.100}. "
        "Several models make a teacher as a StackedClassifier or StackedRegressor; soft targets "
        "go to fit as teacher_targets."
    )


def _is_fitted_here(teacher: Any) -> bool:
    """Whether it can be fitted again without losing what it is."""
    # A stack of scikit-learn has predict only once it is fitted.
    if not hasattr(teacher, "fit") or not (
        hasattr(teacher, "predict") or estimator_type(teacher) in ("classifier", "regressor")
    ):
        return False
    try:
        last = final_step(teacher)
        prefit = isinstance(getattr(last, "cv", None), str) and last.cv == "prefit"
        if prefit and not isinstance(last, OutOfFoldEnsemble):  # a clone loses its fitted models
            return False
        return clone(teacher) is not teacher and clone(last) is not last
    except (TypeError, RuntimeError):  # no parameters, or a constructor that changes them
        return False


def _check_kind(teacher: Any, classification: bool) -> None:
    if isinstance(teacher, CrossFit):
        is_classifier: bool | None = teacher.task.is_classification
    else:
        kinds = {"classifier": True, "regressor": False}
        kind = estimator_type(teacher) if hasattr(teacher, "fit") else None
        is_classifier = None if kind is None else kinds.get(kind)
    if is_classifier is not None and is_classifier != classification:
        wanted, got = ("classes", "values") if classification else ("values", "classes")
        raise ValueError(
            f"The teacher must predict {wanted}. Got {type(teacher).__name__}, which predicts "
            f"{got}. Use Distilled{'Regressor' if classification else 'Classifier'}, or another "
            "teacher."
        )

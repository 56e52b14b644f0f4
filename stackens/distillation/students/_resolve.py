"""From whatever a user gives as a student to recipes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from stackens._core._task import Task
from stackens.distillation.students._base import Student
from stackens.distillation.students._estimator import EstimatorStudent
from stackens.distillation.students._families import FAMILIES
from stackens.distillation.students._keras import KerasStudent
from stackens.distillation.students._mlp import MLPStudent
from stackens.distillation.students._module import ModuleStudent
from stackens.exceptions import MissingExtraError
from stackens.neural import TorchMLPClassifier, TorchMLPRegressor
from stackens.out_of_fold import estimator_type

__all__ = ["resolve_student"]


def resolve_student(student: Any, task: Task, *, searching: bool, n_samples: int) -> list[Student]:
    """Return the recipes of a student, in the order given, each with a label of its own.

    Parameters
    ----------
    student : object, or list of them
        ``"auto"`` or None for all families that are installed, the name of a family, a recipe,
        a scikit-learn classifier or regressor, a torch module or a Keras model.
    task : Task
    searching : bool
        Whether sizes are searched: a family then stands for its whole sweep, otherwise for its
        default size.
    n_samples : int
        Rows to learn from.

    Raises
    ------
    ValueError
        If a name is unknown, the list is empty, or different recipes have the same label.
    TypeError
        If something is not a student, or of the wrong kind for the task.
    MissingExtraError
        If a family needs a package that is not installed.
    """
    given = student if isinstance(student, list | tuple) else [student]
    if not given:
        raise ValueError(
            "The 'student' parameter must name at least one student. Got an empty list. Use "
            "student='auto' to try all families."
        )
    recipes: list[Student] = []
    for one in given:
        for recipe in _recipes(one, task, searching, n_samples):
            if recipe not in recipes:
                recipes.append(_relabelled(recipe, {other.label for other in recipes}))
    return recipes


def _recipes(one: Any, task: Task, searching: bool, n_samples: int) -> list[Student]:
    if one is None or (isinstance(one, str) and one == "auto"):
        found: list[Student] = []
        for name in FAMILIES:
            try:
                found += _recipes(name, task, searching, n_samples)
            except MissingExtraError:
                continue
        return found
    if isinstance(one, str):
        if one not in FAMILIES:
            raise ValueError(
                f"The 'student' parameter must be 'auto' or one of {list(FAMILIES)} where it is a "
                f"text. Got {one!r} instead. Pass an estimator, a torch module or a Keras model "
                "for any other kind."
            )
        family = FAMILIES[one]
        return list(family.sweep(task, n_samples)) if searching else [family()]
    if isinstance(one, Student):
        return [one]
    if isinstance(one, type):
        raise TypeError(
            f"A student must be an object. Got the class {one.__name__}. Create it first: "
            f"{one.__name__}(...)."
        )
    if isinstance(one, TorchMLPClassifier | TorchMLPRegressor):
        _check_kind(one, task)
        return [MLPStudent.like(one)]
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    # Keras first: with the torch backend its models are torch modules too
    if keras is not None and isinstance(one, keras.Model):
        return [KerasStudent(one)]
    if torch is not None and isinstance(one, torch.nn.Module):
        return [ModuleStudent(one)]
    if hasattr(one, "fit") and hasattr(one, "predict"):
        _check_kind(one, task)
        return [EstimatorStudent(one)]
    raise TypeError(
        "A student must be a name, a recipe, a scikit-learn classifier or regressor, a torch "
        f"module or a Keras model. Got {one!r:.200}. Use one of {['auto', *FAMILIES]} where in "
        "doubt."
    )


def _check_kind(estimator: Any, task: Task) -> None:
    kind = estimator_type(estimator)
    # a regressor can learn probabilities; what does not say its kind is taken at its word
    if kind in (None, "regressor") or (kind == "classifier" and task.is_classification):
        return
    wanted = "a classifier or a regressor" if task.is_classification else "a regressor"
    raise TypeError(
        f"A student for a {task.kind} target must be {wanted}. Got the {kind} "
        f"{type(estimator).__name__}. Choose another estimator, or a name such as 'lightgbm'."
    )


def _relabelled(recipe: Student, taken: set[str]) -> Student:
    """Return a recipe under a label that no other has: reports tell students by it."""
    label = recipe.label
    if label not in taken:
        return recipe
    if not hasattr(recipe, "name"):
        raise ValueError(
            f"Students must have labels of their own. Got two different ones called {label!r}. "
            "Compare them in two searches, or change the size of one."
        )
    number = next(i for i in range(2, len(taken) + 2) if f"{label} ({i})" not in taken)
    return replace(recipe, name=f"{label} ({number})")  # type: ignore[type-var]

"""Kinds of students by the names that users choose them by."""

from __future__ import annotations

from stackens.distillation.students._base import Student
from stackens.distillation.students._lightgbm import LightGBMStudent
from stackens.distillation.students._linear import LinearStudent
from stackens.distillation.students._mlp import MLPStudent
from stackens.distillation.students._tree import TreeStudent

__all__ = ["FAMILIES"]

FAMILIES: dict[str, type[Student]] = {
    kind.family: kind for kind in (LightGBMStudent, TreeStudent, LinearStudent, MLPStudent)
}

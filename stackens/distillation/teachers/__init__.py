"""Teachers: anything that predicts, as honest and calibrated soft targets for a student."""

from stackens.distillation.teachers._ensembles import EnsembleTeacher
from stackens.distillation.teachers._resolve import resolve_teacher
from stackens.distillation.teachers._teacher import (
    FittedTeacher,
    Teacher,
    TeacherRows,
    TeachingOptions,
)

__all__ = [
    "EnsembleTeacher",
    "FittedTeacher",
    "Teacher",
    "TeacherRows",
    "TeachingOptions",
    "resolve_teacher",
]

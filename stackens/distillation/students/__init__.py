"""Students: small models that learn from soft targets, one file for each kind."""

from stackens.distillation.students._base import FittedStudent, Student
from stackens.distillation.students._estimator import EstimatorStudent, FittedEstimator
from stackens.distillation.students._families import FAMILIES
from stackens.distillation.students._keras import KerasStudent
from stackens.distillation.students._lightgbm import FittedLightGBM, LightGBMStudent
from stackens.distillation.students._linear import FittedLinear, LinearStudent
from stackens.distillation.students._mlp import FittedMLP, MLPStudent
from stackens.distillation.students._module import FittedModule, ModuleStudent
from stackens.distillation.students._resolve import resolve_student
from stackens.distillation.students._tree import FittedTree, TreeStudent

__all__ = [
    "FAMILIES",
    "EstimatorStudent",
    "FittedEstimator",
    "FittedLightGBM",
    "FittedLinear",
    "FittedMLP",
    "FittedModule",
    "FittedStudent",
    "FittedTree",
    "KerasStudent",
    "LightGBMStudent",
    "LinearStudent",
    "MLPStudent",
    "ModuleStudent",
    "Student",
    "TreeStudent",
    "resolve_student",
]

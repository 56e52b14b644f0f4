"""Students: small models that learn from soft targets, one file for each kind."""

from stackens.distillation.students._base import FittedStudent, Student

__all__ = ["FittedStudent", "Student"]

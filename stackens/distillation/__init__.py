"""Distillation: any teacher into one small student that keeps its gain, or an honest "don't"."""

from stackens.distillation._classifier import DistilledClassifier
from stackens.distillation._pareto import ParetoFront
from stackens.distillation._regressor import DistilledRegressor
from stackens.distillation._report import DistillationReport

__all__ = ["DistillationReport", "DistilledClassifier", "DistilledRegressor", "ParetoFront"]

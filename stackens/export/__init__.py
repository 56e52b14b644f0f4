"""Fitted models as small, exact, verified artifacts: ONNX, numpy, C, and files without pickle."""

from stackens.export._artifact import Artifact, ExportReport
from stackens.export._cost import (
    ExportedCost,
    exported_cost,
    exported_ensemble_cost,
    program_cost,
)
from stackens.export._export import to_c, to_numpy, to_onnx
from stackens.export._verify import verify
from stackens.export.saving import load, save

__all__ = [
    "Artifact",
    "ExportReport",
    "ExportedCost",
    "exported_cost",
    "exported_ensemble_cost",
    "load",
    "program_cost",
    "save",
    "to_c",
    "to_numpy",
    "to_onnx",
    "verify",
]

"""Alignment: networks that were trained apart are brought into line before they are averaged."""

from stackens.weight_averaging.alignment._align import align
from stackens.weight_averaging.alignment._report import AlignedModels, AlignmentReport
from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, UnitMatrix, Units

__all__ = [
    "AlignedModels",
    "AlignmentReport",
    "Part",
    "Symmetry",
    "UnitMatrix",
    "Units",
    "align",
]

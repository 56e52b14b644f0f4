"""Tries exported files against the models that they were made from."""

from stackens.export.verification._check import (
    Check,
    Runner,
    check,
    described,
    largest_difference,
    tolerance_of,
)
from stackens.export.verification._probes import Probes, make_probes
from stackens.export.verification._source import answers_of_source, rows_for_source

__all__ = [
    "Check",
    "Probes",
    "Runner",
    "answers_of_source",
    "check",
    "described",
    "largest_difference",
    "make_probes",
    "rows_for_source",
    "tolerance_of",
]

"""Tries exported files against the models that they were made from."""

from stackens.export.verification._check import (
    Check,
    Runner,
    check,
    described,
    largest_difference,
    size_of,
    tolerance_of,
)
from stackens.export.verification._probes import Probes, make_probes
from stackens.export.verification._source import (
    answers_of_source,
    raw_rows,
    require_types_without_effect,
    rows_for_source,
)

__all__ = [
    "Check",
    "Probes",
    "Runner",
    "answers_of_source",
    "check",
    "described",
    "largest_difference",
    "make_probes",
    "raw_rows",
    "require_types_without_effect",
    "rows_for_source",
    "size_of",
    "tolerance_of",
]

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
from stackens.export.verification._probes import Probes, make_probes, ordinary_rows
from stackens.export.verification._source import (
    accepted_rows,
    answers_of_source,
    own_rows,
    raw_rows,
    require_types_without_effect,
    rows_for_source,
)

__all__ = [
    "Check",
    "Probes",
    "Runner",
    "accepted_rows",
    "answers_of_source",
    "check",
    "described",
    "largest_difference",
    "make_probes",
    "ordinary_rows",
    "own_rows",
    "raw_rows",
    "require_types_without_effect",
    "rows_for_source",
    "size_of",
    "tolerance_of",
]

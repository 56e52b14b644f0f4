"""What comparisons and searches rest on: rows set aside, scores with their errors, and costs."""

from stackens.evaluation._cost import (
    Cost,
    cost_of,
    least_seconds,
    pickled_bytes,
    single_row_latency,
)
from stackens.evaluation._outer import inner_cv, is_time_ordered, listed_cv, outer_splits
from stackens.evaluation._scoring import (
    Answers,
    RowScores,
    Scoring,
    check_scoring,
    resolve_scoring,
    row_scores,
    score_answers,
)
from stackens.evaluation._statistics import Evaluation, HeldOut, differences, evaluate
from stackens.evaluation._words import as_bytes, as_number, as_seconds, capitalised, decimals

__all__ = [
    "Answers",
    "Cost",
    "Evaluation",
    "HeldOut",
    "RowScores",
    "Scoring",
    "as_bytes",
    "as_number",
    "as_seconds",
    "capitalised",
    "check_scoring",
    "cost_of",
    "decimals",
    "differences",
    "evaluate",
    "inner_cv",
    "is_time_ordered",
    "least_seconds",
    "listed_cv",
    "outer_splits",
    "pickled_bytes",
    "resolve_scoring",
    "row_scores",
    "score_answers",
    "single_row_latency",
]

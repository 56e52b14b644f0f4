"""Averaging rules: several tensors of one shape become one, whatever framework they come from."""

from stackens.weight_averaging.rules._arithmetic import (
    accumulation_dtype,
    is_averaged,
    rounded,
    weighted_sum,
)
from stackens.weight_averaging.rules._buffers import merge_buffer
from stackens.weight_averaging.rules._checks import (
    check_finite,
    check_not_quantised,
    check_same,
)
from stackens.weight_averaging.rules._groups import group_weights
from stackens.weight_averaging.rules._mean import FisherMean, WeightedMean
from stackens.weight_averaging.rules._model_stock import ModelStock
from stackens.weight_averaging.rules._registry import RULES, rule_for
from stackens.weight_averaging.rules._regmean import RegMean
from stackens.weight_averaging.rules._rule import Rule, State
from stackens.weight_averaging.rules._slerp import Slerp
from stackens.weight_averaging.rules._task_vectors import Dare, TaskArithmetic, Ties

__all__ = [
    "RULES",
    "Dare",
    "FisherMean",
    "ModelStock",
    "RegMean",
    "Rule",
    "Slerp",
    "State",
    "TaskArithmetic",
    "Ties",
    "WeightedMean",
    "accumulation_dtype",
    "check_finite",
    "check_not_quantised",
    "check_same",
    "group_weights",
    "is_averaged",
    "merge_buffer",
    "rounded",
    "rule_for",
    "weighted_sum",
]

"""Out-of-fold predictions: the table, the folds, and the one loop that fits base models."""

from stackens.out_of_fold._cross_fit import CrossFit, cross_fit
from stackens.out_of_fold._fold_bag import FoldBag
from stackens.out_of_fold._folds import Folds, Split, make_folds
from stackens.out_of_fold._jobs import model_error
from stackens.out_of_fold._members import (
    as_seed,
    estimator_pairs,
    is_dropped,
    seeded_clone,
    validate_estimators,
)
from stackens.out_of_fold._policy import final_step
from stackens.out_of_fold._responses import choose_response, estimator_type, respond
from stackens.out_of_fold._routing import add_members, weight_params
from stackens.out_of_fold._table import OutOfFoldTable, PredictionTable

__all__ = [
    "CrossFit",
    "FoldBag",
    "Folds",
    "OutOfFoldTable",
    "PredictionTable",
    "Split",
    "add_members",
    "as_seed",
    "choose_response",
    "cross_fit",
    "estimator_pairs",
    "estimator_type",
    "final_step",
    "is_dropped",
    "make_folds",
    "model_error",
    "respond",
    "seeded_clone",
    "validate_estimators",
    "weight_params",
]

"""Out-of-fold predictions: the table, the folds, and the one loop that fits base models."""

from stackens.out_of_fold._checks import check_options, checked_groups, checked_weights
from stackens.out_of_fold._cross_fit import CrossFit, cross_fit
from stackens.out_of_fold._fold_bag import FoldBag
from stackens.out_of_fold._folds import Folds, Split, make_folds, split_pairs, warn_shared_groups
from stackens.out_of_fold._jobs import model_error
from stackens.out_of_fold._members import (
    as_seed,
    estimator_pairs,
    is_dropped,
    seeded_clone,
    validate_estimators,
)
from stackens.out_of_fold._policy import final_step, frozen_parts
from stackens.out_of_fold._recorded import (
    as_fitted_estimator,
    call_scorer,
    reads_rows,
    scorer_advice,
    scorer_failure,
)
from stackens.out_of_fold._responses import choose_response, estimator_type, respond
from stackens.out_of_fold._routing import add_members, fit_model, route_fit, weight_params
from stackens.out_of_fold._table import OutOfFoldTable, PredictionTable, Response

__all__ = [
    "CrossFit",
    "FoldBag",
    "Folds",
    "OutOfFoldTable",
    "PredictionTable",
    "Response",
    "Split",
    "add_members",
    "as_fitted_estimator",
    "as_seed",
    "call_scorer",
    "check_options",
    "checked_groups",
    "checked_weights",
    "choose_response",
    "cross_fit",
    "estimator_pairs",
    "estimator_type",
    "final_step",
    "fit_model",
    "frozen_parts",
    "is_dropped",
    "make_folds",
    "model_error",
    "reads_rows",
    "respond",
    "route_fit",
    "scorer_advice",
    "scorer_failure",
    "seeded_clone",
    "split_pairs",
    "validate_estimators",
    "warn_shared_groups",
    "weight_params",
]

"""Combiners: what turns the predictions of several models into one."""

from stackens.combiners._auto import AutoCombiner
from stackens.combiners._base import Combiner, WeightedCombiner, weightless
from stackens.combiners._cross_fitted import cross_fitted_predictions
from stackens.combiners._greedy import GreedyPath, GreedySelection, greedy_selection
from stackens.combiners._greedy_scorer import checked_scorer
from stackens.combiners._linear import NonNegativeLeastSquares, RidgeLeaveOneOut
from stackens.combiners._logistic import LogisticOnLogits, LogLinearPool
from stackens.combiners._means import (
    BestSingle,
    FixedWeights,
    MajorityVote,
    UniformMean,
    model_weights,
)
from stackens.combiners._meta_learner import MetaLearner, meta_features, passed_positions
from stackens.combiners._registry import COMBINERS, combiner_for
from stackens.combiners._simplex import SimplexWeights, simplex_weights
from stackens.combiners._two_scale import TwoScalePool

__all__ = [
    "COMBINERS",
    "AutoCombiner",
    "BestSingle",
    "Combiner",
    "FixedWeights",
    "GreedyPath",
    "GreedySelection",
    "LogLinearPool",
    "LogisticOnLogits",
    "MajorityVote",
    "MetaLearner",
    "NonNegativeLeastSquares",
    "RidgeLeaveOneOut",
    "SimplexWeights",
    "TwoScalePool",
    "UniformMean",
    "WeightedCombiner",
    "checked_scorer",
    "combiner_for",
    "cross_fitted_predictions",
    "greedy_selection",
    "meta_features",
    "model_weights",
    "passed_positions",
    "simplex_weights",
    "weightless",
]

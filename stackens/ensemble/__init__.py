"""The estimator that blending and stacking share: cross-fit, then a combiner."""

from stackens.ensemble._base import OutOfFoldEnsemble
from stackens.ensemble._classifier import ClassifierOutputs
from stackens.ensemble._named_estimators import NamedEstimators
from stackens.ensemble._regressor import RegressorOutputs

__all__ = ["ClassifierOutputs", "NamedEstimators", "OutOfFoldEnsemble", "RegressorOutputs"]

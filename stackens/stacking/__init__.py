"""Route 3: a meta-learner over the models' outputs."""

from stackens.stacking._stacked import StackedClassifier, StackedRegressor

__all__ = ["StackedClassifier", "StackedRegressor"]

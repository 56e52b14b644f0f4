"""Route 2: a weighted mean of the models' outputs."""

from stackens.blending._blended import BlendedClassifier, BlendedRegressor

__all__ = ["BlendedClassifier", "BlendedRegressor"]

"""The honest comparison: every strategy on the same fits, scored on rows set aside before."""

from stackens.comparison._compare import compare
from stackens.comparison._default_estimators import default_estimators
from stackens.comparison._report import ComparisonReport

__all__ = ["ComparisonReport", "compare", "default_estimators"]

"""From a DataFrame to numbers that any model can read."""

from stackens.preprocessing._columns import CategoricalColumn, NumericColumn, NumericFeature
from stackens.preprocessing._tabular_encoder import TabularEncoder

__all__ = ["CategoricalColumn", "NumericColumn", "NumericFeature", "TabularEncoder"]

"""Readers of trees: LightGBM, XGBoost, and scikit-learn's trees, forests and boosted trees."""

# Importing a file registers its readers.
# ruff: noqa: F401

from stackens.export.readers.trees import (
    _ada_boost,
    _bagging,
    _gradient_boosting,
    _hist_gradient_boosting,
    _lightgbm,
    _sklearn_trees,
    _xgboost,
)

__all__: list[str] = []

"""The one place where private scikit-learn names are imported."""

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils.metadata_routing import _raise_for_params as raise_for_params
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "StrOptions",
    "VisualBlock",
    "check_feature_names_in",
    "check_sample_weight",
    "fit_context",
    "raise_for_params",
    "routing_enabled",
    "safe_indexing",
    "tree_class",
    "tree_predictor_class",
]


def tree_class() -> Any:
    """Return the class of the arrays of a decision tree, imported when asked for."""
    from sklearn.tree._tree import Tree

    return Tree


def tree_predictor_class() -> Any:
    """Return the class of one tree of histogram boosting, imported when asked for."""
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    return TreePredictor

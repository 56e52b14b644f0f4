"""Which models could be averaged, since they share an architecture; found before any fit."""

from __future__ import annotations

import pickle
from typing import Any

import joblib
from sklearn.base import MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from stackens.out_of_fold import estimator_pairs
from stackens.weight_averaging._shared_start import architecture, last_step
from stackens.weight_averaging.adapters import find_adapter

__all__ = ["averageable_groups"]


def averageable_groups(estimators: Any) -> list[list[tuple[str, Any]]]:
    """Return the groups of two or more estimators whose weights could be averaged.

    Of one group are networks or linear models of one class with equal settings of what the
    weights mean (layers, activation, loss), alone or behind equal steps of a pipeline. A pipeline
    with a step that draws random numbers without a seed is in no group: fitted again, that step
    would not be the same.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Fitted or not.

    Returns
    -------
    list of lists of (name, estimator) pairs
        In the order given; models that share their architecture with no other are left out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.neural_network import MLPRegressor
    >>> from stackens.weight_averaging import averageable_groups
    >>> models = [("a", Ridge(0.1)), ("net", MLPRegressor()), ("b", Ridge(1.0))]
    >>> [[name for name, _ in group] for group in averageable_groups(models)]
    [['a', 'b']]
    """
    groups: dict[Any, list[tuple[str, Any]]] = {}
    for name, model in estimator_pairs(estimators):
        key = _what_must_be_equal(model)
        if key is not None:
            groups.setdefault(key, []).append((name, model))
    return [group for group in groups.values() if len(group) > 1]


def _what_must_be_equal(model: Any) -> tuple[Any, ...] | None:
    """Return what two models of one group have in common; None for what cannot be averaged."""
    is_frozen = isinstance(model, FrozenEstimator)
    model = model.estimator if is_frozen else model
    last = last_step(model)
    # A meta-estimator of scikit-learn's linear models, RANSAC, has no weights of its own.
    if find_adapter(model) is None or isinstance(last, MetaEstimatorMixin):
        return None
    common = (type(model), is_frozen, type(last), *architecture(model).items())
    if not isinstance(model, Pipeline):
        return common
    before = model[:-1]
    settings = before.get_params().items()
    if any(name.endswith("__random_state") and value is None for name, value in settings):
        return None
    try:
        content = joblib.hash([step for _, step in before.steps])
    except (pickle.PicklingError, AttributeError, TypeError):  # a lambda, for example
        return None
    return (*common, *(name for name, _ in model.steps), content)

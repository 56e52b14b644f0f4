"""Strategies that are estimators fitted by themselves on rows, such as a weight average."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from stackens.comparison._inputs import Inputs
from stackens.comparison._progress import say
from stackens.comparison._strategies import Strategy

__all__ = ["fit_on_rows", "what_predicts"]


def fit_on_rows(
    strategy: Strategy, inputs: Inputs, failed: Collection[str] = (), verbose: int = 0
) -> Any:
    """Return the estimator of a strategy, fitted on these rows and nothing else.

    Parameters
    ----------
    strategy : Strategy
    inputs : Inputs
        The rows, whose weights and groups are given to the estimator if its ``fit`` takes them,
        and the seed, which it gets unless it has one of its own.
    failed : collection of str
        Base models that cannot be fitted; they are left out.
    verbose : int, default=0

    Raises
    ------
    ValueError
        If fewer than two of its models are left.
    """
    models = [(name, model) for name, model in inputs.pairs if name in strategy.models]
    models = [(name, model) for name, model in models if name not in failed]
    if len(models) < 2:
        raise ValueError("fewer than two of its models can be fitted")
    if isinstance(inputs.cv, str):  # "prefit"
        models = [(name, FrozenEstimator(model)) for name, model in models]
    estimator = clone(strategy.estimator)
    estimator.set_params(estimators=models, n_jobs=inputs.options["n_jobs"], verbose=verbose)
    if estimator.random_state is None:
        estimator.set_params(random_state=inputs.options["random_state"])
    known = {"sample_weight": inputs.sample_weight, "groups": inputs.groups}
    params = {
        name: values
        for name, values in known.items()
        if values is not None and has_fit_parameter(estimator, name)
    }
    say(verbose, f"{strategy.name}: training {len(models)} models once more")
    return estimator.fit(inputs.X, inputs.y, **params)


def what_predicts(estimator: Any) -> Any:
    """Return the part of a fitted estimator that predicts: the averaged model, or the student."""
    return getattr(estimator, "model_", getattr(estimator, "student_", estimator))

"""Strategies on the table: combiners fitted on a cross-fit that exists already."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from stackens._core._task import Task
from stackens.combiners import Combiner, cross_fitted_predictions
from stackens.comparison._strategies import Strategy, named
from stackens.evaluation import Answers
from stackens.out_of_fold import CrossFit, OutOfFoldTable, PredictionTable, seeded_clone

__all__ = ["FittedStrategy", "check_strategies", "distil_table", "fit_strategy"]


@dataclass(frozen=True, eq=False)
class FittedStrategy:
    """A blend or a stack after :func:`fit_strategy`.

    Parameters
    ----------
    combiner : fitted Combiner
    names : tuple of str
        The base models that it combines.
    seconds : float
        Time to fit its combiner, in seconds.
    out_of_fold : Answers
        What it says about the training rows, each row by a combiner that did not see it; NaN
        where the table has no predictions.
    """

    combiner: Combiner
    names: tuple[str, ...]
    seconds: float
    out_of_fold: Answers

    def answers(self, table: PredictionTable) -> Answers:
        """Combine the predictions of all base models for new rows."""
        values = self.combiner.combine(table.select(self.names))
        return Answers(values, _response(self.combiner, table.task))

    @property
    def weighted_models(self) -> tuple[str, ...]:
        """Base models that it needs for predicting: those of weight zero are left out."""
        weights = getattr(self.combiner, "weights_", None)
        if weights is None or np.shape(weights) != (len(self.names),):
            return self.names
        return tuple(name for name, weight in zip(self.names, weights, strict=True) if weight != 0)


def fit_strategy(strategy: Strategy, fitted: CrossFit, random_state: int | None) -> FittedStrategy:
    """Fit a combination on a cross-fit that exists already, as its ensemble would.

    Raises
    ------
    ValueError
        If the cross-fit has none of its models.
    """
    names = tuple(name for name in fitted.names if name in strategy.models)
    if not names or strategy.ensemble is None:
        raise ValueError(
            f"The strategy {strategy.name!r} needs base models whose outputs it can combine. Got "
            f"{list(fitted.names)}: the others failed, and a mean reads no margins. Add a model "
            "with predict_proba, or stack these."
        )
    table = fitted.out_of_fold.select(names)
    combiner = strategy.ensemble._make_combiner(table)
    combiner = seeded_clone("combiner", combiner, random_state)
    start = time.perf_counter()
    if hasattr(combiner, "fit_cross_fitted"):  # both at the price of the fit
        values = combiner.fit_cross_fitted(table)
        seconds = time.perf_counter() - start
    else:
        combiner.fit(table)
        seconds = time.perf_counter() - start
        values = cross_fitted_predictions(combiner, table)
    answers = Answers(values, _response(combiner, fitted.task))
    return FittedStrategy(combiner, names, seconds, answers)


def distil_table(strategy: Strategy, fitted: CrossFit, options: Mapping[str, Any]) -> Any:
    """Return the student of a strategy, taught by the table of a cross-fit.

    Parameters
    ----------
    strategy : Strategy
    fitted : CrossFit
    options : mapping of str to object
        Its ``random_state`` is given to a student without one of its own.

    Raises
    ------
    ValueError
        If the cross-fit has none of its models.
    """
    names = [name for name in fitted.names if name in strategy.models]
    if not names:
        raise ValueError(
            f"The strategy {strategy.name!r} needs base models that teach it. Got "
            f"{list(fitted.names)}, the others failed. Mend or replace them."
        )
    estimator = clone(strategy.estimator)
    if estimator.random_state is None:
        estimator.set_params(random_state=options["random_state"])
    return estimator.fit_from(fitted.select(names))


def check_strategies(
    strategies: Sequence[Strategy], table: OutOfFoldTable, *, scorers: bool = False
) -> None:
    """Raise on models and columns that a combination cannot read, given a table to come.

    With ``scorers`` also on scorers that it cannot use; otherwise its fit will say so.
    """
    first = replace(table.rows(np.arange(1)), covered=None, sample_weight=None)
    for strategy in strategies:
        names = [name for name in table.names if name in strategy.models]
        if strategy.ensemble is not None and names:
            with named(strategy.name):
                strategy.ensemble._check_table(first.select(names), scorers=False)
                if scorers:
                    strategy.ensemble._make_combiner(None).check_scoring(table)


def _response(combiner: Any, task: Task) -> str:
    """Return what a fitted combiner's values are: probabilities unless it says otherwise."""
    usual = "predict_proba" if task.is_classification else "predict"
    return getattr(combiner, "response_", usual)

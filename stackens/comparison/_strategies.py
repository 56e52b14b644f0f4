"""Strategies: what is compared, from the names and objects that users write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from stackens._core._task import Task
from stackens.blending import BlendedClassifier, BlendedRegressor
from stackens.combiners import COMBINERS, Combiner, WeightedCombiner, cross_fitted_predictions
from stackens.comparison._scoring import Answers
from stackens.ensemble import OutOfFoldEnsemble
from stackens.out_of_fold import CrossFit, PredictionTable
from stackens.stacking import StackedClassifier, StackedRegressor

__all__ = ["FittedStrategy", "Strategy", "fit_strategy", "resolve_strategies"]

# Names of combiners that are a mean of models; the others learn more than weights.
_BLENDS = ("best", "greedy", "simplex", "uniform", "vote")


@dataclass(frozen=True, eq=False)
class Strategy:
    """One row of the comparison: a base model alone, or a combination.

    Parameters
    ----------
    name : str
    models : tuple of str
        The base models that it uses.
    ensemble : OutOfFoldEnsemble or None, default=None
        The unfitted combination; None for a base model alone.
    """

    name: str
    models: tuple[str, ...]
    ensemble: OutOfFoldEnsemble | None = None


@dataclass(frozen=True, eq=False)
class FittedStrategy:
    """A combination after :func:`fit_strategy`.

    Parameters
    ----------
    ensemble : fitted OutOfFoldEnsemble
    seconds : float
        Time to fit its combiner, in seconds.
    out_of_fold : Answers
        What it says about the training rows, each row by a combiner that did not see it; NaN
        where the table has no predictions.
    """

    ensemble: Any
    seconds: float
    out_of_fold: Answers

    def answers(self, table: PredictionTable) -> Answers:
        """Combine the predictions of all base models for new rows."""
        names = self.ensemble.cross_fit_.names
        combiner = self.ensemble.combiner_
        return Answers(combiner.combine(table.select(names)), _response(combiner, table.task))

    @property
    def weighted_models(self) -> tuple[str, ...]:
        """Base models that it needs for predicting: those of weight zero are left out."""
        names = self.ensemble.cross_fit_.names
        weights = getattr(self.ensemble.combiner_, "weights_", None)
        if weights is None or np.shape(weights) != (len(names),):
            return names
        return tuple(name for name, weight in zip(names, weights, strict=True) if weight != 0)


def fit_strategy(strategy: Strategy, fitted: CrossFit) -> FittedStrategy:
    """Fit a combination on a cross-fit that exists already.

    Raises
    ------
    ValueError
        If the cross-fit has none of its models.
    """
    names = [name for name in fitted.names if name in strategy.models]
    if not names:
        raise ValueError("no base model gives outputs that it can combine")
    if tuple(names) != fitted.names:
        fitted = fitted.select(names)
    ensemble = clone(strategy.ensemble).set_params(estimators=[])  # all that the cross-fit has
    start = time.perf_counter()
    ensemble.fit_from(fitted)
    seconds = time.perf_counter() - start
    values = cross_fitted_predictions(ensemble.combiner_, fitted.out_of_fold)
    return FittedStrategy(
        ensemble, seconds, Answers(values, _response(ensemble.combiner_, fitted.task))
    )


def _response(combiner: Any, task: Task) -> str:
    """Return what a fitted combiner's values are: probabilities unless it says otherwise."""
    usual = "predict_proba" if task.is_classification else "predict"
    return getattr(combiner, "response_", usual)


def resolve_strategies(
    strategies: Any,
    pairs: list[tuple[str, Any]],
    task: Task,
    responses: dict[str, str],
    scoring: Any,
) -> list[Strategy]:
    """Turn what a user wrote into strategies.

    Parameters
    ----------
    strategies : dict, list or None
        As in :func:`stackens.compare`.
    pairs : list of (str, estimator)
        Base models.
    task : Task
    responses : dict of str -> str
        What each base model gives.
    scoring : str, callable or None
        What greedy selection optimises.
    """
    names = tuple(name for name, _ in pairs)
    resolver = _Resolver(names, task, responses, scoring)
    if strategies is None:
        chosen = {**{name: name for name in names}, **resolver.usual()}
        clash = sorted(set(names) & set(resolver.usual()))
        if clash:
            raise ValueError(
                "Base models must not be called like the usual strategies. Got "
                f"{clash}. Rename them."
            )
    elif isinstance(strategies, Mapping):
        chosen = dict(strategies)
    elif isinstance(strategies, list | tuple):
        chosen = _listed(strategies)
    else:
        raise _unknown(strategies, names)
    if not chosen:
        raise ValueError(
            "The 'strategies' parameter of compare must hold at least one strategy. Got "
            f"{strategies!r}. Leave it at None for the usual ones."
        )
    return [resolver.strategy(name, value) for name, value in chosen.items()]


def _listed(strategies: Any) -> dict[str, Any]:
    items = [item if isinstance(item, tuple) else (item, item) for item in strategies]
    names = [name for name, _ in items]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            "A list of strategies must hold different names, or pairs of a name and a "
            f"strategy. Got {strategies!r:.200}. Use a dict of names to give each its own."
        )
    return dict(items)


@dataclass(frozen=True)
class _Resolver:
    names: tuple[str, ...]
    task: Task
    responses: dict[str, str]
    scoring: Any

    def usual(self) -> dict[str, Any]:
        """Return the strategies that are compared when the user names none."""
        linear = "logistic" if self.task.is_classification else "ridge"
        return {
            "blend uniform": "uniform",
            "blend simplex": "simplex",
            "blend greedy": "greedy",
            f"stack {linear}": linear,
            "stack auto": "auto",
        }

    def strategy(self, name: Any, value: Any) -> Strategy:
        if not isinstance(name, str):
            raise ValueError(
                f"Names of strategies must be text. Got {name!r}. Use text as keys of the dict."
            )
        usual = self.usual().get(name) == value  # a base model may be called "ridge" as well
        is_model = isinstance(value, str) and value in self.names and not usual
        if is_model and (name == value or name not in self.names):
            return Strategy(name, (value,))
        if name in self.names:
            raise ValueError(
                f"A strategy called like a base model must be that model. Got {name!r}: "
                f"{value!r:.200}. Give the strategy another name."
            )
        ensemble = self._ensemble(value)
        wanted = [model for model, _ in ensemble._pairs] or list(self.names)
        unknown = [model for model in wanted if model not in self.names]
        if unknown:
            raise ValueError(
                f"The strategy {name!r} must combine models that are compared. Got {unknown}, "
                f"which are not among {list(self.names)}. Add them to 'estimators', or leave "
                "the strategy's own estimators empty to combine all."
            )
        return Strategy(name, self._readable(ensemble, wanted), ensemble)

    def _ensemble(self, value: Any) -> OutOfFoldEnsemble:
        classify = self.task.is_classification
        blended = BlendedClassifier if classify else BlendedRegressor
        stacked = StackedClassifier if classify else StackedRegressor
        if isinstance(value, str):
            value = self.usual().get(value, value)
            if value not in COMBINERS:
                raise _unknown(value, self.names)
            if value in _BLENDS:
                return blended([], weighting=value, scoring=self.scoring)
            return stacked([], final_estimator=value)
        if isinstance(value, Combiner):
            if isinstance(value, WeightedCombiner):
                return blended([], weighting=value)
            return stacked([], final_estimator=value)
        if not isinstance(value, OutOfFoldEnsemble):
            raise _unknown(value, self.names)
        if is_classifier(value) != classify:
            raise ValueError(
                f"Strategies must fit the target, which is {self.task.kind}. Got a "
                f"{type(value).__name__}. Use a {'Classifier' if classify else 'Regressor'}."
            )
        return value

    def _readable(self, ensemble: OutOfFoldEnsemble, wanted: list[str]) -> tuple[str, ...]:
        """Leave out models that the combiner cannot read, such as margins in a mean."""
        combiner = ensemble._make_combiner(None)
        return tuple(
            name
            for name in self.names
            if name in wanted
            and combiner.accepts(
                PredictionTable(
                    np.empty((0, 1, self.task.n_outputs)),
                    (name,),
                    self.task,
                    (self.responses[name],),  # type: ignore[arg-type]
                )
            )
        )


def _unknown(value: Any, names: tuple[str, ...]) -> ValueError:
    return ValueError(
        "The 'strategies' parameter of compare must be None, a list of names, or a dict from "
        "names to a combiner's name, a base model's name, an unfitted Blended or Stacked "
        f"estimator or a combiner. Got {value!r:.200}. The names are {sorted(COMBINERS)} and "
        f"those of the base models, {list(names)}."
    )

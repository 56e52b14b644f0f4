"""Strategies: what is compared, from the names and objects that users write."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from stackens._core._task import Task
from stackens.blending import BlendedClassifier, BlendedRegressor
from stackens.combiners import COMBINERS, Combiner, WeightedCombiner, cross_fitted_predictions
from stackens.comparison._scoring import Answers
from stackens.ensemble import OutOfFoldEnsemble
from stackens.out_of_fold import (
    CrossFit,
    OutOfFoldTable,
    PredictionTable,
    is_dropped,
    seeded_clone,
)
from stackens.stacking import StackedClassifier, StackedRegressor

__all__ = [
    "FittedStrategy",
    "Strategy",
    "check_strategies",
    "fit_strategy",
    "resolve_strategies",
]

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
        The unfitted combination, with its base models; None for a base model alone.
    """

    name: str
    models: tuple[str, ...]
    ensemble: OutOfFoldEnsemble | None = None


@dataclass(frozen=True, eq=False)
class FittedStrategy:
    """A combination after :func:`fit_strategy`.

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
        raise ValueError("no base model gives outputs that it can combine")
    table = fitted.out_of_fold.select(names)
    combiner = strategy.ensemble._make_combiner(table.features)
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


def check_strategies(strategies: Sequence[Strategy], table: OutOfFoldTable) -> None:
    """Raise on models and columns that a combination cannot read, given a table to come."""
    for strategy in strategies:
        names = [name for name in table.names if name in strategy.models]
        if strategy.ensemble is not None and names:
            with _named(strategy.name):
                strategy.ensemble._check_table(table.select(names))


@contextmanager
def _named(strategy: str) -> Iterator[None]:
    """Add to an error which strategy it is about."""
    try:
        yield
    except (ValueError, TypeError) as error:
        error.add_note(f"This is about the strategy {strategy!r} of compare.")
        raise


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
    sample_weight: np.ndarray | None = None,
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
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Final estimators must take it.

    Raises
    ------
    ValueError
        For what is not a strategy, or cannot work with these models.
    """
    resolver = _Resolver(dict(pairs), task, responses, scoring, sample_weight)
    names = resolver.names
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
    models: dict[str, Any]
    task: Task
    responses: dict[str, str]
    scoring: Any
    sample_weight: np.ndarray | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.models)

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
        ensemble = clone(self._ensemble(value))
        pairs = ensemble._pairs or list(self.models.items())
        self._check_same(name, pairs)
        kept = [model for model, estimator in pairs if not is_dropped(estimator)]
        pairs = [(model, self.models[model] if model in kept else "drop") for model, _ in pairs]
        with _named(name):
            ensemble._check_names(pairs)
            ensemble.set_params(estimators=pairs)
            ensemble._validate_params()
            ensemble._check_combiner(self.sample_weight)
        return Strategy(name, self._readable(ensemble, kept), ensemble)

    def _check_same(self, name: str, pairs: list[tuple[str, Any]]) -> None:
        """Raise on models of a combination that are not those compared."""
        unknown = [model for model, _ in pairs if model not in self.models]
        if unknown:
            raise ValueError(
                f"The strategy {name!r} must combine models that are compared. Got {unknown}, "
                f"which are not among {list(self.names)}. Add them to 'estimators', or leave "
                "the strategy's own estimators empty to combine all."
            )
        for model, estimator in pairs:
            compared = self.models[model]
            if not is_dropped(estimator) and repr(estimator) != repr(compared):
                raise ValueError(
                    f"The strategy {name!r} must combine the models that are compared. Got "
                    f"{estimator!r:.200} for {model!r}, which is {compared!r:.200} in "
                    "'estimators'. Add it there under a name of its own."
                )

    def _ensemble(self, value: Any) -> OutOfFoldEnsemble:
        classify = self.task.is_classification
        blended = BlendedClassifier if classify else BlendedRegressor
        stacked = StackedClassifier if classify else StackedRegressor
        if isinstance(value, str):
            value = self.usual().get(value, value)
            if value not in COMBINERS:
                raise _unknown(value, self.names)
            if value in _BLENDS:
                scoring = self.scoring if value == "greedy" else None
                return blended([], weighting=value, scoring=scoring)
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

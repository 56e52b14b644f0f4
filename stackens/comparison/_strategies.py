"""Strategies: what is compared, from the names and objects that users write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from stackens._core._task import Task
from stackens.blending import BlendedClassifier, BlendedRegressor
from stackens.combiners import COMBINERS, Combiner, WeightedCombiner
from stackens.distillation import DistilledClassifier, DistilledRegressor
from stackens.ensemble import OutOfFoldEnsemble
from stackens.out_of_fold import PredictionTable, estimator_type, is_dropped
from stackens.stacking import StackedClassifier, StackedRegressor
from stackens.weight_averaging import (
    WeightAveragedClassifier,
    WeightAveragedRegressor,
    averageable_groups,
)

__all__ = ["Strategy", "named", "resolve_strategies"]

# Names of combiners that are a mean of models; the others learn more than weights.
_BLENDS = ("best", "greedy", "simplex", "uniform", "vote")
_AVERAGE, _AVERAGED = "weight average", (WeightAveragedClassifier, WeightAveragedRegressor)
_STUDENT, _DISTILLED = "distilled", (DistilledClassifier, DistilledRegressor)


@dataclass(frozen=True, eq=False)
class Strategy:
    """One row of the comparison: a base model alone, or a combination.

    Parameters
    ----------
    name : str
    models : tuple of str
        The base models that it uses.
    estimator : estimator or None, default=None
        The unfitted combination, with its base models; None for a base model alone. A blend or
        a stack is fitted on the table of out-of-fold predictions, a student on the rows and the
        table, any other estimator by itself on the rows.
    """

    name: str
    models: tuple[str, ...]
    estimator: Any = None

    @property
    def ensemble(self) -> OutOfFoldEnsemble | None:
        """The estimator if it is fitted on the table."""
        return self.estimator if isinstance(self.estimator, OutOfFoldEnsemble) else None

    @property
    def fits_itself(self) -> bool:
        """Whether it is an estimator that is fitted on the rows alone."""
        return self.estimator is not None and self.ensemble is None and not self.distils

    @property
    def distils(self) -> bool:
        """Whether it is a student that a combination of the base models teaches."""
        return isinstance(self.estimator, _DISTILLED)


@contextmanager
def named(strategy: str) -> Iterator[None]:
    """Add to an error which strategy it is about."""
    try:
        yield
    except (ValueError, TypeError) as error:
        error.add_note(f"This is about the strategy {strategy!r} of compare.")
        raise


def resolve_strategies(
    strategies: Any,
    pairs: list[tuple[str, Any]],
    task: Task,
    responses: dict[str, str],
    scoring: Any,
    sample_weight: np.ndarray | None = None,
    *,
    tabular: bool = False,
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
    tabular : bool, default=False
        Whether X is a table of columns, which the usual student can read.

    Raises
    ------
    ValueError
        For what is not a strategy, or cannot work with these models.
    """
    resolver = _Resolver(dict(pairs), task, responses, scoring, sample_weight, tabular)
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
    tabular: bool

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
            **self.averages,
            **self._student(),
        }

    def _student(self) -> dict[str, Any]:
        """Return a student where it can read the rows and the teacher has something to combine."""
        suited = self.tabular and self.task.kind != "multilabel" and len(self.models) > 1
        return {_STUDENT: _STUDENT} if suited else {}

    @cached_property
    def averages(self) -> dict[str, Any]:
        """Return a weight average for each group of models that share an architecture."""
        classify = self.task.is_classification
        suited = [
            pair
            for pair in self.models.items()
            if (estimator_type(pair[1]) == "classifier") == classify
        ]
        groups = averageable_groups(suited)
        averaged = WeightAveragedClassifier if classify else WeightAveragedRegressor
        averages = [averaged(group, scoring=self.scoring) for group in groups]
        if len(averages) == 1:
            return {_AVERAGE: averages[0]}
        named = (", ".join(name for name, _ in group) for group in groups)
        return dict(zip((f"{_AVERAGE} ({names})" for names in named), averages, strict=True))

    def average(self) -> Any:
        """Return the only weight average that there is.

        Raises
        ------
        ValueError
            If there is none, or more than one.
        """
        if len(self.averages) == 1:
            return self.averages[_AVERAGE]
        if self.averages:
            raise ValueError(
                f"A {_AVERAGE} must say which models it takes where several architectures occur "
                f"twice. Got {_AVERAGE!r}. Name one of {list(self.averages)}."
            )
        raise ValueError(
            f"A {_AVERAGE} needs two base models that share an architecture: networks with equal "
            "layers, or linear models of one class, behind equal steps. Got "
            f"{', '.join(f'{name!r}: {model!r:.60}' for name, model in self.models.items())}. Add "
            "a model that differs from another only in its settings, or use a blend."
        )

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
        estimator = clone(self._estimator(value))
        if isinstance(estimator, _DISTILLED):
            return self._distilled(name, estimator)
        averaged = isinstance(estimator, _AVERAGED)
        pairs = estimator._pairs
        if not pairs:
            pairs = self.average()._pairs if averaged else list(self.models.items())
        self._check_same(name, pairs)
        kept = [model for model, estimator in pairs if not is_dropped(estimator)]
        pairs = [(model, self.models[model] if model in kept else "drop") for model, _ in pairs]
        if averaged and len(kept) < 2:
            raise ValueError(
                f"The strategy {name!r} must average at least two models. Got {kept}. Add one "
                "that shares its architecture, or leave the strategy's own estimators empty."
            )
        with named(name):
            if averaged:
                estimator.set_params(estimators=pairs)
                estimator._validate_params()
                estimator._check_models([(model, self.models[model]) for model in kept])
                return Strategy(name, tuple(kept), estimator)
            estimator._check_names(pairs)
            estimator.set_params(estimators=pairs)
            estimator._validate_params()
            estimator._check_combiner(self.sample_weight)
        return Strategy(name, self._readable(estimator, kept), estimator)

    def _distilled(self, name: str, estimator: Any) -> Strategy:
        """Return a student whose teacher combines the base models that are compared."""
        teacher = estimator.teacher
        if teacher is not None and not isinstance(teacher, OutOfFoldEnsemble):
            raise ValueError(
                f"The teacher of the strategy {name!r} must be made of the models that are "
                f"compared. Got {teacher!r:.200}. Use None for the automatic combination of all, "
                "or an unfitted Blended or Stacked estimator."
            )
        pairs = list(self.models.items())
        with named(name):
            estimator._validate_params()
            if teacher is not None and teacher._pairs:
                pairs = teacher._pairs
                self._check_same(name, pairs)
        kept = [model for model, found in pairs if not is_dropped(found)]
        if teacher is None:
            return Strategy(name, tuple(kept), estimator)
        combined = self.strategy(f"{name}'s teacher", clone(teacher))
        return Strategy(name, combined.models, estimator.set_params(teacher=combined.estimator))

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

    def _estimator(self, value: Any) -> Any:
        classify = self.task.is_classification
        blended = BlendedClassifier if classify else BlendedRegressor
        stacked = StackedClassifier if classify else StackedRegressor
        if isinstance(value, str):
            if value in self.averages:
                return self.averages[value]
            if value == _AVERAGE:
                return self.average()
            value = self.usual().get(value, value)
            if value == _STUDENT:
                return DistilledClassifier(None) if classify else DistilledRegressor(None)
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
        if not isinstance(value, (OutOfFoldEnsemble, *_AVERAGED, *_DISTILLED)):
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
        "names to a combiner's name, a base model's name, an unfitted Blended, Stacked, "
        "WeightAveraged or Distilled estimator or a combiner. Got "
        f"{value!r:.200}. The names are {[*sorted(COMBINERS), _AVERAGE, _STUDENT]} and those of "
        f"the base models, {list(names)}."
    )

"""A strategy fitted on all rows, with the seeds and options of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from stackens.blending import BlendedClassifier, BlendedRegressor
from stackens.comparison._outer_run import Inputs
from stackens.comparison._strategies import Strategy
from stackens.out_of_fold import weight_params
from stackens.out_of_fold._members import seeded_clone

__all__ = ["Refit"]


@dataclass(frozen=True, eq=False)
class Refit:
    """Fits the strategies of a comparison on all of its rows.

    Parameters
    ----------
    inputs : Inputs
        The rows, as a reference and not a copy.
    strategies : dict of str -> Strategy
    failed : frozenset of str
        Base models that failed in every outer split; they are left out.
    bags : frozenset of str
        Base models that predict as the mean of their fold models.
    verbose : int
    """

    inputs: Inputs
    strategies: dict[str, Strategy]
    failed: frozenset[str]
    bags: frozenset[str]
    verbose: int

    def __call__(self, name: str) -> Any:
        """Return a strategy fitted on all rows: what was scored, on more rows."""
        strategy, inputs = self.strategies[name], self.inputs
        ensemble = strategy.ensemble
        if ensemble is None:
            if strategy.models[0] not in self.bags:
                return self._model(strategy.models[0])
            blended = BlendedClassifier if inputs.task.is_classification else BlendedRegressor
            ensemble = blended([], weighting="uniform")
        pairs = [
            (model, estimator)
            for model, estimator in inputs.pairs
            if model in strategy.models and model not in self.failed
        ]
        ensemble = clone(ensemble).set_params(estimators=pairs, cv=inputs.cv)
        ensemble.set_params(**inputs.options, verbose=self.verbose)
        return ensemble.fit(
            inputs.X, inputs.y, sample_weight=inputs.sample_weight, groups=inputs.groups
        )

    def _model(self, name: str) -> Any:
        inputs = self.inputs
        estimator = dict(inputs.pairs)[name]
        if isinstance(inputs.cv, str):  # "prefit"
            return estimator
        model = seeded_clone(name, estimator, inputs.options["random_state"])
        weights = inputs.sample_weight
        params = {} if weights is None else weight_params(model, weights)
        model.fit(inputs.X, inputs.y, **params)
        return model

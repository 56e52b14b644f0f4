"""A strategy fitted on all rows, with the seeds and options of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from stackens.blending import BlendedClassifier, BlendedRegressor
from stackens.comparison._fit_on_rows import fit_on_rows
from stackens.comparison._fit_on_table import distil_table
from stackens.comparison._inputs import Inputs
from stackens.comparison._strategies import Strategy
from stackens.out_of_fold import (
    CrossFit,
    FoldBag,
    choose_response,
    cross_fit,
    fit_model,
    seeded_clone,
    weight_params,
)

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
        if strategy.fits_itself:
            return fit_on_rows(strategy, inputs, self.failed, self.verbose)
        if strategy.distils:
            kept = [pair for pair in inputs.pairs if pair[0] in set(strategy.models) - self.failed]
            return distil_table(strategy, self._cross_fit(kept, {}), inputs.options)
        ensemble = strategy.ensemble
        if ensemble is None:
            (model,) = strategy.models
            if model not in self.bags:
                return self._model(model)
            if self._gives_margins(model):  # no blend takes them
                return self._bag(model)
            blended = BlendedClassifier if inputs.task.is_classification else BlendedRegressor
            ensemble = blended([(model, None)], weighting="uniform")
        models = {
            model: estimator
            for model, estimator in inputs.pairs
            if model in strategy.models and model not in self.failed
        }
        pairs = [(model, models.get(model, "drop")) for model, _ in ensemble._pairs]
        ensemble = clone(ensemble).set_params(estimators=pairs, cv=inputs.cv, stack_method="auto")
        ensemble.set_params(**inputs.options, verbose=self.verbose)
        return ensemble.fit(
            inputs.X, inputs.y, sample_weight=inputs.sample_weight, groups=inputs.groups
        )

    def _gives_margins(self, name: str) -> bool:
        estimator = dict(self.inputs.pairs)[name]
        return choose_response(name, estimator, "auto", self.inputs.task) == "decision_function"

    def _model(self, name: str) -> Any:
        inputs = self.inputs
        estimator = dict(inputs.pairs)[name]
        if isinstance(inputs.cv, str):  # "prefit"
            return estimator
        model = seeded_clone(name, estimator, inputs.options["random_state"])
        weights = inputs.sample_weight
        params = {} if weights is None else weight_params(model, weights)
        fit_model(model, inputs.X, inputs.y, params)
        return model

    def _bag(self, name: str) -> FoldBag:
        pair = (name, dict(self.inputs.pairs)[name])
        return self._cross_fit([pair], {"final_fit": "bag"}).models[name]

    def _cross_fit(self, pairs: list[tuple[str, Any]], changes: dict[str, Any]) -> CrossFit:
        inputs = self.inputs
        return cross_fit(
            pairs,
            inputs.X,
            inputs.y,
            cv=inputs.cv,
            groups=inputs.groups,
            sample_weight=inputs.sample_weight,
            classification=inputs.task.is_classification,
            verbose=self.verbose,
            **{**inputs.options, **changes},
        )

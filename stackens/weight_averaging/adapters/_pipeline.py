"""Pipelines as named tensors: the last step's, with a scaler in front of it taken into account."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._estimator import EstimatorAdapter

__all__ = ["PipelineAdapter"]


class PipelineAdapter(Adapter):
    """A pipeline whose last step can be averaged.

    The steps before it must be alike in all models, or a weight would mean something else in each.
    The one exception: a scaler directly in front of a linear model or a perceptron is a linear map
    of each column, so the first layer is rewritten for the scaler of the model that is copied, and
    what is averaged is what the models do with unscaled columns.
    """

    kind = "pipelines"

    def __init__(self, last_steps: Sequence[Adapter]) -> None:
        self.last_steps = last_steps

    def accepts(self, model: Any) -> bool:
        return isinstance(model, Pipeline) and self._last_step(model) is not None

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        adapter = self._last_step(model)
        last = adapter.facts(model[-1], like[-1])
        facts: dict[str, Any] = {"steps": [name for name, _ in model.steps]}
        facts |= {f"last step's {name}": value for name, value in last.items()}
        for (name, step), (_, other) in zip(model.steps[:-1], like.steps[:-1], strict=False):
            scaler = other is like.steps[-2][1] and isinstance(adapter, EstimatorAdapter)
            facts[f"step {name!r}"] = (
                "as fitted on other rows or with other settings"
                if not _alike(step, other) and not (scaler and _both_linear(step, other))
                else type(other).__name__
            )
        return facts

    def tensors(self, model: Any, like: Any) -> Any:
        adapter = self._last_step(model)
        tensors = adapter.tensors(model[-1], like[-1])
        if len(model) < 2 or len(like) < 2 or _alike(model[-2], like[-2]):
            return tensors
        mine, theirs = _scaling(model[-2]), _scaling(like[-2])
        if mine is None or theirs is None or mine[1].shape != theirs[1].shape:
            return tensors  # the facts say what differs
        # x = centre + spread * u in both: u here in terms of u there.
        (centre, spread), (their_centre, their_spread) = mine, theirs
        return adapter.behind(tensors, (their_centre - centre) / spread, their_spread / spread)

    def holder(self, model: Any, like: Any) -> Any:
        return like  # its scaler and order of classes

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        self._last_step(model).write(model[-1], arrays)
        return model

    def _last_step(self, model: Pipeline) -> Any:
        return next((one for one in self.last_steps if one.accepts(model[-1])), None)


def _alike(step: Any, other: Any) -> bool:
    """Whether two fitted steps are the same in all their attributes."""
    if step is other:
        return True
    try:
        return joblib.hash(step) == joblib.hash(other)
    except (pickle.PicklingError, AttributeError, TypeError):  # a lambda, for example
        return False


def _both_linear(step: Any, other: Any) -> bool:
    return type(step) is type(other) and None not in (_scaling(step), _scaling(other))


def _scaling(step: Any) -> tuple[NDArray, NDArray] | None:
    """Return (centre, spread) of a fitted scaler that makes ``(x - centre) / spread`` of x."""
    if type(step) is StandardScaler:
        centre = step.mean_ if step.with_mean else None
        spread = step.scale_
    elif type(step) is RobustScaler:
        centre, spread = step.center_, step.scale_
    elif type(step) is MaxAbsScaler and not getattr(step, "clip", False):
        centre, spread = None, step.scale_
    elif type(step) is MinMaxScaler and not step.clip:
        centre, spread = -step.min_ / step.scale_, 1.0 / step.scale_
    else:
        return None
    n = step.n_features_in_
    return (
        np.zeros(n) if centre is None else centre,
        np.ones(n) if spread is None else spread,
    )

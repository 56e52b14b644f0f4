"""Base models as parameters: got and set by name, alone or with ``name__parameter``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from stackens.out_of_fold import estimator_pairs

__all__ = ["NamedEstimators"]


class NamedEstimators(BaseEstimator):
    """Nested parameters of an ensemble, as scikit-learn's own ensembles have them."""

    estimators: Any

    @property
    def _pairs(self) -> list[tuple[Any, Any]]:
        return estimator_pairs(self.estimators)

    @property
    def named_estimators(self) -> Bunch:
        """Unfitted base models by name."""
        return Bunch(**dict(self._pairs))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with those of the base models as ``name__parameter``."""
        params = super().get_params(deep=False)
        if not deep:
            return params
        try:
            pairs = self._pairs
        except (TypeError, ValueError):  # not valid yet; fit says what is wrong
            return params
        nested = dict(pairs)
        final = params.get("final_estimator")
        if hasattr(final, "get_params") and not isinstance(final, type):
            nested["final_estimator"] = final
        params.update(dict(pairs))
        for name, estimator in nested.items():
            if hasattr(estimator, "get_params") and not isinstance(estimator, type):
                params.update(
                    {f"{name}__{key}": value for key, value in estimator.get_params().items()}
                )
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the ensemble, whole base models by name, or ``name__parameter``."""
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        try:
            names = [name for name, _ in self._pairs]
        except (TypeError, ValueError):  # not valid yet; fit says what is wrong
            names = []
        replaced = {key: params.pop(key) for key in list(params) if key in names}
        if replaced:
            pairs = [(name, replaced.get(name, estimator)) for name, estimator in self._pairs]
            self.estimators = dict(pairs) if isinstance(self.estimators, Mapping) else pairs
        super().set_params(**params)
        return self

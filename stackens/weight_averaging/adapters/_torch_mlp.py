"""TorchMLPClassifier and TorchMLPRegressor as named tensors: those of their module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import joblib
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._torch import TorchAdapter

__all__ = ["TorchMLPAdapter"]

_CLASSES = ("TorchMLPClassifier", "TorchMLPRegressor")
_AROUND = ("encoder_", "target_mean_", "target_scale_")  # what stands before and after the module
_MODULE = TorchAdapter()


class TorchMLPAdapter(Adapter):
    """Our networks for tables; the encoder in front must be the same in all models."""

    kind = "TorchMLP models"

    def accepts(self, model: Any) -> bool:
        # By name, so that looking at a model of another kind does not load torch.
        return any(
            base.__module__.startswith("stackens.neural.") and base.__name__ in _CLASSES
            for base in type(model).__mro__
        )

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        check_is_fitted(model)
        facts = {"class": type(model).__name__, **_MODULE.facts(model.module_, like.module_)}
        if hasattr(model, "classes_"):
            facts["classes"] = model.classes_.tolist()
        for name in _AROUND:
            if hasattr(like, name):
                same = joblib.hash(getattr(model, name, None)) == joblib.hash(getattr(like, name))
                facts[name] = "the same" if same else "fitted on other rows"
        return facts

    def tensors(self, model: Any, like: Any) -> Any:
        check_is_fitted(model)
        return _MODULE.tensors(model.module_, like.module_)

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        _MODULE.write(model.module_, arrays)
        return model

"""What fitted scikit-learn estimators share: classes, feature names, a first layer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from stackens.weight_averaging.adapters._adapter import Adapter

__all__ = ["EstimatorAdapter"]


class EstimatorAdapter(Adapter):
    """A fitted estimator whose prediction is a function of arrays in its attributes.

    The copy keeps all other attributes of the model that is copied, such as the loss curve.
    """

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        check_is_fitted(model)
        facts: dict[str, Any] = {"class": type(model).__name__}
        if hasattr(model, "classes_"):
            # As a set: another order is brought into line.
            facts["classes"] = sorted(model.classes_.tolist(), key=str)
        names = getattr(model, "feature_names_in_", getattr(like, "feature_names_in_", None))
        if names is not None:
            facts["feature names"] = list(names)
        return facts

    def holder(self, model: Any, like: Any) -> Any:
        return like  # its order of classes

    @abstractmethod
    def tensors(self, model: Any, like: Any) -> dict[str, NDArray]: ...

    @abstractmethod
    def behind(
        self, tensors: dict[str, NDArray], shift: NDArray, scale: NDArray
    ) -> dict[str, NDArray]:
        """Return tensors that do with ``u`` what the given ones do with ``shift + scale * u``."""


def class_order(model: Any, like: Any) -> NDArray[np.intp] | None:
    """Return where the classes of ``like`` stand in ``model``; None if there is nothing to do.

    Models with other classes are left alone: there is no weight that says "never this class".
    """
    mine, wanted = (getattr(one, "classes_", np.array([])).tolist() for one in (model, like))
    if mine == wanted or sorted(mine, key=str) != sorted(wanted, key=str):
        return None
    return np.array([mine.index(label) for label in wanted], dtype=np.intp)

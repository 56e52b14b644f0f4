"""scikit-learn's multi-layer perceptrons as named tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from stackens.weight_averaging.adapters._estimator import EstimatorAdapter, class_order
from stackens.weight_averaging.adapters._values import from_array

__all__ = ["MLPAdapter"]


class MLPAdapter(EstimatorAdapter):
    """``MLPClassifier`` and ``MLPRegressor``; tensors are ``coefs_.0``, ``intercepts_.0``, ...

    The copy has no optimizer state: ``partial_fit`` on it starts a new one.
    """

    kind = "multi-layer perceptrons of scikit-learn"

    def accepts(self, model: Any) -> bool:
        return isinstance(model, MLPClassifier | MLPRegressor)

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        facts = super().facts(model, like)
        return facts | {"activation": model.activation, "output": model.out_activation_}

    def tensors(self, model: Any, like: Any) -> dict[str, NDArray]:
        check_is_fitted(model)
        arrays = {}
        for i, (coefficients, intercepts) in enumerate(
            zip(model.coefs_, model.intercepts_, strict=True)
        ):
            arrays[f"coefs_.{i}"], arrays[f"intercepts_.{i}"] = coefficients, intercepts
        order = class_order(model, like)
        if order is not None:
            for name in (f"coefs_.{i}", f"intercepts_.{i}"):  # the output layer
                array = arrays[name]
                arrays[name] = -array if len(order) == 2 else array[..., order]
        return arrays

    def behind(
        self, tensors: dict[str, NDArray], shift: NDArray, scale: NDArray
    ) -> dict[str, NDArray]:
        first, bias = tensors["coefs_.0"], tensors["intercepts_.0"]
        moved = {"coefs_.0": first * scale[:, None], "intercepts_.0": bias + shift @ first}
        return tensors | moved

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        model.coefs_, model.intercepts_ = list(model.coefs_), list(model.intercepts_)
        for name, array in arrays:
            attribute, i = name.split(".")
            layers = getattr(model, attribute)
            layers[int(i)] = from_array(array, like=layers[int(i)])
        vars(model).pop("_optimizer", None)
        return model

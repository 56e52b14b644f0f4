"""scikit-learn's linear models as named tensors: coefficients and intercepts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.validation import check_is_fitted

from stackens.weight_averaging.adapters._estimator import EstimatorAdapter, class_order
from stackens.weight_averaging.adapters._values import from_array

__all__ = ["LinearAdapter"]

# Of the averaged SGD, which keeps two sets of coefficients to go on from: all are averaged.
_PAIRS = (
    ("coef_", "intercept_"),
    ("_standard_coef", "_standard_intercept"),
    ("_average_coef", "_average_intercept"),
)
_ATTRIBUTES = (*(name for pair in _PAIRS for name in pair), "offset_")
_STALE = (
    "scalings_",
    "xbar_",
)  # LinearDiscriminantAnalysis.transform, which is not linear in coef_


class LinearAdapter(EstimatorAdapter):
    """Estimators of ``sklearn.linear_model``, linear support vector machines and discriminants.

    Averaging their coefficients averages their decision functions exactly.
    """

    kind = "linear models of scikit-learn"

    def accepts(self, model: Any) -> bool:
        return isinstance(model, LinearSVC | LinearSVR | LinearDiscriminantAnalysis) or any(
            base.__module__.startswith("sklearn.linear_model.") for base in type(model).__mro__[:-1]
        )

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        facts = super().facts(model, like)
        if isinstance(model, SGDClassifier):
            facts["loss"] = model.loss  # it decides on predict_proba
        elif hasattr(model, "_base_loss"):  # generalised linear models: it decides on the link
            facts["loss"] = type(model._base_loss).__name__
        return facts

    def tensors(self, model: Any, like: Any) -> dict[str, NDArray]:
        check_is_fitted(model)
        found = {name: vars(model)[name] for name in _ATTRIBUTES if name in vars(model)}
        if "coef_" not in found:
            raise TypeError(
                f"A linear model must have coefficients of its own. Got a {type(model).__name__} "
                "without 'coef_'. Give the model inside it."
            )
        if hasattr(found["coef_"], "toarray"):
            raise TypeError(
                f"Coefficients must be dense. Got a sparse {type(model).__name__}. "
                "Call densify() on it."
            )
        arrays = {name: np.asarray(value) for name, value in found.items()}
        order = class_order(model, like)
        if order is None:
            return arrays
        if len(order) == 2:  # one decision function, positive for the second class
            return {name: -array for name, array in arrays.items()}
        # An intercept that is not fitted may be one number for all classes.
        return {name: array[order] if array.ndim else array for name, array in arrays.items()}

    def behind(
        self, tensors: dict[str, NDArray], shift: NDArray, scale: NDArray
    ) -> dict[str, NDArray]:
        moved = dict(tensors)
        for coefficients, intercept in _PAIRS:
            if coefficients in tensors:
                moved[coefficients] = tensors[coefficients] * scale
                moved[intercept] = tensors[intercept] + tensors[coefficients] @ shift
        if "offset_" in tensors:  # what is taken off instead of an intercept
            del moved["intercept_"]
        return moved

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        for name, array in arrays:
            # Without fit_intercept the intercept may be a Python float.
            written = from_array(array, like=np.asarray(getattr(model, name)))
            setattr(model, name, written if written.ndim else written[()])
        for name in _STALE:
            vars(model).pop(name, None)
        return model

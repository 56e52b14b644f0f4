"""Which metadata (sample weights, groups, anything else) goes to which base model."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import Parameter, signature
from typing import Any

from sklearn import config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import has_fit_parameter

from stackens._core._sklearn import BaseSearchCV, routing_enabled

__all__ = ["add_members", "fit_model", "route_fit", "weight_params"]

# The name of the splitter among the routed objects; no base model may contain "__".
_SPLITTER = "splitter__"
# These hand sample weights on to the models in them only with metadata routing.
_ONLY_ROUTED = (OneVsOneClassifier, OneVsRestClassifier, ClassifierChain, RegressorChain)


def add_members(router: MetadataRouter, pairs: list[tuple[str, Any]], cv: Any) -> MetadataRouter:
    """Tell a router about the base models and the splitter."""
    for name, estimator in pairs:
        router.add(
            method_mapping=MethodMapping().add(caller="fit", callee="fit"), **{name: estimator}
        )
    if hasattr(cv, "get_metadata_routing"):
        router.add(
            method_mapping=MethodMapping().add(caller="fit", callee="split"), **{_SPLITTER: cv}
        )
    return router


def route_fit(
    pairs: list[tuple[str, Any]],
    cv: Any,
    sample_weight: Any,
    groups: Any,
    params: dict[str, Any] | None,
    owner: str = "cross_fit",
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the fit parameters of each model, and the parameters of the splitter.

    With scikit-learn's metadata routing switched on, each model gets what it requested.
    Otherwise sample weights go to all of them, and it is an error if one cannot take them. Errors
    of routing are about ``owner``.
    """
    params = dict(params or {})
    if not routing_enabled():
        if params:
            raise ValueError(
                f"Passing {sorted(params)} is only supported if enable_metadata_routing=True is "
                "set: sklearn.set_config(enable_metadata_routing=True)."
            )
        if sample_weight is None:
            return {name: {} for name, _ in pairs}, {}
        return {name: weight_params(model, sample_weight) for name, model in pairs}, {}
    router = add_members(MetadataRouter(owner=owner), pairs, cv)
    if sample_weight is not None:
        params = {"sample_weight": sample_weight, **params}
    if groups is not None and router.consumes("fit", ["groups"]):
        params["groups"] = groups
    routed = process_routing(router, "fit", **params)
    # Without metadata this is not a dict, and "in" would never come to an end.
    split_params = dict(routed.get(_SPLITTER, {}).get("split", {}))
    return {name: dict(routed[name]["fit"]) for name, _ in pairs}, split_params


def weight_params(estimator: Any, sample_weight: Any) -> dict[str, Any]:
    """Return the fit parameters that bring sample weights to a model.

    In a Pipeline they go to the model and to each step before it whose fit takes them, so that
    a row of weight 2 counts as two rows all the way.

    Raises
    ------
    TypeError
        If the model does not take sample weights.
    """
    if isinstance(estimator, Pipeline):
        step, model = estimator.steps[-1]
        inner = weight_params(model, sample_weight)
        before = [name for name, other in estimator.steps[:-1] if _is_weighted(other)]
        return {f"{name}__sample_weight": sample_weight for name in before} | {
            f"{step}__{key}": value for key, value in inner.items()
        }
    if isinstance(estimator, BaseSearchCV):
        return weight_params(estimator.estimator, sample_weight)
    if isinstance(estimator, TransformedTargetRegressor) and estimator.regressor is not None:
        return weight_params(estimator.regressor, sample_weight)
    if isinstance(estimator, _ONLY_ROUTED) and estimator.estimator is not None:
        weight_params(estimator.estimator, sample_weight)
    if _takes_weights(estimator):
        return {"sample_weight": sample_weight}
    raise TypeError(
        f"Underlying estimator {type(estimator).__name__} does not support sample weights. "
        "Leave sample_weight out, or use base models whose fit takes it."
    )


def fit_model(model: Any, X: Any, y: Any, params: dict[str, Any]) -> None:
    """Fit a model with parameters from :func:`weight_params` or :func:`route_fit`.

    One model for each class or label (OneVsRest, chains) refuses sample weights unless metadata is
    routed. For these it is, and what the routing leaves in the model is removed again. It is not
    where another model does not take weights: that would go without, and nobody would know.
    """
    parts = list(_parts(model)) if params and not routing_enabled() else []
    all_take_weights = all(_takes_weights(part) for part in parts if hasattr(part, "predict"))
    if not all_take_weights or not any(isinstance(part, _ONLY_ROUTED) for part in parts):
        model.fit(X, y, **params)
        return
    sample_weight = next(iter(params.values()))  # without routing there are no other parameters
    before = [(part, vars(part).get("_metadata_request")) for part in parts]
    with config_context(enable_metadata_routing=True):
        for part in parts:
            if has_fit_parameter(part, "sample_weight"):
                part.set_fit_request(sample_weight=True)
            ask = getattr(part, "set_score_request", None)
            if ask is not None and "sample_weight" in signature(ask).parameters:
                ask(sample_weight=False)
        model.fit(X, y, sample_weight=sample_weight)
    for part in _parts(model):
        vars(part).pop("_metadata_request", None)
    for part, request in before:
        if request is not None:
            part._metadata_request = request


def _parts(model: Any) -> Iterator[Any]:
    """Yield a model, the models among its parameters, and those that it has fitted.

    What is in a frozen model is left out: it is not fitted, and other threads may use it.
    """
    if isinstance(model, type) or not hasattr(model, "get_params"):
        return
    if isinstance(model, FrozenEstimator):
        yield model
        return
    named = {"": model, **model.get_params(deep=True)}
    frozen = tuple(f"{name}__" for name, part in named.items() if isinstance(part, FrozenEstimator))
    for name, part in named.items():
        is_model = hasattr(part, "get_params") and not isinstance(part, type)
        if is_model and not name.startswith(frozen):
            yield part
            if isinstance(part, FrozenEstimator):  # has all attributes of what is in it
                continue
            for fitted in getattr(part, "estimators_", ()):
                yield from _parts(fitted)
            yield from _parts(getattr(part, "best_estimator_", None))


def _takes_weights(model: Any) -> bool:
    fit = getattr(model, "fit", None)  # the last step of a Pipeline may be "passthrough"
    accepted = () if fit is None else signature(fit).parameters.values()
    return any(p.name == "sample_weight" or p.kind is Parameter.VAR_KEYWORD for p in accepted)


def _is_weighted(transformer: Any) -> bool:
    """Whether a Pipeline can hand sample weights to a step that is not its last."""
    fit = getattr(transformer, "fit", None)
    if fit is None or "sample_weight" not in signature(fit).parameters:
        return False
    together = signature(getattr(transformer, "fit_transform", fit)).parameters
    return "sample_weight" in together or any(
        p.kind is Parameter.VAR_KEYWORD for p in together.values()
    )

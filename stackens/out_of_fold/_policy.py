"""What each base model ends as: a bag of fold models, a refit, or one bagged fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.pipeline import FeatureUnion, Pipeline

from stackens._core._task import Task
from stackens._core._warning import warn
from stackens.exceptions import LeakageWarning
from stackens.out_of_fold._folds import Folds

__all__ = [
    "Policy",
    "choose_policies",
    "expected_cost",
    "final_step",
    "frozen_parts",
    "is_frozen",
    "kind_of",
]

Policy = Literal["bag", "refit", "out_of_bag", "frozen"]
_BOOSTED = ("LGBMModel", "XGBModel", "CatBoost", "BaseHistGradientBoosting", "BaseGradientBoosting")
_NEURAL = ("BaseMultilayerPerceptron", "TorchMLP", "NeuralNet")
_BAGGED = ("RandomForest", "ExtraTrees", "BaggingClassifier", "BaggingRegressor")
_KERNEL = ("BaseLibSVM", "GaussianProcess", "KernelRidge")
# A bag of more fold models than this costs more at predict time than it can give back.
_MAX_BAG = 20
# Below this many trees an out-of-bag prediction (a third of the trees) is too noisy to stand in
# for a held-out one.
_MIN_OUT_OF_BAG = 50
# In regression on fewer rows than this, all models are held out alike.
_FEW_ROWS = 50_000
# Transformers from these modules learn nothing from the target.
_BLIND_MODULES = (
    "sklearn.preprocessing.",
    "sklearn.impute.",
    "sklearn.cluster.",
    "sklearn.decomposition.",
    "sklearn.feature_extraction.",
    "sklearn.random_projection",
    "sklearn.kernel_approximation",
    "sklearn.feature_selection._variance_threshold",
    "stackens.preprocessing.",
)
_TARGET_READERS = ("TargetEncoder",)


@dataclass(frozen=True)
class Kind:
    """What a model is, as far as the policy cares."""

    family: Literal["boosted", "neural", "bagged", "kernel", "other"]
    estimator: Any


def final_step(estimator: Any) -> Any:
    """Return the model inside pipelines and target transformers."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, TransformedTargetRegressor) and estimator.regressor is not None:
            estimator = estimator.regressor
        else:
            return estimator


def is_frozen(estimator: Any) -> bool:
    """Whether a model is never fitted again: its clone is the model itself."""
    return clone(estimator) is estimator


def frozen_parts(estimator: Any) -> list[str]:
    """Return the names, as parameters, of models inside an estimator that are not fitted with it.

    A ``FrozenEstimator`` in a voting ensemble, in bagging or at the end of a pipeline is one.
    """
    parts = estimator.get_params(deep=True).items() if hasattr(estimator, "get_params") else ()
    return [
        name
        for name, part in parts
        if hasattr(part, "predict") and hasattr(part, "__sklearn_clone__") and is_frozen(part)
    ]


def kind_of(estimator: Any) -> Kind:
    """Recognise a model's family by the names of its classes, without importing its package."""
    model = final_step(estimator)
    names = [cls.__name__ for cls in type(model).__mro__]
    for family, starts in (
        ("boosted", _BOOSTED),
        ("neural", _NEURAL),
        ("bagged", _BAGGED),
        ("kernel", _KERNEL),
    ):
        if any(name.startswith(starts) for name in names):
            return Kind(family, model)  # type: ignore[arg-type]
    return Kind("other", model)


def choose_policies(
    pairs: Sequence[tuple[str, Any]],
    final_fit: str | Mapping[str, str],
    out_of_bag: bool | str,
    folds: Folds,
    task: Task,
) -> dict[str, Policy]:
    """Decide how each base model is fitted.

    Fold models have seen fewer rows than what predicts later and are a little worse; the trees
    behind out-of-bag predictions have not, so a forest looks better than the models beside it.
    That cost stacks of regressors up to 1.4 percent of their RMSE on 1,000 rows, 0.4 on 14,000 and
    0.3 on 38,000; stacks of classifiers it cost nothing. So forests that have to be weighed against
    other regressors go through the same folds, unless there are rows enough.

    Parameters
    ----------
    pairs : sequence of (str, object)
        Names and models.
    final_fit : {"auto", "bag", "refit"} or dict of name -> one of these
        ``"auto"`` keeps the fold models of boosted trees and neural networks as a bag, which is
        as good or better and saves a fit, and refits everything else on all rows.
    out_of_bag : {"auto", True, False}
        Whether bagged forests are fitted once, with their out-of-bag rows as out-of-fold rows.
    folds : Folds
        Under time order or partial coverage everything is refitted, because a model of only the
        past part of the rows is worse than one of all of them.
    task : Task
    """
    found = {name: _policy(name, m, final_fit, out_of_bag, folds, task) for name, m in pairs}
    weighed_against_others = {"bag", "refit"} & set(found.values())
    small = task.kind == "regression" and len(folds.covered) < _FEW_ROWS
    if out_of_bag == "auto" and small and weighed_against_others:
        return {name: _policy(name, m, final_fit, False, folds, task) for name, m in pairs}
    return found


def _policy(
    name: str,
    estimator: Any,
    final_fit: str | Mapping[str, str],
    out_of_bag: bool | str,
    folds: Folds,
    task: Task,
) -> Policy:
    wanted = final_fit.get(name, "auto") if isinstance(final_fit, Mapping) else final_fit
    if is_frozen(estimator):
        return "frozen"
    if wanted != "bag" and _may_use_out_of_bag(name, estimator, out_of_bag, folds, task):
        return "out_of_bag"
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if not folds.complete or len(folds.splits) > _MAX_BAG:
        return "refit"
    return "bag" if kind_of(estimator).family in ("boosted", "neural") else "refit"


def _may_use_out_of_bag(
    name: str, estimator: Any, out_of_bag: bool | str, folds: Folds, task: Task
) -> bool:
    kind = kind_of(estimator)
    if out_of_bag is False or kind.family != "bagged" or task.kind == "multilabel":
        return False
    forest = kind.estimator
    if not getattr(forest, "bootstrap", False) or getattr(forest, "warm_start", False):
        return False
    if not folds.shuffled:
        if out_of_bag is True:
            warn(
                f"out_of_bag=True is switched off for {name!r}: with groups, time order or custom "
                "splits, out-of-bag rows would not respect the splits.",
                LeakageWarning,
            )
        return False
    if out_of_bag == "auto" and forest.n_estimators < _MIN_OUT_OF_BAG:
        return False
    return forest is estimator or (
        isinstance(estimator, Pipeline)
        and estimator.steps[-1][1] is forest
        and all(_ignores_target(step) for _, step in estimator.steps[:-1])
    )


def _ignores_target(transformer: Any) -> bool:
    """Whether a transformer is known to learn nothing from y."""
    if transformer is None or isinstance(transformer, str):
        return True
    if isinstance(transformer, Pipeline):
        return all(_ignores_target(step) for _, step in transformer.steps)
    if isinstance(transformer, FeatureUnion):
        return all(_ignores_target(step) for _, step in transformer.transformer_list)
    if isinstance(transformer, ColumnTransformer):
        parts = [part[1] for part in transformer.transformers]
        return all(_ignores_target(part) for part in [*parts, transformer.remainder])
    cls = type(transformer)
    if cls.__name__ in _TARGET_READERS:
        return False
    return f"{cls.__module__}.".startswith(_BLIND_MODULES)


def expected_cost(estimator: Any, policy: Policy, n_folds: int) -> float:
    """Rough cost of one fit, only to start the longest jobs first (no unit)."""
    kind = kind_of(estimator)
    size = float(getattr(kind.estimator, "n_estimators", None) or 100)
    cost = {
        "boosted": 2.0 * float(getattr(kind.estimator, "max_iter", None) or size),
        "bagged": 10.0 * size,
        "neural": 1000.0,
        "kernel": 1500.0,
        "other": 10.0,
    }[kind.family]
    if hasattr(kind.estimator, "refit") or hasattr(kind.estimator, "estimators"):
        cost = 2500.0  # a search, or an ensemble of other models
    return cost * (n_folds / (n_folds - 1) if policy == "out_of_bag" and n_folds > 1 else 1.0)

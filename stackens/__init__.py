"""stackens: fit the base models once, combine them every way, ship one small model."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("stackens")

# Public name -> module. Names are resolved on first touch, so that importing stackens is cheap.
_PUBLIC = {
    "BlendedClassifier": "stackens.blending",
    "BlendedRegressor": "stackens.blending",
    "ComparisonReport": "stackens.comparison",
    "CrossFit": "stackens.out_of_fold",
    "DistilledClassifier": "stackens.distillation",
    "DistilledRegressor": "stackens.distillation",
    "FrozenNetwork": "stackens.neural",
    "OutOfFoldTable": "stackens.out_of_fold",
    "PredictionTable": "stackens.out_of_fold",
    "StackedClassifier": "stackens.stacking",
    "StackedRegressor": "stackens.stacking",
    "TabularEncoder": "stackens.preprocessing",
    "TorchMLPClassifier": "stackens.neural",
    "TorchMLPRegressor": "stackens.neural",
    "WeightAveragedClassifier": "stackens.weight_averaging",
    "WeightAveragedRegressor": "stackens.weight_averaging",
    "compare": "stackens.comparison",
    "cross_fit": "stackens.out_of_fold",
    "default_estimators": "stackens.comparison",
    "load": "stackens.export.saving",
    "save": "stackens.export.saving",
}
_MODULES = ("combiners", "exceptions", "export", "schedules", "weight_averaging")

__all__ = ["__version__", *_MODULES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = import_module(f"stackens.{name}")
    else:
        raise AttributeError(f"module 'stackens' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

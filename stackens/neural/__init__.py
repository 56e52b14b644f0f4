"""Networks in torch: tabular estimators, a training loop, averages of weights, frozen networks.

Nothing here loads torch before it is needed: the estimators load it in ``fit``, the rest when
its name is first touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stackens._core._optional import require
from stackens.neural._classifier import TorchMLPClassifier
from stackens.neural._frozen_network import FrozenNetwork
from stackens.neural._recorder import Checkpoint, CheckpointRecorder
from stackens.neural._regressor import TorchMLPRegressor

if TYPE_CHECKING:
    from stackens.neural._batch_norm import recalibrate_batch_norm
    from stackens.neural._losses import cross_entropy, soft_cross_entropy, squared_error
    from stackens.neural._moving_average import (
        ExponentialMovingAverage,
        LastAverage,
        MovingAverage,
        StochasticWeightAverage,
    )
    from stackens.neural._repair import repair
    from stackens.neural._training import Rows, Training, train

__all__ = [
    "Checkpoint",
    "CheckpointRecorder",
    "ExponentialMovingAverage",
    "FrozenNetwork",
    "LastAverage",
    "MovingAverage",
    "Rows",
    "StochasticWeightAverage",
    "TorchMLPClassifier",
    "TorchMLPRegressor",
    "Training",
    "cross_entropy",
    "recalibrate_batch_norm",
    "repair",
    "soft_cross_entropy",
    "squared_error",
    "train",
]

# Names whose modules import torch at their top.
_IN_TORCH = {
    "ExponentialMovingAverage": "_moving_average",
    "LastAverage": "_moving_average",
    "MovingAverage": "_moving_average",
    "Rows": "_training",
    "StochasticWeightAverage": "_moving_average",
    "Training": "_training",
    "cross_entropy": "_losses",
    "recalibrate_batch_norm": "_batch_norm",
    "repair": "_repair",
    "soft_cross_entropy": "_losses",
    "squared_error": "_losses",
    "train": "_training",
}


def __getattr__(name: str) -> Any:
    if name not in _IN_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("torch", extra="torch", purpose=f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{_IN_TORCH[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

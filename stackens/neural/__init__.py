"""Networks in torch: tabular estimators, a training loop, averages of weights, frozen networks.

Nothing here loads torch before it is needed: the estimators load it in ``fit``, the rest when
its name is first touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stackens._core._optional import require
from stackens.neural._frozen_network import FrozenNetwork
from stackens.neural._recorder import Checkpoint, CheckpointRecorder

if TYPE_CHECKING:
    from stackens.neural._batch_norm import recalibrate_batch_norm
    from stackens.neural._moving_average import (
        ExponentialMovingAverage,
        LastAverage,
        MovingAverage,
        StochasticWeightAverage,
    )

__all__ = [
    "Checkpoint",
    "CheckpointRecorder",
    "ExponentialMovingAverage",
    "FrozenNetwork",
    "LastAverage",
    "MovingAverage",
    "StochasticWeightAverage",
    "recalibrate_batch_norm",
]

# Names whose modules import torch at their top.
_IN_TORCH = {
    "ExponentialMovingAverage": "_moving_average",
    "LastAverage": "_moving_average",
    "MovingAverage": "_moving_average",
    "StochasticWeightAverage": "_moving_average",
    "recalibrate_batch_norm": "_batch_norm",
}


def __getattr__(name: str) -> Any:
    if name not in _IN_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("torch", extra="torch", purpose=f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{_IN_TORCH[name]}"), name)
    globals()[name] = value
    return value

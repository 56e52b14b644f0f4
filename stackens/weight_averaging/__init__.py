"""Weight averaging: models or checkpoints of one architecture become one model of the same size."""

from typing import TYPE_CHECKING, Any

from stackens import neural
from stackens.neural import CheckpointRecorder
from stackens.weight_averaging import rules
from stackens.weight_averaging._average import average
from stackens.weight_averaging._averageable_groups import averageable_groups
from stackens.weight_averaging._interpolate import Interpolation, interpolate
from stackens.weight_averaging._scan import LastNScan, scan_last_n
from stackens.weight_averaging._soups import Soup, average_best_n, greedy_soup
from stackens.weight_averaging._weight_averaged import (
    WeightAveragedClassifier,
    WeightAveragedRegressor,
)
from stackens.weight_averaging.alignment import AlignedModels, AlignmentReport, align
from stackens.weight_averaging.files import (
    MergeReport,
    average_checkpoints,
    merge_checkpoints,
    read_checkpoint,
)
from stackens.weight_averaging.mixing import LearnedMixing, learn_mixing
from stackens.weight_averaging.one_shot import (
    InputSchema,
    OneShotReport,
    Site,
    one_shot_merge,
    read_schema,
    read_sites,
    save_schema,
    save_site,
)

if TYPE_CHECKING:
    from stackens.neural import (
        ExponentialMovingAverage,
        StochasticWeightAverage,
        recalibrate_batch_norm,
        repair,
    )

__all__ = [
    "AlignedModels",
    "AlignmentReport",
    "CheckpointRecorder",
    "ExponentialMovingAverage",
    "InputSchema",
    "Interpolation",
    "LastNScan",
    "LearnedMixing",
    "MergeReport",
    "OneShotReport",
    "Site",
    "Soup",
    "StochasticWeightAverage",
    "WeightAveragedClassifier",
    "WeightAveragedRegressor",
    "align",
    "average",
    "average_best_n",
    "average_checkpoints",
    "averageable_groups",
    "greedy_soup",
    "interpolate",
    "learn_mixing",
    "merge_checkpoints",
    "one_shot_merge",
    "read_checkpoint",
    "read_schema",
    "read_sites",
    "recalibrate_batch_norm",
    "repair",
    "rules",
    "save_schema",
    "save_site",
    "scan_last_n",
]

_IN_TORCH = (
    "ExponentialMovingAverage",
    "StochasticWeightAverage",
    "recalibrate_batch_norm",
    "repair",
)


def __getattr__(name: str) -> Any:
    if name in _IN_TORCH:  # loads torch
        return getattr(neural, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

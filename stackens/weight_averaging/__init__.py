"""Weight averaging: models or checkpoints of one architecture become one model of the same size."""

from stackens.weight_averaging import rules
from stackens.weight_averaging._average import average
from stackens.weight_averaging._interpolate import Interpolation, interpolate
from stackens.weight_averaging._scan import LastNScan, scan_last_n
from stackens.weight_averaging._soups import Soup, average_best_n, greedy_soup
from stackens.weight_averaging._weight_averaged import (
    WeightAveragedClassifier,
    WeightAveragedRegressor,
)
from stackens.weight_averaging.files import (
    MergeReport,
    average_checkpoints,
    merge_checkpoints,
)
from stackens.weight_averaging.mixing import LearnedMixing, learn_mixing

__all__ = [
    "Interpolation",
    "LastNScan",
    "LearnedMixing",
    "MergeReport",
    "Soup",
    "WeightAveragedClassifier",
    "WeightAveragedRegressor",
    "average",
    "average_best_n",
    "average_checkpoints",
    "greedy_soup",
    "interpolate",
    "learn_mixing",
    "merge_checkpoints",
    "rules",
    "scan_last_n",
]

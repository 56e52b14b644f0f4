"""Pictures of frames: Display classes with plot(ax) and frame()."""

from stackens.displays._pareto import ParetoDisplay
from stackens.displays._score_latency import ScoreLatencyDisplay
from stackens.displays._weight_bars import WeightBarsDisplay
from stackens.displays._weight_curves import WeightCurvesDisplay

__all__ = ["ParetoDisplay", "ScoreLatencyDisplay", "WeightBarsDisplay", "WeightCurvesDisplay"]

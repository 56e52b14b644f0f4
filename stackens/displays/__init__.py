"""Pictures of frames: Display classes with plot(ax) and frame()."""

from stackens.displays._score_latency import ScoreLatencyDisplay

__all__ = ["ScoreLatencyDisplay"]

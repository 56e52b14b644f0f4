"""Fair timing on noisy machines: both sides in turn, ratios pair by pair, medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Seconds of two sides, and what the first takes of the second."""

    ours: float
    theirs: float
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the ratios of neighbouring runs."""
        return statistics.median(self.ratios)

    def __str__(self) -> str:
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        return f"{self.median:.2f} ({spread}; {self.ours:.3g} s against {self.theirs:.3g} s)"


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int = 3
) -> Ratio:
    """Run two functions in turn, one uncounted round first, and compare their wall times."""
    pairs = []
    for repeat in range(repeats + 1):
        pair = (seconds(ours), seconds(theirs))
        if repeat:
            pairs.append(pair)
    return Ratio(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        tuple(a / b for a, b in pairs),
    )


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call, in seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_seconds(run: Callable[[], object], *, repeats: int) -> float:
    """Median wall time of many calls, in seconds."""
    return statistics.median(seconds(run) for _ in range(repeats))


def python_seconds(code: str) -> float:
    """Wall time of a fresh interpreter that runs some code, in seconds."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def peak_mebibytes(code: str) -> float:
    """Peak resident memory of a fresh interpreter and its children, in MiB (Linux)."""
    report = (
        "\nimport resource as r\n"
        "peaks = [r.getrusage(w).ru_maxrss for w in (r.RUSAGE_SELF, r.RUSAGE_CHILDREN)]\n"
        "print('PEAK', sum(peaks) / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + report], check=True, capture_output=True, text=True
    )
    return float(done.stdout.rsplit("PEAK", maxsplit=1)[1])

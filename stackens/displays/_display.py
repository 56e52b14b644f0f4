"""What all pictures share: their frame, their scores' axis and their face in a notebook."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pandas as pd

from stackens._core._optional import require

__all__ = ["Display", "decorate", "limit_log_axis"]

_FEW_DECADES = 2.0  # with room for numbers between


class Display:
    """A picture of a frame; what inherits from it draws."""

    figure_: Any

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        score_name: str = "score",
        lower_is_better: bool = False,
        title: str = "",
    ) -> None:
        self._frame = frame
        self.score_name = score_name
        self.lower_is_better = lower_is_better
        self.title = title

    def frame(self) -> pd.DataFrame:
        """Return what is drawn."""
        return self._frame.copy()

    def _score_against_cost(self, ax: Any, cost: str, errors: str) -> None:
        """Name the axes of scores, the better always above, against a cost; decades of it."""
        ax.set_xscale("log")
        ax.set_xlabel(cost)
        turned = "lower is better, axis turned" if self.lower_is_better else "higher is better"
        ax.set_ylabel(f"{self.score_name} ± {errors}({turned})")
        if self.lower_is_better:
            ax.yaxis.set_inverted(True)

    def _repr_png_(self) -> bytes | None:
        """Show the picture in a notebook without touching pyplot."""
        if not hasattr(self, "figure_"):
            return None
        file = BytesIO()
        self.figure_.savefig(file, format="png", dpi=110)
        return file.getvalue()


def decorate(ax: Any, title: str) -> None:
    """Draw the grid behind everything else, and the title."""
    ax.grid(True, color="0.92", zorder=0)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title, fontsize="medium", loc="left", wrap=True)


def limit_log_axis(ax: Any, low: float, high: float, unit: str) -> Any:
    """Show a horizontal axis between two decades and return what writes its values."""
    ticker = require("matplotlib.ticker", extra="plot", purpose="plot()")
    ax.set_xlim(10.0**low, 10.0**high)
    formatter = ticker.EngFormatter(unit=unit)
    ax.xaxis.set_major_formatter(formatter)
    steps = (1, 2, 5) if high - low < _FEW_DECADES else (1,)
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=steps))
    ax.xaxis.set_minor_formatter("")
    return formatter

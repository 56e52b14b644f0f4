"""What all pictures share: their frame, their scores' axis and their face in a notebook."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

import pandas as pd

from stackens._core._optional import require

__all__ = ["Display", "decorate", "limit_log_axis", "new_figure"]

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

    def __repr__(self) -> str:
        drawn = "figure_.savefig(path) writes it" if hasattr(self, "figure_") else "plot() draws it"
        return f"<{type(self).__name__} of {len(self._frame)} rows: {drawn}>"

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
        """Show the picture in a notebook, unless pyplot shows it at the end of the cell."""
        if not hasattr(self, "figure_") or _is_shown_by_pyplot(self.figure_):
            return None
        file = BytesIO()
        self.figure_.savefig(file, format="png", dpi=110)
        return file.getvalue()


def new_figure(width: float, height: float) -> Any:
    """Return a figure of this size in inches, known to pyplot where that is imported already.

    So ``plt.show()`` and ``plt.savefig(path)`` find it in a script that has pyplot, and a script
    that has not needs no window system.
    """
    figure = require("matplotlib.figure", extra="plot", purpose="plot()").Figure
    pyplot = sys.modules.get("matplotlib.pyplot")
    make = figure if pyplot is None else pyplot.figure
    return make(figsize=(width, height), layout="constrained")


def _is_shown_by_pyplot(figure: Any) -> bool:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or "inline" not in pyplot.get_backend():
        return False
    return bool(pyplot.fignum_exists(getattr(figure, "number", -1)))


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

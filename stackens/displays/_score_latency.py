"""Score against latency: the picture of a comparison."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Self

import numpy as np
import pandas as pd

from stackens._core._optional import require

__all__ = ["ScoreLatencyDisplay"]

_COLOURS = {False: "#4c72b0", True: "#c44e52"}  # base models, combinations
_KINDS = {False: "base model", True: "combination"}
_LABEL_GAP = 0.05  # of the height of the axes, between the middles of two labels


class ScoreLatencyDisplay:
    """Scores with error bars against the time to predict a row.

    Names stand in a column on the right, tied to their points, so that they never overlap.

    Parameters
    ----------
    frame : DataFrame
        Index: names. Columns: ``score``, ``score_se`` (one standard error),
        ``batch_us_per_row`` (microseconds) and ``combination`` (bool).
    score_name : str, default="score"
        Label of the vertical axis.
    lower_is_better : bool, default=False
        Whether the vertical axis is turned, so that up is always better.
    title : str, default=""

    Attributes
    ----------
    ax_ : matplotlib Axes
        After :meth:`plot`.
    figure_ : matplotlib Figure
        After :meth:`plot`.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens.displays import ScoreLatencyDisplay
    >>> frame = pd.DataFrame(
    ...     {"score": [0.9], "score_se": [0.01], "batch_us_per_row": [5.0], "combination": [False]},
    ...     index=["forest"],
    ... )
    >>> ScoreLatencyDisplay(frame, score_name="accuracy").frame().index.tolist()
    ['forest']
    """

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

    def plot(self, ax: Any = None) -> Self:
        """Draw into ``ax``, or into a figure of its own; rows without a score are left out.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        self : object
            With ``ax_`` and ``figure_``; ``figure_.savefig(path)`` writes a file.
        """
        if ax is None:
            figure = require("matplotlib.figure", extra="plot", purpose="report.plot()")
            ax = figure.Figure(figsize=(9.0, 5.5), layout="constrained").add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        shown = self._frame.dropna(subset=["score", "batch_us_per_row"])
        for combination, part in shown.groupby("combination"):
            ax.errorbar(
                part["batch_us_per_row"],
                part["score"],
                yerr=part["score_se"],
                fmt="D" if combination else "o",
                color=_COLOURS[bool(combination)],
                ecolor="0.75",
                capsize=2,
                label=_KINDS[bool(combination)],
                zorder=3,
            )
        ax.set_xscale("log")
        ax.margins(x=0.12, y=0.08)
        if self.lower_is_better:
            ax.yaxis.set_inverted(True)
        turned = "lower is better, axis turned" if self.lower_is_better else "higher is better"
        ax.set_ylabel(f"{self.score_name} ± one standard error ({turned})")
        ax.set_xlabel("time to predict a row in a batch (microseconds)")
        ax.grid(True, color="0.92", zorder=0)
        ax.set_axisbelow(True)
        if self.title:
            ax.set_title(self.title, fontsize="medium", loc="left", wrap=True)
        if shown["combination"].nunique() > 1:
            ax.legend(loc="best", frameon=False, fontsize="small")
        self._label(shown)
        return self

    def _label(self, shown: pd.DataFrame) -> None:
        """Write the names in a column right of the axes, in the order of their points."""
        if shown.empty:
            return
        bottom, top = self.ax_.get_ylim()
        self.ax_.set_ylim(bottom, top)  # labels are placed for these limits
        heights = (shown["score"].to_numpy() - bottom) / (top - bottom)
        for i, height in enumerate(_spread(heights, _LABEL_GAP)):
            row = shown.iloc[i]
            self.ax_.annotate(
                str(shown.index[i]),
                xy=(row["batch_us_per_row"], row["score"]),
                xycoords="data",
                xytext=(1.03, height),
                textcoords="axes fraction",
                va="center",
                ha="left",
                fontsize="small",
                color=_COLOURS[bool(row["combination"])],
                arrowprops={
                    "arrowstyle": "-",
                    "color": "0.8",
                    "linewidth": 0.7,
                    "relpos": (0.0, 0.5),
                    "shrinkB": 4,
                },
                zorder=2,
            )

    def _repr_png_(self) -> bytes | None:
        """Show the picture in a notebook without touching pyplot."""
        if not hasattr(self, "figure_"):
            return None
        file = BytesIO()
        self.figure_.savefig(file, format="png", dpi=110)
        return file.getvalue()


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Move heights between 0 and 1 apart until neighbours are a gap away, keeping their order.

    More than fit are placed at equal distances.
    """
    n = len(heights)
    if n < 2 or gap * (n - 1) >= 1.0:
        gap = 1.0 / (n - 1) if n > 1 else gap
    order = np.argsort(heights, kind="stable")
    # The least-squares positions under a smallest distance are an isotonic regression of what is
    # left after the distances are taken off.
    steps = gap * np.arange(n)
    base = heights[order] - steps
    blocks: list[list[float]] = []
    for value in base:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            below, count = blocks[-1]
            blocks[-1] = [(below * count + mean * size) / (count + size), count + size]
    fitted = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    fitted = np.clip(fitted, 0.0, max(0.0, 1.0 - steps[-1]))
    placed = np.empty(n)
    placed[order] = fitted + steps
    return placed

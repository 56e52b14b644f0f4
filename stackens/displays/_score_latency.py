"""Score against latency: the picture of a comparison."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Self

import numpy as np
import pandas as pd

from stackens._core._optional import require
from stackens.displays._placing import limits, name_beside, too_far

__all__ = ["ScoreLatencyDisplay"]

# By whether it is a combination.
_COLOURS: dict[Any, str] = {False: "#4c72b0", True: "#c44e52"}
_KINDS: dict[Any, str] = {False: "base model", True: "combination"}
_MARKERS: dict[Any, str] = {False: "o", True: "D"}
# Points that are no further out are never too far.
_FLOOR_ERRORS, _FLOOR_DECADES = 8.0, 1.5
_NARROWEST = 1.2  # decades of latency
_FEW_DECADES = 2.0  # with room for numbers between


class ScoreLatencyDisplay:
    """Scores with error bars against the time to predict a row.

    Names stand in a column on the right, tied to their points, so that they never overlap.
    What is so bad, so slow or so quick that it would squeeze the rest into a corner stands at
    the edge as a triangle that points outwards, with its value beside its name.

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
        shown = self._frame.dropna(subset=["score", "batch_us_per_row"])
        if ax is None:
            figure = require("matplotlib.figure", extra="plot", purpose="report.plot()")
            height = max(5.5, 1.5 + 0.17 * len(shown))  # inches
            ax = figure.Figure(figsize=(9.0, height), layout="constrained").add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        self._name_axes()
        if len(shown):
            points = self._place(shown)
            self._draw(points)
            name_beside(ax, points.assign(colour=points["combination"].map(_COLOURS)))
        return self

    def _name_axes(self) -> None:
        ax = self.ax_
        ax.set_xscale("log")
        ax.set_xlabel("time to predict a row in a batch")
        turned = "lower is better, axis turned" if self.lower_is_better else "higher is better"
        ax.set_ylabel(f"{self.score_name} ± one standard error ({turned})")
        if self.lower_is_better:
            ax.yaxis.set_inverted(True)
        ax.grid(True, color="0.92", zorder=0)
        ax.set_axisbelow(True)
        if self.title:
            ax.set_title(self.title, fontsize="medium", loc="left", wrap=True)

    def _place(self, shown: pd.DataFrame) -> pd.DataFrame:
        """Set the limits of the axes and return what is drawn where, the worst first."""
        shown = shown.iloc[::-1]  # of equals, the first stands above
        merit = -shown["score"] if self.lower_is_better else shown["score"]
        shown = shown.iloc[np.argsort(merit, kind="stable")]
        score, error = shown["score"], shown["score_se"].fillna(0.0)
        decade = np.log10(1e-6 * shown["batch_us_per_row"].clip(lower=1e-3))  # of seconds
        bad = too_far((score - score.iloc[-1]).abs(), _FLOOR_ERRORS * error.median())
        off = decade - decade.median()
        far = too_far(off.abs(), _FLOOR_DECADES)
        x = limits(decade[~far], decade[~far], _NARROWEST)
        y = limits((score - error)[~bad], (score + error)[~bad], 0.0)
        self.ax_.set_xlim(10.0 ** x[0], 10.0 ** x[1])
        self.ax_.set_ylim(*(y[::-1] if self.lower_is_better else y))
        ticker = require("matplotlib.ticker", extra="plot", purpose="report.plot()")
        duration = ticker.EngFormatter(unit="s")
        self.ax_.xaxis.set_major_formatter(duration)
        steps = (1, 2, 5) if x[1] - x[0] < _FEW_DECADES else (1,)
        self.ax_.xaxis.set_major_locator(ticker.LogLocator(subs=steps))
        self.ax_.xaxis.set_minor_formatter("")
        labels = []
        for name, value, time, low, out in zip(shown.index, score, decade, bad, far, strict=True):
            values = [f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.3g}"] if low else []
            values += [duration(10.0**time)] if out else []
            labels.append(f"{name} ({', '.join(values)})" if values else str(name))
        return pd.DataFrame(
            {
                "x": 10.0 ** decade.clip(*x),
                "y": score.clip(*y),
                "error": error,
                "marker": np.select([bad, far & (off > 0), far], ["v", ">", "<"], ""),
                "combination": shown["combination"].astype(bool),
                "label": labels,
            }
        )

    def _draw(self, points: pd.DataFrame) -> None:
        for (combination, marker), part in points.groupby(["combination", "marker"]):
            self.ax_.errorbar(
                part["x"],
                part["y"],
                yerr=None if marker else part["error"],
                fmt=marker or _MARKERS[combination],
                color=_COLOURS[combination],
                ecolor="0.75",
                capsize=2,
                clip_on=not marker,
                label="" if marker else _KINDS[combination],
                zorder=3,
            )
        if points["combination"].nunique() > 1:
            self.ax_.legend(loc="best", frameon=False, fontsize="small")

    def _repr_png_(self) -> bytes | None:
        """Show the picture in a notebook without touching pyplot."""
        if not hasattr(self, "figure_"):
            return None
        file = BytesIO()
        self.figure_.savefig(file, format="png", dpi=110)
        return file.getvalue()

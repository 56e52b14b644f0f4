"""Score against latency: the picture of a comparison."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from stackens.displays._display import Display, decorate, limit_log_axis, new_figure
from stackens.displays._placing import limits, name_beside, too_far

__all__ = ["ScoreLatencyDisplay"]

# By whether it is a combination.
_COLOURS: dict[Any, str] = {False: "#4c72b0", True: "#c44e52"}
_KINDS: dict[Any, str] = {False: "base model", True: "combination"}
_MARKERS: dict[Any, str] = {False: "o", True: "D"}
# Points that are no further out are never too far.
_FLOOR_ERRORS, _FLOOR_DECADES = 8.0, 1.5
_NARROWEST = 1.2  # decades of latency


class ScoreLatencyDisplay(Display):
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
            ax = new_figure(9.0, max(5.5, 1.5 + 0.17 * len(shown))).add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        self._score_against_cost(ax, "time to predict a row in a batch", "one standard error ")
        decorate(ax, self.title)
        if len(shown):
            points = self._place(shown)
            self._draw(points)
            name_beside(ax, points.assign(colour=points["combination"].map(_COLOURS)))
        return self

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
        duration = limit_log_axis(self.ax_, *x, "s")
        self.ax_.set_ylim(*(y[::-1] if self.lower_is_better else y))
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

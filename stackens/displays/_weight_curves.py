"""Curves over what was done to weights: how many were averaged, how far between two models."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from stackens.displays._display import Display, decorate, new_figure

__all__ = ["WeightCurvesDisplay"]

_COLOURS = ("#c44e52", "#4c72b0", "#55a868", "#8172b3", "#ccb974", "#64b5cd")


class WeightCurvesDisplay(Display):
    """Scores of single models as points, of averages as lines with a band around them.

    Parameters
    ----------
    frame : DataFrame
        Columns: ``x``; ``series``, the name of a curve; ``kind``: ``"single"`` (points),
        ``"average"`` (a line) or ``"chord"`` (a dashed line, for comparison); ``score``; and
        ``se``, one standard error or NaN.
    x_label : str, default=""
    score_name : str, default="score"
        Label of the vertical axis.
    lower_is_better : bool, default=False
        Said at the vertical axis.
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
    >>> from stackens.displays import WeightCurvesDisplay
    >>> frame = pd.DataFrame(
    ...     {"x": [1, 2], "series": "linear", "kind": "average", "score": [0.8, 0.9], "se": 0.01}
    ... )
    >>> WeightCurvesDisplay(frame, x_label="n").frame()["score"].tolist()
    [0.8, 0.9]
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        x_label: str = "",
        score_name: str = "score",
        lower_is_better: bool = False,
        title: str = "",
    ) -> None:
        super().__init__(frame, score_name=score_name, lower_is_better=lower_is_better, title=title)
        self.x_label = x_label

    def plot(self, ax: Any = None) -> Self:
        """Draw into ``ax``, or into a figure of its own.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        self : object
            With ``ax_`` and ``figure_``; ``figure_.savefig(path)`` writes a file.
        """
        if ax is None:
            ax = new_figure(7.5, 4.5).add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        colours = iter(_COLOURS * len(self._frame))
        for (series, kind), part in self._frame.groupby(["series", "kind"], sort=False):
            part = part.sort_values("x")
            x, score = part["x"].to_numpy(), part["score"].to_numpy()
            band = 2 * part["se"].to_numpy(dtype=float)
            if kind == "chord":
                ax.plot(x, score, "--", color="0.6", label=series, zorder=1)
            elif kind == "single":
                bars = None if np.isnan(band).all() else band
                ax.errorbar(
                    x, score, bars, fmt="o", color="0.35", ecolor="0.75", label=series, zorder=2
                )
            else:
                colour = next(colours)
                ax.plot(x, score, marker=".", color=colour, label=series, zorder=4)
                ax.fill_between(
                    x, score - band, score + band, color=colour, alpha=0.12, linewidth=0, zorder=3
                )
        better = "lower" if self.lower_is_better else "higher"
        errors = " ± two standard errors" if (self._frame["se"] > 0).any() else ""
        ax.set_ylabel(f"{self.score_name}{errors} ({better} is better)")
        ax.set_xlabel(self.x_label)
        if pd.api.types.is_integer_dtype(self._frame["x"]):
            ax.locator_params(axis="x", integer=True)
        decorate(ax, self.title)
        ax.legend(loc="best", frameon=False, fontsize="small")
        return self

"""Bars of weights: how much each model counts in each group of tensors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from stackens._core._optional import require
from stackens.displays._display import Display, new_figure

__all__ = ["WeightBarsDisplay"]

_COLOURS = ("#4c72b0", "#c44e52", "#55a868", "#8172b3", "#ccb974", "#64b5cd")
_LEGEND_ROWS = 20


class WeightBarsDisplay(Display):
    """A bar for each group, cut into the weights of the models; negative ones go to the left.

    Parameters
    ----------
    frame : DataFrame
        A row for each group, a column for each model.
    y_label : str, default=""
        What the groups are.
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
    >>> from stackens.displays import WeightBarsDisplay
    >>> frame = pd.DataFrame({"a": [0.2, 0.9], "b": [0.8, 0.1]}, index=["layer 0", "layer 1"])
    >>> WeightBarsDisplay(frame, y_label="tensors mixed together")
    <WeightBarsDisplay of 2 rows: plot() draws it>
    """

    def __init__(self, frame: pd.DataFrame, *, y_label: str = "", title: str = "") -> None:
        super().__init__(frame, title=title)
        self.y_label = y_label

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
        n_groups, n_models = self._frame.shape
        if ax is None:
            ax = new_figure(7.5, max(2.5, 1.2 + 0.28 * n_groups)).add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        colours: Any = _COLOURS
        if n_models > len(_COLOURS):
            map_ = require("matplotlib", extra="plot", purpose="plot()").colormaps["turbo"]
            colours = map_(np.linspace(0.05, 0.95, n_models))
        places = np.arange(n_groups)
        right, left = np.zeros(n_groups), np.zeros(n_groups)
        for i, name in enumerate(self._frame.columns):
            weights = self._frame.iloc[:, i].to_numpy(dtype=float)
            start = np.where(weights < 0, left, right)
            ax.barh(places, weights, left=start, height=0.8, color=colours[i], label=str(name))
            right, left = right + weights.clip(min=0), left + weights.clip(max=0)
        ax.set_yticks(places, [str(group) for group in self._frame.index])
        ax.yaxis.set_inverted(True)
        ax.set_xlabel("weight of the model")
        ax.set_ylabel(self.y_label)
        if self.title:
            ax.set_title(self.title, fontsize="medium", loc="left", wrap=True)
        columns = 1 + (n_models - 1) // _LEGEND_ROWS
        beside = {"bbox_to_anchor": (1.0, 1.0), "loc": "upper left"}
        ax.legend(title="model", frameon=False, fontsize="small", ncols=columns, **beside)
        return self

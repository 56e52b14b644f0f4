"""Score against costs: students, plain students and teacher on the same axes, and their front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from stackens._core._optional import require
from stackens.displays._display import Display, decorate, limit_log_axis, new_figure
from stackens.displays._placing import limits, name_beside, too_far

__all__ = ["ParetoDisplay"]

_COLOURS = {"distilled": "#c44e52", "plain": "#4c72b0", "teacher": "#333333"}
_WORDS = {"distilled": "distilled student", "plain": "plain student", "teacher": "teacher"}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")  # by family
_TEACHER_MARKER = "*"
# Column of the frame: label of the axis, its unit, and the column's units in it.
_COSTS = {
    "one_row_us": ("time to predict a single row", "s", 1e-6),
    "bytes": ("size of the model", "B", 1.0),
}
_FLOOR_ERRORS = 8.0  # points that are no further from the best are never too far
_NARROWEST = 1.2  # decades of cost
_ALL_NAMED = 8  # with more points than this only those that matter have a name
_NAMES = 10  # on the front of a panel, about
_PANEL = (7.0, 5.0)  # inches
_BUDGET_COLOUR = "#55a868"


class ParetoDisplay(Display):
    """Scores with error bars against costs, a panel for each cost.

    The front is a step line: the best score that is to be had at a cost or below. Dotted lines
    show the teacher and the best plain student, so that the space between them is what there is
    to gain. Names stand in a column on the right of each panel; where there are many points, only
    the teacher, the best plain student, the chosen one and clear steps of the front are named.
    What is so bad that it would squeeze the rest stands at the lower edge as a triangle.

    Parameters
    ----------
    frame : DataFrame
        Index: names. Columns: ``score``; ``error``, half the length of the error bar; ``kind``:
        ``"distilled"``, ``"plain"`` or ``"teacher"``; ``family`` of the student; ``chosen`` (bool);
        and the costs, ``one_row_us`` (microseconds) and ``bytes``.
    costs : tuple of {"one_row_us", "bytes"}, default=("one_row_us", "bytes")
        The panels.
    score_name : str, default="score"
        Label of the vertical axis.
    error_name : str, default="one standard error"
        What an error bar shows.
    lower_is_better : bool, default=False
        Whether the vertical axis is turned, so that up is always better.
    budgets : mapping of str to float or None, optional
        The most that is allowed, by cost; a dashed line.
    front : bool, default=True
        Whether to draw the front.
    title : str, default=""

    Attributes
    ----------
    axes_ : tuple of matplotlib Axes
        After :meth:`plot`, one for each cost.
    figure_ : matplotlib Figure
        After :meth:`plot`.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens.displays import ParetoDisplay
    >>> frame = pd.DataFrame(
    ...     {
    ...         "score": [0.92, 0.93],
    ...         "error": 0.01,
    ...         "kind": ["distilled", "teacher"],
    ...         "family": ["tree", "teacher"],
    ...         "chosen": [True, False],
    ...         "one_row_us": [2.0, 4000.0],
    ...         "bytes": [5e3, 4e6],
    ...     },
    ...     index=["tree d6", "teacher"],
    ... )
    >>> ParetoDisplay(frame, score_name="ROC AUC").frame().index.tolist()
    ['tree d6', 'teacher']
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        costs: tuple[str, ...] = ("one_row_us", "bytes"),
        score_name: str = "score",
        error_name: str = "one standard error",
        lower_is_better: bool = False,
        budgets: Mapping[str, float | None] | None = None,
        front: bool = True,
        title: str = "",
    ) -> None:
        super().__init__(frame, score_name=score_name, lower_is_better=lower_is_better, title=title)
        self.costs = costs
        self.error_name = error_name
        self.budgets = budgets
        self.front = front

    def plot(self, axes: Any = None) -> Self:
        """Draw into ``axes``, or into a figure of its own.

        Candidates without a score are left out, and in each panel those without its cost.

        Parameters
        ----------
        axes : matplotlib Axes, sequence of them or None, default=None
            One for each cost.

        Returns
        -------
        self : object
            With ``axes_`` and ``figure_``; ``figure_.savefig(path)`` writes a file.

        Raises
        ------
        ValueError
            If there are not as many axes as costs.
        """
        own_figure = axes is None
        if own_figure:
            width, height = _PANEL
            axes = new_figure(width * len(self.costs), height).subplots(1, len(self.costs))
        self.axes_ = tuple(np.ravel(axes))
        if len(self.axes_) != len(self.costs):
            raise ValueError(
                f"plot() needs one Axes for each of the costs {list(self.costs)}. Got "
                f"{len(self.axes_)}. Leave 'axes' out for a figure of its own."
            )
        self.figure_ = self.axes_[0].figure
        points = self._points()
        if len(points) > _ALL_NAMED:
            handles = self._handles(points)
            if own_figure:
                self.figure_.legend(
                    handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
                )
            else:
                self.axes_[0].legend(handles=handles, frameon=False, fontsize="small")
        for ax, cost in zip(self.axes_, self.costs, strict=True):
            label, _, factor = _COSTS[cost]
            self._score_against_cost(ax, label, f"{self.error_name}\n")
            decorate(ax, self.title if ax is self.axes_[0] else "")
            here = points.dropna(subset=[cost])
            if len(here):
                # A cost that was too small to be measured still has a place on a log axis.
                self._panel(ax, cost, here.assign(x=factor * here[cost].clip(lower=1e-3)))
        return self

    def _points(self) -> pd.DataFrame:
        """Return what can be drawn, the best first, with how it is drawn."""
        scored = self._frame.dropna(subset=["score"])
        merit = -scored["score"] if self.lower_is_better else scored["score"]
        points = scored.assign(merit=merit, error=scored["error"].fillna(0.0))
        points = points.sort_values("merit", ascending=False, kind="stable")
        families = points.loc[points["kind"] != "teacher", "family"].unique()
        markers = {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(families)}
        points["marker"] = points["family"].map(markers).fillna(_TEACHER_MARKER)
        points.loc[points["kind"] == "teacher", "marker"] = _TEACHER_MARKER
        points["colour"] = points["kind"].map(_COLOURS)
        distance = points["merit"].max() - points["merit"]
        points["low"] = too_far(distance, _FLOOR_ERRORS * points["error"].median())
        points["weight"] = np.where(points["chosen"], "bold", "normal")
        return points

    def _panel(self, ax: Any, cost: str, points: pd.DataFrame) -> None:
        budget = (self.budgets or {}).get(cost)
        limit = None if budget is None else _COSTS[cost][2] * budget
        self._set_limits(ax, points, limit, _COSTS[cost][1])
        points = points.assign(y=points["score"].clip(*sorted(ax.get_ylim())))
        front = _front(points)
        if self.front:
            edge = ax.get_xlim()[1]
            ax.step(
                [*points.loc[front, "x"], edge],
                [*points.loc[front, "y"], points.loc[front, "y"].iloc[-1]],
                where="post",
                color="0.45",
                linewidth=1.2,
                zorder=2,
            )
        references = _references(points)
        for name in references:
            ax.axhline(
                points.loc[name, "score"],
                color=points.loc[name, "colour"],
                linestyle=":",
                linewidth=1.0,
                zorder=1,
            )
        if limit is not None:
            ax.axvline(limit, color=_BUDGET_COLOUR, linestyle="--", linewidth=1.2, zorder=1)
            ax.axvspan(limit, ax.get_xlim()[1], color="0.5", alpha=0.08, zorder=0)
        self._draw(ax, points, front)
        named = points
        if len(points) > _ALL_NAMED:
            own = [*references, *points.index[points["chosen"]]]
            named = points.loc[points.index.isin([*own, *_clear_steps(points.loc[front])])]
        # From the worst up: of equals the first stands above.
        name_beside(ax, named.assign(label=[*map(_label, named.itertuples())]).iloc[::-1])

    def _set_limits(self, ax: Any, points: pd.DataFrame, limit: float | None, unit: str) -> None:
        shown = points[~points["low"]]
        y = limits(shown["score"] - shown["error"], shown["score"] + shown["error"], 0.0)
        ax.set_ylim(*(y[::-1] if self.lower_is_better else y))
        shown_costs = [*points["x"], *([] if limit is None else [limit])]
        decades = pd.Series(np.log10(shown_costs))
        x = limits(decades, decades, _NARROWEST)
        limit_log_axis(ax, *x, unit)

    def _draw(self, ax: Any, points: pd.DataFrame, front: list[Any]) -> None:
        stands_out = points.index.isin(front) | points["chosen"] | (points["kind"] == "teacher")
        points = points.assign(behind=self.front & ~stands_out)
        for (kind, marker, low, behind), part in points.groupby(
            ["kind", "marker", "low", "behind"], sort=False
        ):
            ax.errorbar(
                part["x"],
                part["y"],
                yerr=None if low else part["error"],
                fmt="v" if low else marker,
                markersize=11 if marker == _TEACHER_MARKER else 6,
                color=_COLOURS[str(kind)],
                ecolor="0.75",
                capsize=2,
                alpha=0.35 if behind else 1.0,
                clip_on=not low,
                zorder=3 if behind else 4,
            )
        chosen = points[points["chosen"]]
        ax.plot(
            chosen["x"],
            chosen["y"],
            "o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=1.2,
            zorder=5,
        )

    def _handles(self, points: pd.DataFrame) -> list[Any]:
        """Return the legend: colours by kind, shapes where there are several families, lines."""
        line = require("matplotlib.lines", extra="plot", purpose="plot()").Line2D
        handles = [
            line(
                [],
                [],
                color=colour,
                marker=_TEACHER_MARKER if kind == "teacher" else "o",
                linestyle="none",
                label=_WORDS[kind],
            )
            for kind, colour in _COLOURS.items()
            if (points["kind"] == kind).any()
        ]
        shapes = points[points["kind"] != "teacher"].drop_duplicates("family")
        if len(shapes) > 1:
            handles += [
                line([], [], color="0.6", marker=marker, linestyle="none", label=family)
                for family, marker in zip(shapes["family"], shapes["marker"], strict=True)
            ]
        if self.front:
            handles.append(line([], [], color="0.45", label="front"))
        if any(limit is not None for limit in (self.budgets or {}).values()):
            handles.append(line([], [], color=_BUDGET_COLOUR, linestyle="--", label="budget"))
        return handles


def _front(points: pd.DataFrame) -> list[Any]:
    """Return the names on the front of one cost, the cheapest first."""
    cheapest = points.sort_values(["x", "merit"], ascending=[True, False], kind="stable")
    best_before = cheapest["merit"].cummax().shift(fill_value=-np.inf)
    return cheapest.index[cheapest["merit"] > best_before].tolist()


def _references(points: pd.DataFrame) -> list[Any]:
    """Return the names of the best teacher and the best plain student, where there are any."""
    best = points.drop_duplicates("kind")  # the best come first
    return best.index[best["kind"].isin(["teacher", "plain"])].tolist()


def _clear_steps(front: pd.DataFrame) -> list[Any]:
    """Return names on a front that are an error, and a share of its height, apart in score."""
    apart = max(front["error"].median(), np.ptp(front["merit"]) / _NAMES)
    steps: list[Any] = []
    reached = np.inf
    for name, merit in front["merit"].iloc[::-1].items():  # from the best down
        if merit <= reached - apart:
            steps.append(name)
            reached = merit
    return steps


def _label(point: Any) -> str:
    """Return the name of a point, its score if it stands at the edge, and whether it is chosen."""
    low = f" ({point.score:.3g})" if point.low else ""
    return f"{point.Index}{low}{', chosen' if point.chosen else ''}"

"""The report of a one-shot merge: how close each step came to the ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

__all__ = ["ALIGNED", "ENSEMBLE", "MERGED", "NAIVE", "OneShotReport"]

ENSEMBLE, NAIVE, ALIGNED, MERGED = "ensemble", "naive average", "aligned average", "merged"


@dataclass(frozen=True, eq=False)
class OneShotReport:
    """How one network was made of those of several sites.

    Parameters
    ----------
    results : DataFrame
        See :meth:`frame`.
    curve : DataFrame
        The distillation: ``step``, and ``distance`` from the ensemble on inputs held back.
    weights : array of shape (n_sites,) or (n_sites, n_classes)
        How much each site counts in the ensemble, by class where sites sent class counts.
    task : {"classification", "regression"}
    sites : sequence of str
        What they are called.
    start : str
        What the distillation started from, as :meth:`frame` calls it.
    synthetic : bool, default=True
        Whether the inputs were made up; False for public rows.
    """

    results: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    weights: Any
    task: str
    sites: Sequence[str]
    start: str
    synthetic: bool = True

    def frame(self) -> pd.DataFrame:
        """Return how close each network comes to the ensemble, and how good it is.

        Returns
        -------
        DataFrame
            Index: the sites, ``ensemble``, ``naive average``, ``aligned average`` (unless
            ``align=False``) and ``merged``. Columns: ``agreement`` and ``distance``, on inputs
            held back from the distillation. For classification, the share of rows with the
            ensemble's class, and the mean Kullback-Leibler divergence from it in nats; for
            regression, R2 with the ensemble as the truth, and the root mean squared difference
            over the ensemble's standard deviation. With ``evaluate``: ``score`` and ``score_se``,
            one standard error over rows.
        """
        return self.results.copy()

    def summary(self) -> str:
        """Return what came out and what to make of it, in words."""
        at = self.results
        sites = at.loc[list(self.sites)]
        shown = {str(name): f"{share:.1%}" for name, share in at["agreement"].items()}
        unit = "rows" if self.task == "classification" else "its variance"
        aligned = f", aligned {shown[ALIGNED]}" if ALIGNED in shown else ""
        lines = [
            f"{len(sites)} networks merged into one of the same size.",
            f"Agreement with the ensemble of all (share of {unit}, on inputs held back): sites "
            f"{sites['agreement'].mean():.1%} in the mean, their plain average "
            f"{shown[NAIVE]}{aligned}, merged {shown[MERGED]}, distilled in "
            f"{self.curve['step'].iloc[-1]} steps from: {self.start}.",
        ]
        if "score" in at:
            own, score = sites["score"], at["score"].to_dict()
            lines.append(
                f"Scores: sites {own.mean():.4g} in the mean ({own.min():.4g} to {own.max():.4g}), "
                f"ensemble {score[ENSEMBLE]:.4g}, merged {score[MERGED]:.4g}."
            )
        else:
            why = "These inputs are synthetic: score" if self.synthetic else "Score"
            lines.append(
                f"{why} the merged network on real rows with labels before it is used "
                "(evaluate=...)."
            )
        inputs = "declared inputs" if self.synthetic else "public rows"
        lines.append(
            "What to expect: an average of networks trained apart is mostly worse than each of "
            "them, aligned or not; distillation brings the merged one near the ensemble, the "
            f"nearer the more the {inputs} look like real ones, and the more steps it has."
        )
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores of all networks as bars, or their agreement where there are none.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        matplotlib Axes
        """
        from stackens._core._optional import require

        require("matplotlib", extra="plot", purpose="OneShotReport.plot()")
        column = "score" if "score" in self.results else "agreement"
        colours = {ENSEMBLE: "#4c72b0", MERGED: "#c44e52"}
        ax = self.results[column].plot.barh(
            ax=ax,
            width=0.75,
            color=[colours.get(name, "#b0b0b0") for name in self.results.index],
            xerr=self.results["score_se"].fillna(0.0) if column == "score" else None,
        )
        ax.invert_yaxis()
        ax.set(xlabel="score" if column == "score" else "agreement with the ensemble", ylabel="")
        return ax

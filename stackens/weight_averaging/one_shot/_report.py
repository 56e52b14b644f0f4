"""The report of a one-shot merge: how close each step came to the ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

__all__ = ["ALIGNED", "ENSEMBLE", "MERGED", "NAIVE", "OneShotReport"]

_REMEDY = (
    "Give public rows, or quantiles of real inputs (InputSchema.describe) with the axes along "
    "which they are smooth."
)
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
    sites_per_row : float or None, default=None
        How many sites have a say about an input, in the mean, where sites declared ranges of their
        own: the inverse of the sum of their squared shares.
    rare_classes : sequence of int, default=()
        Classes that the ensemble gives these inputs ten times more seldom than sites count them,
        or, without counts, ten times more seldom than their even share.
    greater_is_better : bool, default=True
        Whether that is so for scores.

    Examples
    --------
    >>> import torch
    >>> from stackens import weight_averaging as wa
    >>> def build_model():
    ...     return torch.nn.Linear(2, 1)
    >>> _ = torch.manual_seed(0)
    >>> sites = [build_model().state_dict() for _ in range(3)]
    >>> schema = wa.InputSchema(shape=(2,), low=0, high=1)
    >>> report = wa.one_shot_merge(
    ...     sites, build_model, input_schema=schema, steps=100, random_state=0
    ... ).report
    >>> list(report.frame().index[-4:])
    ['ensemble', 'naive average', 'aligned average', 'merged']
    >>> print(report.summary().splitlines()[0])
    3 networks merged into one of the same size.
    """

    results: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    weights: Any
    task: str
    sites: Sequence[str]
    start: str
    synthetic: bool = True
    sites_per_row: float | None = None
    rare_classes: Sequence[int] = ()
    greater_is_better: bool = True

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
        if self.sites_per_row is not None:
            lines.append(
                f"Sites declared ranges of their own: {self.sites_per_row:.1f} of {len(sites)} "
                "have a say about an input, in the mean."
            )
        inputs = "declared inputs" if self.synthetic else "public rows"
        if self.rare_classes:
            lines.append(
                f"The ensemble hardly ever sees the classes {list(self.rare_classes)} in the "
                f"{inputs}. Unless they are as rare in real ones, these look otherwise, and "
                "agreement says little about them. " + _REMEDY
            )
        lines.append(self._verdict(inputs) if "score" in at else self._outlook(inputs))
        return "\n".join(lines)

    def _verdict(self, inputs: str) -> str:
        """Return what the scores say."""
        score = self.results["score"]
        own, merged = score.loc[list(self.sites)], score[MERGED]
        sign = 1 if self.greater_is_better else -1
        beaten = int((sign * own < sign * merged).sum())
        told = (
            f"Scores: sites {own.mean():.4g} in the mean ({own.min():.4g} to {own.max():.4g}), "
            f"ensemble {score[ENSEMBLE]:.4g}, merged {merged:.4g}: better than {beaten} of "
            f"{len(own)} sites."
        )
        if sign * merged < sign * own.mean():
            told += " That is below the mean site" + (
                ", and so is the ensemble: what the sites learnt does not add up here. Keep "
                "the best site."
                if sign * score[ENSEMBLE] < sign * own.mean()
                else f": the {inputs} look unlike real ones, or the steps were too few. " + _REMEDY
            )
        return told

    def _outlook(self, inputs: str) -> str:
        """Return what to expect where there are no scores."""
        return (
            "What to expect: the score of the ensemble, less what is lost where real inputs look "
            f"unlike the {inputs}. The ensemble mostly beats the mean site, not always the best. "
            "Averages of networks trained apart go from useless to as good as the ensemble, "
            f"aligned or not. {'These inputs are synthetic: score' if self.synthetic else 'Score'} "
            "the merged network on real rows with labels before it is used (evaluate=...)."
        )

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

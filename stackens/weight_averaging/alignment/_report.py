"""Aligned models, and what aligning them did and is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from stackens.displays import WeightCurvesDisplay
from stackens.weight_averaging._evaluation import Score, is_clear
from stackens.weight_averaging._interpolate import Interpolation
from stackens.weight_averaging.alignment._symmetry import Symmetry, Transformation

__all__ = ["AlignedModels", "AlignmentReport", "Quality"]


@dataclass(frozen=True)
class Quality:
    """Scores that say whether aligning was enough.

    Parameters
    ----------
    models : list of Score
        Of each model.
    naive, aligned : Score
        Of the plain average of the models, before and after they were aligned.
    path_before, path_after : Interpolation or None
        Along the line between the first two models, before and after; None for one model.
    greater_is_better : bool
    """

    models: list[Score]
    naive: Score
    aligned: Score
    path_before: Interpolation | None
    path_after: Interpolation | None
    greater_is_better: bool

    @property
    def mean_model(self) -> Score:
        """The mean of the models' scores."""
        return Score(np.mean([score.values for score in self.models], axis=0))

    @property
    def is_enough(self) -> bool:
        """Whether the average of the aligned models is not clearly worse than the mean model."""
        sign = 1.0 if self.greater_is_better else -1.0
        drop = Score(sign * (self.mean_model.values - self.aligned.values))
        level = self.mean_model.mean
        return not is_clear(drop, level, greater_is_better=self.greater_is_better)


@dataclass(frozen=True, eq=False)
class AlignmentReport:
    """What aligning models did to them.

    Parameters
    ----------
    units : DataFrame
        See :meth:`frame`.
    similarity_before, similarity_after : list of float
        For each model other than the reference, the cosine between its weights and those of the
        reference: of the other models' mean, for the barycentre. The same of centred activations,
        the mean correlation of units, where these were matched.
    deviation : float or None
        Largest change of an output of any model, in double precision, divided by 1 + the largest
        output; None where nothing could be run.
    symmetry : Symmetry
        What was free to move; its notes say what was held still, and why.
    changes : list of Transformation
        What was done to each model, in terms of the symmetry.
    quality : Quality or None
        None unless ``evaluate`` was given.
    matched : {"weights", "activations"}, default="weights"
        By what units were matched.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from stackens import weight_averaging as wa
    >>> X, y = load_digits(return_X_y=True)
    >>> models = [
    ...     MLPClassifier(64, random_state=seed, max_iter=20, tol=1).fit(X / 16, y)
    ...     for seed in (0, 1)
    ... ]
    >>> report = wa.align(models, evaluate=lambda model: model.score(X / 16, y)).report
    >>> report.frame().columns.tolist()
    ['model', 'units', 'size', 'moved', 'flipped']
    >>> report.quality.aligned.mean > report.quality.naive.mean
    True
    """

    units: pd.DataFrame = field(repr=False)
    similarity_before: list[float]
    similarity_after: list[float]
    deviation: float | None
    symmetry: Symmetry = field(repr=False)
    changes: list[Transformation] = field(repr=False)
    quality: Quality | None = field(default=None, repr=False)
    matched: Literal["weights", "activations"] = "weights"

    def frame(self) -> pd.DataFrame:
        """Return what moved.

        Returns
        -------
        DataFrame
            For each model and each group of units: ``model``, ``units``, ``size``, and the
            fractions of the units that have ``moved`` to another place and ``flipped`` their sign
            (NaN for units that cannot).
        """
        return self.units.copy()

    def summary(self) -> str:
        """Return in words what moved, whether the functions are the same, what to expect."""
        said = [self._moved(), self._proven(), self._expected()]
        held = len(self.symmetry.notes)
        if held:
            said.append(
                f"Held still: {self.symmetry.notes[0]}"
                + (f" (and {held - 1} more in report.symmetry.notes)" if held > 1 else "")
                + "."
            )
        return " ".join(said)

    def plot(self, ax: Any = None) -> WeightCurvesDisplay:
        """Draw the scores between the first two models, before and after they were aligned.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        WeightCurvesDisplay

        Raises
        ------
        ValueError
            If there are no scores, because ``evaluate`` was not given, or no two models.
        """
        found = self.quality
        if found is None or found.path_before is None or found.path_after is None:
            raise ValueError(
                "The picture needs the scores of at least two models. Got none. Call align with "
                "evaluate=, a function of a model that returns a score."
            )
        chord = found.path_before.frame().rename(columns={"t": "x"})
        curves = [chord.assign(series="mean of the two", kind="chord", score=chord["chord"], se=0)]
        for series, path in (("as trained", found.path_before), ("aligned", found.path_after)):
            curve = path.frame().rename(columns={"t": "x"})
            curves.append(curve.assign(series=series, kind="average"))
        return WeightCurvesDisplay(
            pd.concat(curves),
            x_label="t: weights (1 - t) of the first model and t of the second",
            lower_is_better=not found.greater_is_better,
            title=self._expected(),
        ).plot(ax)

    def _moved(self) -> str:
        if self.units.empty or not self.similarity_after:
            return "There was nothing to move."
        size = self.units["size"].to_numpy()
        shares = []
        for column, verb in (("moved", "moved"), ("flipped", "changed sign")):
            share = self.units[column].to_numpy(dtype=float)
            known = np.isfinite(share)
            if known.any():
                total = np.average(share[known], weights=size[known])
                shares.append(f"{100 * total:.0f}% {verb}")
        moved = f"Of the units {' and '.join(shares)}" if shares else "No unit moved"
        before, after = np.mean(self.similarity_before), np.mean(self.similarity_after)
        return (
            f"{moved}; the cosine between {self.matched} and reference "
            f"went from {before:.2f} to {after:.2f}."
        )

    def _proven(self) -> str:
        if self.deviation is None:
            return "Not checked: there was no network to run."
        return f"No output changed by more than {self.deviation:.0e} (relative, double precision)."

    def _expected(self) -> str:
        found = self.quality
        if found is None:
            return (
                "What an average is worth cannot be told from weights: give evaluate=, or compare "
                "the average with the models."
            )
        scores = (
            f"{found.aligned.mean:.4g} (before aligning {found.naive.mean:.4g}, the models "
            f"{found.mean_model.mean:.4g} in the mean)"
        )
        if found.is_enough:
            return f"The average of the aligned models can be used: {scores}."
        return (
            f"Aligning alone is not enough: the average has {scores}. Blend the models' "
            "predictions; or, for networks of torch, repair the average "
            "(weight_averaging.repair) or merge the models by distillation "
            "(weight_averaging.one_shot_merge)."
        )


class AlignedModels(Sequence[Any]):
    """Models whose weights may be averaged, in the order given.

    Parameters
    ----------
    models : list
    report : AlignmentReport

    Examples
    --------
    >>> import torch
    >>> from stackens import weight_averaging as wa
    >>> def build_model(seed):
    ...     _ = torch.manual_seed(seed)
    ...     return torch.nn.Sequential(
    ...         torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    ...     )
    >>> aligned = wa.align([build_model(0), build_model(1)], 0, example=torch.zeros(1, 2))
    >>> len(aligned), aligned.report.deviation < 1e-9
    (2, True)
    >>> type(wa.average(aligned)).__name__
    'Sequential'
    """

    def __init__(self, models: list[Any], report: AlignmentReport) -> None:
        self._models = models
        self.report = report

    def __getitem__(self, index: Any) -> Any:
        return self._models[index]

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._models)

    def __repr__(self) -> str:
        return f"AlignedModels({len(self)} models. {self.report.summary()})"

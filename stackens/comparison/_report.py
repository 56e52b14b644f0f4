"""The result of a comparison: a leaderboard, its picture, its sentence, and the best one fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from stackens.comparison._findings import (
    Findings,
    footnotes,
    leaderboard,
    recommended,
    scored_by,
    sentence,
)
from stackens.comparison._refit import Refit
from stackens.displays import ScoreLatencyDisplay

__all__ = ["ComparisonReport"]


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonReport:
    """What :func:`stackens.compare` found.

    Parameters
    ----------
    findings : Findings
        The numbers.
    refit : Refit
        Fits a strategy on all rows. It holds the rows, and so does a pickle of the report.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {"linear": LogisticRegression(max_iter=500), "bayes": GaussianNB()}
    >>> report = se.compare(models, X, y, random_state=0)
    >>> report.frame().shape
    (8, 8)
    >>> report.best in report.frame().index
    True
    >>> report.best_estimator_.predict(X[:2]).tolist()
    [0, 0]
    """

    findings: Findings
    refit: Refit
    _fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """Name of the strategy with the best score."""
        return str(self.findings.scores.index[0])

    @property
    def recommended(self) -> str:
        """Name of the strategy that the summary says to use.

        The best combination if its gain over the best single model is clear of noise, otherwise
        that model, which is simpler, even where it is none of the strategies.
        ``fit(recommended)`` fits it on all rows.
        """
        return recommended(self.findings)

    @property
    def best_single(self) -> str | None:
        """Name of the base model with the best score."""
        return self.findings.best_single

    @property
    def scoring(self) -> str:
        """Name of what was scored, as scikit-learn calls it."""
        return self.findings.scoring.name

    def frame(self) -> pd.DataFrame:
        """Return the leaderboard, best first, with the strategy as index.

        Returns
        -------
        DataFrame
            ``score``: mean over outer splits on rows set aside before any fit, greater is better.
            ``score_se``: its standard error, NaN if all rows set aside are of one group.
            ``oof_score``: the quick estimate from the out-of-fold table; NaN for a weight
            average, which trains its models once more, apart from that table. ``fit_s``: seconds
            to fit what the strategy needs, added up over its fits (some of which may have run
            side by side); of a weight average, what its own training took. ``batch_us_per_row``
            and ``one_row_us``: microseconds to predict a row, in a batch and alone, on one core;
            of a blend or stack, those of its models and of combining, added up; of a weight
            average, those of one model. ``bytes`` likewise. ``exported``: whether these costs are
            those of the file that :func:`stackens.export.to_numpy` writes; where a part of a
            strategy cannot be exported, that part counts as it is, by its predict method and its
            pickle (NaN without one).
        """
        return self.findings.scores.copy()

    def differences(self) -> pd.DataFrame:
        """Return paired differences to the best single model, which is ``best_single``.

        Returns
        -------
        DataFrame
            ``difference`` (positive is better), its standard error ``se``, and ``low`` and
            ``high``. These 95% intervals hold for all combinations at once, so that the best of
            them may be picked afterwards: they are widened by the "max-t" method, with
            correlations from a bootstrap over the rows set aside. As the reference is the best
            of several, its score is a little lucky and the differences are a little low.

        References
        ----------
        Hothorn, Bretz & Westfall (2008). Simultaneous inference in general parametric models.
        Biometrical Journal 50(3), 346-363, doi:10.1002/bimj.200810425.
        """
        return self.findings.paired.copy()

    @property
    def best_estimator_(self) -> Any:
        """The best strategy fitted on all rows; the first access fits it."""
        return self.fit(self.best)

    def fit(self, name: str) -> Any:
        """Return any of the strategies fitted on all rows, with the seeds of the comparison.

        Parameters
        ----------
        name : str
            A strategy of the leaderboard, or any base model.

        Returns
        -------
        estimator
            An ensemble, a weight average, or a base model: the plain one, or where its fold
            models were kept as a bag a blend of it alone (of margins, which cannot be blended,
            the bag). It is kept, and given again when asked again.

        Raises
        ------
        ValueError
            If there is no such strategy, and if a base model cannot be fitted.
        """
        if name not in self.refit.strategies:
            raise ValueError(
                "Only strategies of the report and base models can be fitted. Got "
                f"{name!r}. The names are {list(self.refit.strategies)}."
            )
        if name not in self._fitted:
            self._fitted[name] = self.refit(name)
        return self._fitted[name]

    def summary(self) -> str:
        """Return one sentence: which strategy to use, and what it gains over the best single model.

        A gain counts when its 95% interval (see :meth:`differences`) lies above zero; otherwise
        the best single model is recommended, which is simpler.
        """
        return sentence(self.findings)

    def plot(self, ax: Any = None) -> ScoreLatencyDisplay:
        """Draw score against latency.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure, ``figure_`` of the result.

        Returns
        -------
        ScoreLatencyDisplay
        """
        frame = self.findings.scores[["score", "score_se", "batch_us_per_row"]].copy()
        frame["score"] *= self.findings.scoring.sign
        frame["combination"] = [name in self.findings.combinations for name in frame.index]
        display = ScoreLatencyDisplay(
            frame,
            score_name=self.findings.scoring.words,
            lower_is_better=self.findings.scoring.sign < 0,
            title=scored_by(self.findings),
        )
        return display.plot(ax)

    def __str__(self) -> str:
        table = leaderboard(self.findings).to_string()
        return "\n".join([scored_by(self.findings), table, *footnotes(self.findings)])

    def __repr__(self) -> str:
        return (
            f"<ComparisonReport of {len(self.findings.scores)} strategies by "
            f"{self.findings.scoring.words}, best: {self.best!r}, "
            f"recommended: {self.recommended!r}>"
        )

    def _repr_html_(self) -> str:
        table = leaderboard(self.findings).to_html(border=0)
        said = (self.summary(), scored_by(self.findings), *footnotes(self.findings))
        first, *others = (f"<p>{escape(text)}</p>" for text in said)
        return f"{first}{table}{''.join(others)}"

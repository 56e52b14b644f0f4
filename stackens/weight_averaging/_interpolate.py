"""The straight line between two models: whether there is a barrier, or they share one basin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from stackens._core._html import html_of
from stackens.displays import WeightCurvesDisplay
from stackens.weight_averaging._checkpoints import Checkpoints
from stackens.weight_averaging._evaluation import Evaluate, Score, is_clear, score_of
from stackens.weight_averaging._running import RunningSums

__all__ = ["Interpolation", "interpolate"]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Scores along the line ``(1 - t) * a + t * b`` between the weights of two models.

    Parameters
    ----------
    scores : list of Score
        At each t.
    t : array of shape (n_points,)
    greater_is_better : bool
    loss : Interpolation or None
        The same for a loss, if one was given beside the score.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> a, b = {"w": np.array([1.0])}, {"w": np.array([3.0])}
    >>> path = wa.interpolate(a, b, loss=lambda model: (model["w"].item() - 2) ** 2)
    >>> path
    Interpolation(one_basin=True, barrier=0, n_points=11)
    >>> path.summary()
    'One basin (from 1 to 1 at the ends, the barrier is 0): the two models can be averaged.'
    """

    scores: list[Score]
    t: NDArray[np.float64]
    greater_is_better: bool = True
    loss: Interpolation | None = None

    def __repr__(self) -> str:
        return (
            f"Interpolation(one_basin={self.one_basin}, barrier={self.barrier:.4g}, "
            f"n_points={len(self.t)})"
        )

    def _repr_html_(self) -> str:
        return html_of(self.summary(), self.frame())

    @property
    def barrier(self) -> float:
        """How much worse the worst point between the models is than the models themselves.

        The models' part is the mean of their scores by t: for a loss L the barrier is the maximum
        over t of ``L(t) - ((1 - t) * L(0) + t * L(1))``, for a score the same with the sign
        turned. About zero or below where both are in one basin.

        References
        ----------
        Frankle et al. (2020), "Linear mode connectivity and the lottery ticket hypothesis",
        arXiv:1912.05671.
        """
        return max(drop.mean for drop in self._drops())

    @property
    def one_basin(self) -> bool:
        """Whether no point between the models is clearly worse than they are.

        Clearly: by 2% of a score above zero or 10% of a loss, and, where there is a score for each
        row, by two standard errors. Where there is a score and a loss, neither may be worse.
        """
        if self.loss is not None and not self.loss.one_basin:
            return False
        level = float(np.mean([end.mean for end in self._ends()]))
        worst = max(self._drops(), key=lambda drop: drop.mean)
        return not is_clear(worst, level, greater_is_better=self.greater_is_better)

    def summary(self) -> str:
        """Return in words whether the two models may be averaged."""
        if self.loss is not None and not self.loss.one_basin:
            return self.loss.summary()
        inside = [drop.mean for drop in self._drops()]
        at = self.t[self._between()][int(np.argmax(inside))]
        first, last = (end.mean for end in self._ends())
        found = f"from {first:.4g} to {last:.4g} at the ends, the barrier is {self.barrier:.4g}"
        if self.one_basin:
            return f"One basin ({found}): the two models can be averaged."
        return (
            f"Two basins ({found}, at t = {at:.2g}): do not average the two models as they are. "
            "Align them first, blend their predictions, or distil them into one model."
        )

    def frame(self) -> pd.DataFrame:
        """Return ``t``, ``score``, ``se``, ``chord`` and, where there is one, ``loss``.

        ``se`` is one standard error over rows, or NaN; ``chord`` the mean of the two models'
        scores by t.
        """
        frame = pd.DataFrame(
            {
                "t": self.t,
                "score": [score.mean for score in self.scores],
                "se": [score.se for score in self.scores],
                "chord": [chord.mean for chord in self._chord()],
            }
        )
        return frame if self.loss is None else frame.assign(loss=self.loss.frame()["score"])

    def plot(self, ax: Any = None) -> WeightCurvesDisplay:
        """Draw the scores along the line, and the straight line between those of the models.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        WeightCurvesDisplay
        """
        frame = self.frame().rename(columns={"t": "x"})
        path = frame.assign(series="along the line", kind="average")
        chord = frame.assign(series="mean of the two", kind="chord", se=np.nan)
        chord["score"] = frame["chord"]
        return WeightCurvesDisplay(
            pd.concat([chord, path]),
            x_label="t: weights (1 - t) of the first model and t of the second",
            lower_is_better=not self.greater_is_better,
            title=self.summary(),
        ).plot(ax)

    def _ends(self) -> tuple[Score, Score]:
        return self.scores[int(np.flatnonzero(self.t == 0)[0])], (
            self.scores[int(np.flatnonzero(self.t == 1)[0])]
        )

    def _chord(self) -> list[Score]:
        first, last = self._ends()
        return [Score((1 - t) * first.values + t * last.values) for t in self.t]

    def _between(self) -> NDArray[np.bool_]:
        return (self.t >= 0) & (self.t <= 1)

    def _drops(self) -> list[Score]:
        """How much worse than the chord each point between the models is, row by row."""
        sign = 1.0 if self.greater_is_better else -1.0
        places = zip(self._between(), self.scores, self._chord(), strict=True)
        return [Score(sign * (c.values - s.values)) for inside, s, c in places if inside]


def interpolate(
    a: Any,
    b: Any,
    evaluate: Evaluate | None = None,
    *,
    loss: Evaluate | None = None,
    n_points: int | ArrayLike = 11,
    network: Any = None,
    key: str | None = None,
    greater_is_better: bool = True,
    verbose: int = 0,
) -> Interpolation:
    """Score models on the straight line between two, to see whether they share a basin.

    Parameters
    ----------
    a, b : models
        Two models of any kind that `average` takes, or paths of files.
    evaluate : callable or None, default=None
        ``evaluate(model)`` gives a score, or one for each row. It must not keep the model, which
        is overwritten afterwards.
    loss : callable or None, default=None
        The same for a loss, which shows a barrier before accuracy does. At least one of the two is
        needed.
    n_points : int or array-like, default=11
        Number of points from t = 0 (``a``) to t = 1 (``b``), both included; or the values of t
        themselves, to which 0 and 1 are added: below 0 and above 1 the line goes on beyond the
        models.
    network : model or None, default=None
        The model that state dicts or files belong to: ``evaluate`` gets copies of it.
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint; see
        `average_checkpoints`.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.
    verbose : int, default=0
        Above 0 shows how many models are scored, and the remaining time.

    Returns
    -------
    Interpolation
        With ``barrier``, ``one_basin``, ``summary()``, ``frame()`` and ``plot()``, of the score,
        or of the loss if that is all there is. With both, ``.loss`` has the same of the loss.

    Raises
    ------
    ValueError
        If the models differ or hold NaN, there are fewer than three points, or neither
        ``evaluate`` nor ``loss`` is given.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> a, b = {"w": np.array([-1.0])}, {"w": np.array([1.0])}
    >>> def loss(model):  # two basins, at -1 and 1
    ...     return ((model["w"] ** 2 - 1) ** 2).item() + 0.1
    >>> path = wa.interpolate(a, b, loss=loss)
    >>> path.barrier
    1.0
    >>> path.one_basin
    False
    """
    measures = [measure for measure in (evaluate, loss) if measure is not None]
    if not measures:
        raise ValueError(
            "interpolate needs to know how good a model is. Got neither 'evaluate' nor 'loss'. "
            "Give a function of a model that returns a score or a loss."
        )
    t = _points(n_points)
    opened, sums = Checkpoints(network, key), RunningSums()
    ends = {}
    for end, model, label in ((0.0, a, "the first model"), (1.0, b, "the second model")):
        alone, arrays = opened.open(model, label)
        ends[end] = [score_of(measure, alone) for measure in measures]
        sums.add(arrays, [1.0], label)
    scores = []
    for point in tqdm(t.tolist(), "between two models", disable=not verbose, unit="model"):
        if point not in ends:
            model = opened.written(sums.mixed([point]))
        scores.append(ends.get(point) or [score_of(measure, model) for measure in measures])
    paths = [
        Interpolation([at[i] for at in scores], t, measure is evaluate and greater_is_better)
        for i, measure in enumerate(measures)
    ]
    return paths[0] if len(paths) == 1 else replace(paths[0], loss=paths[1])


def _points(n_points: int | ArrayLike) -> NDArray[np.float64]:
    if np.ndim(n_points):
        t = np.union1d(np.asarray(n_points, dtype=np.float64), [0.0, 1.0])
    else:
        n = int(n_points) if isinstance(n_points, Integral) else 0
        t = np.linspace(0.0, 1.0, max(n, 0))
    if len(t) < 3 or not np.isfinite(t).all():
        raise ValueError(
            "The 'n_points' parameter must give at least one point between the two models. Got "
            f"{n_points!r}. Give a number of at least 3."
        )
    return t

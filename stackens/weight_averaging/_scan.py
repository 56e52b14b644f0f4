"""How many of the last checkpoints to average: single against averaged, from the newest back."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from stackens import schedules
from stackens._core._html import html_of
from stackens.displays import WeightCurvesDisplay
from stackens.schedules import Newest, Schedule
from stackens.weight_averaging._checkpoints import Checkpoints, labelled, running_averages
from stackens.weight_averaging._evaluation import Evaluate, Score, counted, score_of, warn_if_worse
from stackens.weight_averaging.adapters import find_adapter
from stackens.weight_averaging.files._order import warn_if_sorted_as_text

__all__ = ["LastNScan", "scan_last_n"]

_SINGLE = "single"  # beside the names of schedules


@dataclass(frozen=True, eq=False)
class LastNScan:
    """Scores of single checkpoints and of averages of the last n.

    Parameters
    ----------
    runs : DataFrame
        A row for each run, n and schedule; see :meth:`frame`.
    greater_is_better : bool

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> checkpoints = [{"w": np.array([value])} for value in (0.5, 1.0, 1.0, 3.0, 1.0)]
    >>> scan = wa.scan_last_n(checkpoints, lambda model: -abs(model["w"].item() - 2.5), "equal")
    >>> scan
    LastNScan(best=equal average of the last 2 of 5, score=-0.5, newest alone=-1.5)
    >>> scan.summary()
    'The equal average of the last 2 of 5 checkpoints scores -0.5, the newest alone -1.5.'
    """

    runs: pd.DataFrame
    greater_is_better: bool = True

    def __repr__(self) -> str:
        best = self.best
        return (
            f"LastNScan(best={best['schedule']} average of the last {best['n']} of "
            f"{self.runs['n'].max()}, score={best['score']:.4g}, newest alone={self._newest():.4g})"
        )

    def _newest(self) -> float:
        """The score of the newest checkpoint alone."""
        return float(self.frame().query("n == 1 and kind == 'single'")["score"].item())

    def summary(self) -> str:
        """Return in words which average is the best, and what the newest checkpoint scores."""
        best, n = self.best, self.runs["n"].max()
        return (
            f"The {best['schedule']} average of the last {best['n']} of {n} checkpoints scores "
            f"{best['score']:.4g}, the newest alone {self._newest():.4g}."
        )

    def _repr_html_(self) -> str:
        return html_of(self.summary(), self.frame())

    def frame(self, *, by_run: bool = False) -> pd.DataFrame:
        """Return the scores, a row for each n and schedule.

        Parameters
        ----------
        by_run : bool, default=False
            Keep runs apart, in a column ``run``, instead of taking their mean.

        Returns
        -------
        DataFrame
            ``n``; ``schedule``, which is ``"single"`` for the n-th newest checkpoint alone;
            ``kind``, ``"single"`` or ``"average"``; ``score``; and ``se``, one standard error: over
            runs if there are several, else over rows if ``evaluate`` gave a score for each,
            else NaN.
        """
        if by_run:
            return self.runs.copy()
        groups = self.runs.groupby(["n", "schedule", "kind"], sort=False)
        frame = groups.agg(score=("score", "mean"), se=("score", "sem"), rows=("se", "first"))
        if self.runs["run"].nunique() == 1:
            frame["se"] = frame["rows"]
        return frame.drop(columns="rows").reset_index()

    @property
    def best(self) -> pd.Series:
        """The best average: ``n``, ``schedule``, ``score``, ``se``; of equals, the smallest n.

        Chosen on the data that it is scored on, so the score is a little too good: the less, the
        flatter the curves.
        """
        averages = self.frame().query("kind == 'average'")
        scores = averages["score"] if self.greater_is_better else -averages["score"]
        return averages.iloc[int(scores.argmax())].drop("kind")

    def plot(self, ax: Any = None) -> WeightCurvesDisplay:
        """Draw single checkpoints as points and averages as lines, with bands of two errors.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        WeightCurvesDisplay
        """
        return WeightCurvesDisplay(
            self.frame().rename(columns={"n": "x", "schedule": "series"}),
            x_label="n: the n-th newest checkpoint alone, or the last n averaged",
            lower_is_better=not self.greater_is_better,
        ).plot(ax)


def scan_last_n(
    checkpoints: Sequence[Any],
    evaluate: Evaluate,
    weights: str | Schedule | Sequence[str | Schedule] | Mapping[str, Schedule] = "all",
    *,
    n_max: int | None = None,
    network: Any = None,
    key: str | None = None,
    newest: Newest = "last",
    greater_is_better: bool = True,
    verbose: int = 0,
) -> LastNScan:
    """Score each of the last checkpoints alone, and the averages of the last n of them.

    The checkpoints are read once, from the newest back, whatever the number of schedules. Besides
    the checkpoint at hand, memory holds the newest one and, in double precision, a few running
    sums: one for equal weights, one more for linear and one for exponential ones, however many
    checkpoints there are.

    Parameters
    ----------
    checkpoints : sequence
        Checkpoints of one run in training order: models of any kind that `average` takes, or paths
        of files. Or several such runs (a list or generator of lists), for error bars.
    evaluate : callable
        ``evaluate(model)`` gives a score, or one for each row (error bars over rows), on data
        that is not used for training. It must not keep the model, which is overwritten afterwards.
    weights : str, callable, sequence or dict, default="all"
        Schedules to average by: ``"equal"``, ``"linear"``, ``"exponential"`` or ``"all"`` three;
        callables of n, such as ``functools.partial(schedules.exponential, decay=5.0)``; a list of
        them, or a dict from names to them.
    n_max : int or None, default=None
        How many checkpoints to go back; None for all.
    network : model or None, default=None
        The model that state dicts or files belong to: ``evaluate`` gets copies of it. Without it,
        ``evaluate`` gets what ``checkpoints`` holds (for files a dict of arrays).
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint; see
        `average_checkpoints`.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.
    verbose : int, default=0
        Above 0 shows how many models are scored, and the remaining time.

    Returns
    -------
    LastNScan
        With ``frame()``, ``plot()`` and ``best``. `average` makes the model:
        ``average(checkpoints[-n:], weights=schedule)``.

    Raises
    ------
    ValueError
        If checkpoints differ or hold NaN, there are fewer than ``n_max``, a schedule is not known,
        or two have one name.
    TypeError
        If weights are no schedules.

    Warns
    -----
    OtherBasinWarning
        If an average of all checkpoints is clearly worse than they are.
    StackensWarning
        If paths are sorted as text, so that step 1000 stands before step 900.

    References
    ----------
    Polyak & Juditsky (1992), "Acceleration of stochastic approximation by averaging", SIAM Journal
    on Control and Optimization 30(4), DOI 10.1137/0330046.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> random = np.random.default_rng(0)
    >>> checkpoints = [{"w": random.normal(1.0, 0.1, size=3)} for _ in range(5)]
    >>> def evaluate(model):
    ...     return np.abs(model["w"] - 1.0).mean()
    >>> scan = wa.scan_last_n(checkpoints, evaluate, "equal", greater_is_better=False)
    >>> scan.frame().pivot(index="n", columns="schedule", values="score").round(3)
    schedule  equal  single
    n
    1         0.126   0.126
    2         0.094   0.064
    3         0.048   0.098
    4         0.035   0.033
    5         0.023   0.030
    """
    named = _named(weights)
    schedules.check_newest(newest)
    runs: list[list[tuple[int, str, Score]]] = []
    for run in _runs(checkpoints):
        labels, models = labelled(run)
        count = len(models) if n_max is None else n_max
        if not isinstance(count, Integral) or not 1 <= count <= len(models):
            raise ValueError(
                "The 'n_max' parameter must be between 1 and the number of checkpoints. Got "
                f"{n_max} for {len(models)} checkpoints. Give more checkpoints or a smaller n_max."
            )
        warn_if_sorted_as_text(models, newest=newest)
        order = slice(None, -count - 1, -1) if newest == "last" else slice(count)
        n_scored = count + (count - 1) * len(named)
        with counted(evaluate, n_scored, "last n", verbose) as measure:
            scores = _scores(models[order], labels[order], named, measure, network, key)
            runs.append(list(scores))
    lengths = {len(run) for run in runs}
    if len(lengths) != 1:
        raise ValueError(
            "There must be at least one run, and as many checkpoints in each. Got "
            f"{len(runs)} runs{' of different lengths' if lengths else ''}. Give n_max, a number "
            "that every run has."
        )
    _warn(runs, named, greater_is_better)
    rows = [
        {
            "run": i,
            "n": n,
            "schedule": name,
            "kind": "single" if name == _SINGLE else "average",
            "score": score.mean,
            "se": score.se,
        }
        for i, run in enumerate(runs)
        for n, name, score in run
    ]
    return LastNScan(pd.DataFrame(rows), greater_is_better)


def _scores(
    models: Sequence[Any],
    labels: Sequence[str],
    named: Mapping[str, Schedule | str],
    evaluate: Evaluate,
    network: Any,
    key: str | None,
) -> Iterator[tuple[int, str, Score]]:
    """Yield (n, schedule, score) for models that come newest first, each read once."""
    rows = [
        schedules.resolve(schedule, n, newest="first")
        for n in range(1, len(models) + 1)
        for schedule in named.values()
    ]
    opened = Checkpoints(network, key)
    for alone, averages in running_averages(opened, models, labels, rows):
        single = score_of(evaluate, alone)
        for j, arrays in averages.items():
            n, name = len(rows[j]), list(named)[j % len(named)]
            if j % len(named) == 0:
                yield n, _SINGLE, single
            yield n, name, score_of(evaluate, opened.written(arrays)) if n > 1 else single


def _warn(
    runs: Sequence[Sequence[tuple[int, str, Score]]],
    named: Mapping[str, Schedule | str],
    greater_is_better: bool,
) -> None:
    """Warn if an average of all checkpoints is clearly worse than they are."""
    scores = {
        same[0][:2]: same[0][2] if len(runs) == 1 else Score(np.array([s.mean for *_, s in same]))
        for same in zip(*runs, strict=True)
    }
    n = max(n for n, _ in scores)
    for name, schedule in named.items():
        warn_if_worse(
            scores[n, name],
            [scores[i, _SINGLE] for i in range(1, n + 1)],
            schedules.resolve(schedule, n, newest="first"),
            greater_is_better=greater_is_better,
            what=f"The average of the last {n} checkpoints ({name})",
            stacklevel=3,
        )


def _runs(checkpoints: Any) -> Iterator[Any]:
    """Yield runs: lists of checkpoints, from one such list or several."""
    if isinstance(checkpoints, Sequence) and not isinstance(checkpoints, str | bytes):
        first = checkpoints[0] if len(checkpoints) else None
        several = isinstance(first, list | tuple) and find_adapter(first) is None
    else:
        several = isinstance(checkpoints, Iterator)
    yield from checkpoints if several else [checkpoints]


def _named(weights: Any) -> dict[str, Schedule | str]:
    """Return name -> schedule, or raise."""
    if isinstance(weights, str) and weights == "all":
        return dict(schedules.SCHEDULES)
    if isinstance(weights, Mapping):
        pairs = [(str(name), schedule) for name, schedule in weights.items()]
    else:
        is_one = isinstance(weights, str) or not isinstance(weights, Iterable)
        pairs = [(_name(schedule), schedule) for schedule in ([weights] if is_one else weights)]
    odd = [
        schedule for _, schedule in pairs if not (isinstance(schedule, str) or callable(schedule))
    ]
    if odd or not pairs:
        raise TypeError(
            "The 'weights' parameter of scan_last_n must hold schedules: weights for any "
            f"n. Got {odd[0] if odd else 'none'!r}. Give names such as 'linear', callables of "
            "n, or a dict from names to them; fixed weights are for average."
        )
    names = [name for name, _ in pairs]
    if len({*names, _SINGLE}) <= len(names):
        raise ValueError(
            "Schedules must have names of their own, other than 'single', to be told apart. Got "
            f"{names}. Give a dict from names to schedules."
        )
    return dict(pairs)


def _name(schedule: Any) -> str:
    if isinstance(schedule, functools.partial):
        given = [*map(repr, schedule.args), *(f"{k}={v!r}" for k, v in schedule.keywords.items())]
        return f"{_name(schedule.func)}({', '.join(given)})"
    return schedule if isinstance(schedule, str) else getattr(schedule, "__name__", repr(schedule))

"""Soups: of several models fine-tuned from one start, those that go well together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stackens import schedules
from stackens._core._html import html_of
from stackens.displays import WeightCurvesDisplay
from stackens.schedules import Schedule
from stackens.weight_averaging._checkpoints import Checkpoints, labelled, running_averages
from stackens.weight_averaging._evaluation import Evaluate, Score, counted, score_of, warn_if_worse
from stackens.weight_averaging._running import RunningSums

__all__ = ["Soup", "average_best_n", "greedy_soup"]

_UNKNOWN = Score(np.array([np.nan]))  # where nothing was evaluated


@dataclass(frozen=True, eq=False, repr=False)
class Soup:
    """An average of chosen models.

    Parameters
    ----------
    model : object
        The average: the same kind of thing as the models, ready to predict.
    weights : array of shape (n_models,)
        How much each model counts, in the order given; 0 for those not chosen.
    score : float
        Of the average, on the data that it was chosen on; NaN where nothing was evaluated.
    trials : DataFrame
        See :meth:`frame`.
    greater_is_better : bool

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> models = {name: {"w": np.array([w])} for name, w in {"a": 1.0, "b": 9.0, "c": 4.0}.items()}
    >>> soup = wa.greedy_soup(models, lambda model: -abs(model["w"].item() - 2))
    >>> soup
    <Soup of 2 of 3 models, score -0.5>
    >>> soup.summary()
    'The average of 2 of 3 models scores -0.5, the best model alone -1.'
    >>> soup.frame()[["model", "score", "soup_score", "taken"]]
      model  score  soup_score  taken
    0     a   -1.0        -1.0   True
    1     c   -2.0        -0.5   True
    2     b   -7.0        -2.7  False
    """

    model: Any
    weights: NDArray[np.float64]
    score: float
    trials: pd.DataFrame
    greater_is_better: bool = True

    def __repr__(self) -> str:
        n = np.count_nonzero(self.weights)
        return f"<Soup of {n} of {len(self.weights)} models, score {self.score:.4g}>"

    def frame(self) -> pd.DataFrame:
        """Return what was tried, in order.

        Returns
        -------
        DataFrame
            ``order`` from 1; ``model``, its name; ``score`` of the model alone; ``soup_score``
            with it in the average (NaN where that was not tried); ``taken``, whether it stayed
            there; ``weight``, how much the model counts in the end; and ``se`` and ``soup_se``, one
            standard error over rows of the two scores, or NaN where ``evaluate`` gave no rows.
        """
        return self.trials.copy()

    def summary(self) -> str:
        """Return in words what was averaged, and what that gains over the best model alone."""
        alone = self.trials["score"]
        best = alone.max() if self.greater_is_better else alone.min()
        what = f"The average of {np.count_nonzero(self.weights)} of {len(self.weights)} models"
        if np.isnan(self.score):
            return f"{what} was not scored, the best model alone scores {best:.4g}."
        return f"{what} scores {self.score:.4g}, the best model alone {best:.4g}."

    def _repr_html_(self) -> str:
        return html_of(self.summary(), self.frame())

    def plot(self, ax: Any = None) -> WeightCurvesDisplay:
        """Draw the models alone as points, and the average after each trial as lines.

        With bands of two standard errors, where there are some.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        WeightCurvesDisplay
        """
        trials = self.trials.assign(x=self.trials["order"])
        alone = trials.assign(series="model alone", kind="single")
        tried = trials.assign(
            series="average with it", kind="average", score=trials["soup_score"], se=np.nan
        )
        soup = trials[["soup_score", "soup_se"]].where(trials["taken"]).ffill()
        best = tried.assign(series="soup", score=soup["soup_score"], se=soup["soup_se"])
        return WeightCurvesDisplay(
            pd.concat([alone, tried, best]).dropna(subset=["score"]),
            x_label="models in the order in which they were tried",
            lower_is_better=not self.greater_is_better,
        ).plot(ax)


def greedy_soup(
    models: Sequence[Any] | Mapping[str, Any],
    evaluate: Evaluate,
    *,
    rounds: int = 1,
    network: Any = None,
    key: str | None = None,
    greater_is_better: bool = True,
    verbose: int = 0,
) -> Soup:
    """Add models to an average, from the best down, and keep each with which it is no worse.

    Never worse than the best model on the data that ``evaluate`` uses. The soup is a running sum
    in double precision, so adding many models adds no rounding.

    Parameters
    ----------
    models : sequence, or dict of str to model
        Models of any kind that `average` takes, or paths of files (each is read once to be scored
        and once more in each round).
    evaluate : callable
        ``evaluate(model)`` gives a score, or one for each row, on validation data. It must not
        keep the model, which is overwritten afterwards.
    rounds : int, default=1
        How often to go through the list. From the second round on models can be taken again, so
        that weights get finer; a later round in which none was taken is the last.
    network : model or None, default=None
        The model that state dicts or files belong to: ``evaluate`` gets copies of it, and the
        result is one.
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint; see
        `average_checkpoints`.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.
    verbose : int, default=0
        Above 0 shows how many models are scored, and the remaining time.

    Returns
    -------
    Soup
        With ``model``, ``weights``, ``score``, ``frame()`` and ``plot()``.

    Raises
    ------
    ValueError
        If models differ or hold NaN, or ``rounds`` is below one.

    Warns
    -----
    OtherBasinWarning
        If only the best model is left, because it is in no basin with any other.

    References
    ----------
    Wortsman et al. (2022), "Model soups", arXiv:2203.05482, recipe 1.

    Caruana et al. (2004), "Ensemble selection from libraries of models", ICML 2004,
    DOI 10.1145/1015330.1015432, for taking models again.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> models = {"a": {"w": np.array([0.8])}, "b": {"w": np.array([1.3])}, "c": {"w": np.zeros(1)}}
    >>> def loss(model):
    ...     return np.abs(model["w"] - 1.0)
    >>> soup = wa.greedy_soup(models, loss, greater_is_better=False)
    >>> soup.frame()[["model", "score", "soup_score", "taken", "weight"]]
      model  score  soup_score  taken  weight
    0     a    0.2        0.20   True     0.5
    1     b    0.3        0.05   True     0.5
    2     c    1.0        0.30  False     0.0
    """
    if not isinstance(rounds, Integral) or rounds < 1:
        raise ValueError(
            f"The 'rounds' parameter must be at least 1. Got {rounds!r}. Give 1 to go through the "
            "models once."
        )
    names, listed = labelled(models)
    sign = 1.0 if greater_is_better else -1.0
    most = (rounds + 1) * len(listed) - 1
    with counted(evaluate, most, "greedy soup", verbose) as measure:
        singles = _singles(measure, names, listed, Checkpoints(network, key))
        order = _best_first(singles, sign)
        opened, sums = Checkpoints(network, key), RunningSums()
        sums.add(opened.open(listed[order[0]], names[order[0]])[1], [1.0], names[order[0]])
        counts, soup = np.eye(len(listed))[order[0]], singles[order[0]]
        trials = [(order[0], soup, True)]
        averages: list[tuple[Score, NDArray]] = []
        for turn in range(rounds):
            before = counts.copy()
            for k in order if turn else order[1:]:
                _, arrays = opened.open(listed[k], names[k])
                total = counts.sum() + 1
                mixed = sums.mixed([1 / total], 1 / total, arrays, integers="first")
                tried = score_of(measure, opened.written(mixed))
                averages.append((tried, (counts + np.eye(len(listed))[k]) / total))
                taken = sign * tried.mean >= sign * soup.mean
                trials.append((k, tried, taken))
                if taken:
                    sums.add(arrays, [1.0], names[k])
                    counts[k], soup = counts[k] + 1, tried
            if turn and (counts == before).all():
                break
    if np.count_nonzero(counts) == 1 and averages:
        tried, shares = max(averages, key=lambda pair: sign * pair[0].mean)
        warn_if_worse(
            tried,
            singles,
            shares,
            greater_is_better=greater_is_better,
            what="Even the best average with another model",
        )
    weights = counts / counts.sum()
    model = opened.kept(sums.mixed([1 / counts.sum()], integers="first"))
    frame = _frame(names, singles, trials, weights)
    return Soup(model, weights, soup.mean, frame, greater_is_better)


def average_best_n(
    models: Sequence[Any] | Mapping[str, Any],
    evaluate: Evaluate | ArrayLike,
    n: int | None = None,
    *,
    weights: str | Schedule = "equal",
    network: Any = None,
    key: str | None = None,
    greater_is_better: bool = True,
    verbose: int = 0,
) -> Soup:
    """Average the n best models, or as many of the best as give the best average.

    Parameters
    ----------
    models : sequence, or dict of str to model
        Models of any kind that `average` takes, or paths of files.
    evaluate : callable or array-like of shape (n_models,)
        ``evaluate(model)`` gives a score, or one for each row, on validation data; it must not
        keep the model, which is overwritten afterwards. Or the scores, if they are known already:
        then ``n`` must be given.
    n : int or None, default=None
        How many models; None tries all numbers and keeps the best average.
    weights : str or callable, default="equal"
        A schedule; the best model has the place of the newest.
    network : model or None, default=None
        The model that state dicts or files belong to: ``evaluate`` gets copies of it, and the
        result is one.
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint; see
        `average_checkpoints`.
    greater_is_better : bool, default=True
        Whether that is so for the scores; False for losses.
    verbose : int, default=0
        Above 0 shows how many models are scored, and the remaining time.

    Returns
    -------
    Soup
        With ``model``, ``weights``, ``score``, ``frame()`` and ``plot()``.

    Raises
    ------
    ValueError
        If models differ or hold NaN, there are not so many, or ``n`` is missing beside scores.

    Warns
    -----
    OtherBasinWarning
        If the average is clearly worse than its ingredients.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> models = [{"w": np.array([value])} for value in (0.8, 1.3, 0.0)]
    >>> wa.average_best_n(models, [0.9, 0.8, 0.1], n=2).model
    {'w': array([1.05])}
    """
    names, listed = labelled(models)
    given = isinstance(n, Integral) and 1 <= n <= len(listed)
    if not given and (n is not None or not callable(evaluate)):
        raise ValueError(
            f"The 'n' parameter must be between 1 and the number of models, {len(listed)}, or None "
            f"where 'evaluate' is a callable. Got {n!r}. Say how many of the best to average."
        )
    sign = 1.0 if greater_is_better else -1.0
    n_scored = len(listed) * (2 if n is None else 1) + 1
    with counted(evaluate, n_scored, "best models", verbose) as measure:
        if callable(measure):
            singles = _singles(measure, names, listed, Checkpoints(network, key))
        else:
            singles = _given(measure, len(listed))
        order = _best_first(singles, sign)
        models, names_best_first = [listed[k] for k in order], [names[k] for k in order]
        rows = [schedules.resolve(weights, m, newest="first") for m in range(1, len(order) + 1)]
        trials = [_UNKNOWN] * len(order)
        opened = Checkpoints(network, key)
        size = n or 0
        if n is None and callable(measure):
            running = running_averages(opened, models, names_best_first, rows)
            for i, (_, averages) in enumerate(running):
                trials[i] = score_of(measure, opened.written(averages[i]))
            size = int(np.argmax([sign * trial.mean for trial in trials])) + 1
        running = running_averages(opened, models[:size], names_best_first[:size], [rows[size - 1]])
        model = [opened.kept(averages[0]) for _, averages in running if averages].pop()
        shares = np.zeros(len(listed))
        shares[order[:size]] = rows[size - 1]
        soup = _UNKNOWN
        if callable(measure):
            soup = trials[size - 1] = score_of(measure, model)
    if callable(evaluate):
        warn_if_worse(soup, singles, shares, greater_is_better=greater_is_better)
    tried = [(k, trial, i < size) for i, (k, trial) in enumerate(zip(order, trials, strict=True))]
    return Soup(model, shares, soup.mean, _frame(names, singles, tried, shares), greater_is_better)


def _singles(
    evaluate: Evaluate, names: Sequence[str], models: Sequence[Any], opened: Checkpoints
) -> list[Score]:
    """Return the score of each model alone."""
    return [
        score_of(evaluate, opened.open(model, name)[0])
        for name, model in zip(names, models, strict=True)
    ]


def _given(scores: Any, n: int) -> list[Score]:
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (n,) or not np.isfinite(values).all():
        raise ValueError(
            f"Scores must be one finite number for each of {n} models. Got {scores!r}. Give them "
            "in the order of the models."
        )
    return [Score(np.array([value])) for value in values]


def _best_first(singles: Sequence[Score], sign: float) -> NDArray[np.intp]:
    return np.argsort([-sign * single.mean for single in singles], kind="stable")


def _frame(
    names: Sequence[str],
    singles: Sequence[Score],
    trials: Sequence[tuple[int, Score, bool]],
    weights: NDArray,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "order": np.arange(1, len(trials) + 1),
            "model": [names[k] for k, *_ in trials],
            "score": [singles[k].mean for k, *_ in trials],
            "soup_score": [tried.mean for _, tried, _ in trials],
            "taken": [taken for *_, taken in trials],
            "weight": [weights[k] for k, *_ in trials],
            "se": [singles[k].se for k, *_ in trials],
            "soup_se": [tried.se for _, tried, _ in trials],
        }
    )

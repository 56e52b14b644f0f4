"""Scores of models on data: with their standard errors, and the warning when an average is bad."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from stackens.exceptions import OtherBasinWarning

__all__ = [
    "Evaluate",
    "Score",
    "counted",
    "is_clear",
    "numbers_of",
    "score_of",
    "warn_if_worse",
]

Evaluate: TypeAlias = Callable[[Any], ArrayLike]


@dataclass(frozen=True, eq=False)
class Score:
    """The score of a model: one number, or the mean of one number for each row.

    Parameters
    ----------
    values : array of shape (n_rows,) or (1,)
    """

    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def se(self) -> float:
        """One standard error over the rows; NaN for a single number."""
        n = len(self.values)
        return float(self.values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def score_of(evaluate: Evaluate, model: Any) -> Score:
    """Return what ``evaluate`` says about a model.

    Raises
    ------
    TypeError
        If ``evaluate`` cannot be called.
    ValueError
        If that is not a number or one number for each row, or not finite.
    """
    if not callable(evaluate):
        raise TypeError(
            f"The measure of a model must be a function of it. Got {evaluate!r:.100}. Give one "
            "that returns a score, such as lambda model: model.score(X, y)."
        )
    try:
        found = evaluate(model)
    except Exception as error:
        if isinstance(model, Mapping):
            error.add_note(
                "evaluate(model) got a dict of arrays, which is what the checkpoints hold. Where "
                "it needs a network, pass one as network=...: then it gets copies of that."
            )
        raise
    values = numbers_of(found)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        shown = f"{found!r:.100}" if values.size < 5 else f"an array of shape {values.shape}"
        raise ValueError(
            "evaluate(model) must return a finite number, or one for each row. Got "
            f"{shown}. Return a mean score, or a score for each row."
        )
    return Score(values)


@contextmanager
def counted(evaluate: Any, n_models: int, description: str, verbose: int) -> Iterator[Any]:
    """Give the function as it is or, where verbose is above 0, with a bar of what it has scored."""
    if not verbose or not callable(evaluate):
        yield evaluate
        return
    with tqdm(total=n_models, desc=description, unit="model") as bar:

        def scored(model: Any) -> ArrayLike:
            found = evaluate(model)
            bar.update()
            return found

        yield scored


def numbers_of(found: Any) -> NDArray[np.float64]:
    """Return numbers, or a torch tensor wherever it is, as an array; NaN for what is no number."""
    if hasattr(found, "detach"):
        found = found.detach().cpu().double()
    try:
        return np.atleast_1d(np.asarray(found, dtype=np.float64))
    except (TypeError, ValueError):
        return np.array([np.nan])


def is_clear(drop: Score, level: float, *, greater_is_better: bool) -> bool:
    """Whether models are worse by so much that noise and habit do not explain it.

    A score above zero must fall by 2% (the threshold of Frankle et al.), a loss rise by 10%,
    relative to ``level``; and by two standard errors where there are rows.

    References
    ----------
    Frankle et al. (2020), "Linear mode connectivity and the lottery ticket hypothesis",
    arXiv:1912.05671.
    """
    share = 0.02 if greater_is_better and level > 0 else 0.10
    noise = 0.0 if np.isnan(drop.se) else 2 * drop.se
    return drop.mean > max(share * abs(level), noise)


def warn_if_worse(
    average: Score,
    ingredients: Sequence[Score],
    weights: NDArray[np.float64],
    *,
    greater_is_better: bool,
    what: str = "The average",
    stacklevel: int = 2,
) -> None:
    """Warn if an average is clearly worse than its ingredients are, in the mean by weight.

    Warns
    -----
    OtherBasinWarning
    """
    expected = np.einsum("m,mr->r", weights, [one.values for one in ingredients])
    sign = 1.0 if greater_is_better else -1.0
    drop = Score(sign * (expected - average.values))
    if is_clear(drop, float(expected.mean()), greater_is_better=greater_is_better):
        warnings.warn(
            f"{what} is worse than its ingredients: {average.mean:.4g} against "
            f"{expected.mean():.4g} in the mean. The models lie in different basins of the loss, "
            "and a point between them is no model worth keeping. Start them from one shared "
            "initialisation, align them before averaging (weight_averaging.align), merge them by "
            "distillation (torch networks: weight_averaging.one_shot_merge), or keep them apart "
            "and blend their predictions (BlendedClassifier, BlendedRegressor).",
            OtherBasinWarning,
            stacklevel=stacklevel + 1,
        )

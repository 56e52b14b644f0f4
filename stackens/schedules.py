"""Schedules: how much each checkpoint of a training run, or each model, counts in an average.

A schedule turns a number of checkpoints into weights: an array of 64-bit floats that sum to one.
Checkpoints stand in training order, the newest last; ``newest="first"`` turns the weights round
for checkpoints that are listed the other way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SCHEDULES", "Weights", "by_score", "ema", "equal", "exponential", "linear", "resolve"]

Schedule: TypeAlias = Callable[[int], ArrayLike]
Weights: TypeAlias = ArrayLike | str | Schedule
Newest: TypeAlias = Literal["last", "first"]

_SUM_TOLERANCE = 1e-6


def equal(n: int, *, newest: Newest = "last") -> NDArray[np.float64]:
    """Return the same weight for every checkpoint.

    Parameters
    ----------
    n : int
        Number of checkpoints.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands; makes no difference here.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If ``n`` is below one or ``newest`` is not known.
    TypeError
        If ``n`` is not an integer.

    Examples
    --------
    >>> from stackens import schedules
    >>> schedules.equal(4)
    array([0.25, 0.25, 0.25, 0.25])
    """
    return _in_order(np.ones(_count(n)), newest)


def linear(n: int, *, newest: Newest = "last") -> NDArray[np.float64]:
    """Return weights that grow by the same step from the oldest checkpoint to the newest.

    The oldest counts 1, the newest n, before they are divided by their sum.

    Parameters
    ----------
    n : int
        Number of checkpoints.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If ``n`` is below one or ``newest`` is not known.
    TypeError
        If ``n`` is not an integer.

    Examples
    --------
    >>> from stackens import schedules
    >>> schedules.linear(4)
    array([0.1, 0.2, 0.3, 0.4])
    >>> schedules.linear(4, newest="first")
    array([0.4, 0.3, 0.2, 0.1])
    """
    return _in_order(np.arange(1.0, _count(n) + 1), newest)


def exponential(n: int, decay: float = 2.0, *, newest: Newest = "last") -> NDArray[np.float64]:
    """Return weights that fall exponentially with the age of the checkpoint.

    The i-th newest counts ``exp(-i / decay)``, before they are divided by their sum.

    Parameters
    ----------
    n : int
        Number of checkpoints.
    decay : float, default=2.0
        Age, in checkpoints, over which a weight falls by a factor of e. Above zero; the larger,
        the more equal the weights.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If ``n`` is below one, ``decay`` is not above zero and finite, or ``newest`` is not known.
    TypeError
        If ``n`` is not an integer.

    Examples
    --------
    >>> from stackens import schedules
    >>> schedules.exponential(3).round(3)
    array([0.186, 0.307, 0.506])
    """
    if not (isinstance(decay, Real) and np.isfinite(decay) and decay > 0):
        raise ValueError(
            f"The 'decay' parameter of exponential must be finite and above zero. Got {decay!r}. "
            "Use equal(n) where age should not matter."
        )
    # Ages from zero rather than one: the same after the division, and the newest never underflows.
    return _in_order(np.exp(-np.arange(_count(n) - 1.0, -1.0, -1.0) / decay), newest)


def ema(n: int, decay: float, *, newest: Newest = "last") -> NDArray[np.float64]:
    """Return the weights that an exponential moving average, begun at the oldest, ends with.

    The average is the oldest checkpoint at first and becomes ``decay * average + (1 - decay) *
    checkpoint`` with each one that follows. So the i-th newest counts
    ``(1 - decay) * decay ** (i - 1)`` and the oldest has all that is left,
    ``decay ** (n - 1)``, which is the most of all when ``decay`` is near one and ``n`` small:
    take ``exponential(n, -1 / log(decay))`` for the same fall without that remainder.

    Parameters
    ----------
    n : int
        Number of checkpoints.
    decay : float
        Share that the average keeps at each step, from 0 (only the newest counts) to below 1.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If ``n`` is below one, ``decay`` is not in [0, 1), or ``newest`` is not known.
    TypeError
        If ``n`` is not an integer.

    Examples
    --------
    >>> from stackens import schedules
    >>> schedules.ema(3, decay=0.5)
    array([0.25, 0.25, 0.5 ])
    """
    if not (isinstance(decay, Real) and 0 <= decay < 1):
        raise ValueError(
            f"The 'decay' parameter of ema must be at least 0 and below 1. Got {decay!r}. Give the "
            "share that the average keeps at each step, such as 0.9."
        )
    weights = (1 - decay) * decay ** np.arange(_count(n) - 1.0, -1.0, -1.0)
    weights[0] = decay ** (n - 1.0)
    return _in_order(weights, newest)


def by_score(
    scores: ArrayLike,
    function: Literal["proportional", "softmax"] | Callable[[NDArray[np.float64]], ArrayLike] = (
        "proportional"
    ),
    *,
    temperature: float = 1.0,
) -> NDArray[np.float64]:
    """Return weights made from a score of each model, where greater is better.

    Parameters
    ----------
    scores : array-like of shape (n_models,)
        One score for each model, in the order of the models.
    function : {"proportional", "softmax"} or callable, default="proportional"
        ``"proportional"``: the scores themselves, such as accuracies, divided by their sum.
        ``"softmax"``: ``exp(score / temperature)``, divided by the sum; takes scores below zero,
        such as negative losses. A callable gets the scores and returns weights of at least zero,
        which are divided by their sum.
    temperature : float, default=1.0
        For ``"softmax"``: by how much scores must differ for weights to differ by a factor of e.

    Returns
    -------
    ndarray of shape (n_models,)

    Raises
    ------
    ValueError
        If scores are not finite, weights would be negative or all zero, the callable returns
        another number of them, or a parameter is out of range.

    Examples
    --------
    >>> from stackens import schedules
    >>> schedules.by_score([0.8, 0.9, 0.7]).round(3)
    array([0.333, 0.375, 0.292])
    >>> schedules.by_score([0.8, 0.9, 0.7], "softmax", temperature=0.05).round(3)
    array([0.117, 0.867, 0.016])
    >>> schedules.by_score([0.8, 0.9, 0.7], lambda scores: scores == scores.max())
    array([0., 1., 0.])
    """
    values = _numbers(scores, "scores")
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"The 'scores' parameter of by_score must hold one score for each model. Got shape "
            f"{values.shape}. Give a list with a number for each model."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"The 'scores' parameter of by_score must be finite. Got {values.tolist()}. Leave out "
            "the models whose score is missing."
        )
    if function == "softmax":
        if not (isinstance(temperature, Real) and np.isfinite(temperature) and temperature > 0):
            raise ValueError(
                "The 'temperature' parameter of by_score must be finite and above zero. Got "
                f"{temperature!r}. The smaller it is, the more the best model counts."
            )
        return _normalised(np.exp((values - values.max()) / temperature))
    if function == "proportional":
        if (values < 0).any():
            raise ValueError(
                "The 'scores' parameter of by_score must not be negative where scores are the "
                f"weights. Got {values.tolist()}. Use function='softmax' for such scores."
            )
        weights = values
    elif callable(function):
        weights = _numbers(function(values.copy()), "function")
    else:
        raise ValueError(
            "The 'function' parameter of by_score must be 'proportional', 'softmax' or a "
            f"callable. Got {function!r}. Correct the name."
        )
    if weights.shape != values.shape or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(
            "The 'function' parameter of by_score must return a finite weight of at least zero "
            f"for each of {len(values)} scores. Got {weights.tolist()}. Correct the function."
        )
    if not weights.any():
        raise ValueError(
            "The 'scores' parameter of by_score must give some model a weight. Got weights that "
            "are all zero. Use equal(n), or give at least one score above zero."
        )
    return _normalised(weights)


SCHEDULES: dict[str, Schedule] = {"equal": equal, "exponential": exponential, "linear": linear}


def resolve(weights: Weights, n: int, *, newest: Newest = "last") -> NDArray[np.float64]:
    """Return the weights of n models that an array, a schedule's name or a schedule stands for.

    Weights of at least zero are divided by their sum. Weights below zero are taken only where
    all of them sum to one already (up to 1e-6): an extrapolation that somebody meant.

    Parameters
    ----------
    weights : array-like of shape (n,), str or callable
        Weights in the order of the models, whatever ``newest`` is; a key of ``SCHEDULES``; or a
        schedule, that is a callable of the number of models which returns weights from the
        oldest to the newest, such as ``functools.partial(exponential, decay=3.0)``.
    n : int
        Number of models.
    newest : {"last", "first"}, default="last"
        Where the newest model stands, for a name or a schedule.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If a name or ``newest`` is not known; or weights are not n finite numbers, are all zero, or
        are partly negative with a sum other than one.
    TypeError
        If ``n`` is not an integer or the weights are not numbers.

    Examples
    --------
    >>> from functools import partial
    >>> from stackens import schedules
    >>> schedules.resolve([2, 1, 1], 3)
    array([0.5 , 0.25, 0.25])
    >>> schedules.resolve("linear", 2, newest="first")
    array([0.667, 0.333])
    >>> schedules.resolve(partial(schedules.ema, decay=0.5), 3)
    array([0.25, 0.25, 0.5 ])
    """
    n = _count(n)
    check_newest(newest)
    if isinstance(weights, str):
        if weights not in SCHEDULES:
            raise ValueError(
                f"The 'weights' parameter must be one of {sorted(SCHEDULES)}, an array or a "
                f"schedule. Got {weights!r}. Give a schedule with parameters of its own as "
                "functools.partial(schedules.ema, decay=0.9)."
            )
        weights = SCHEDULES[weights]
    if callable(weights):
        return _in_order(_checked(_numbers(weights(n), "weights"), n), newest)
    return _checked(_numbers(weights, "weights"), n)


def check_newest(newest: Newest) -> None:
    """Raise unless this says where the newest checkpoint stands."""
    if newest not in ("last", "first"):
        raise ValueError(
            f"The 'newest' parameter must be 'last' or 'first'. Got {newest!r}. Say where the "
            "newest checkpoint stands."
        )


def _checked(weights: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the weights with a sum of one, or raise."""
    if weights.shape != (n,):
        raise ValueError(
            f"The 'weights' parameter must have shape ({n},), one for each model. Got shape "
            f"{weights.shape}. Give the weights in the order of the models."
        )
    if not np.isfinite(weights).all():
        raise ValueError(
            f"The 'weights' parameter must be finite. Got {weights.tolist()}. Give a model that "
            "should not count a 0."
        )
    if (weights < 0).any() and abs(weights.sum() - 1) > _SUM_TOLERANCE:
        raise ValueError(
            "The 'weights' parameter may be below zero only where all weights sum to one. Got "
            f"{weights.tolist()}. Divide them by their sum, if that is what you mean."
        )
    if not weights.any():
        raise ValueError(
            f"The 'weights' parameter must not be all zero. Got {weights.tolist()}. Give at least "
            "one model a weight."
        )
    return _normalised(weights)


def _normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide by the sum, unless it is one already up to rounding: twice gives the same bits."""
    largest = float(np.abs(weights).max())
    scaled = weights / largest  # so that the sum neither over- nor underflows
    total = float(scaled.sum())
    if abs(total * largest - 1) <= len(weights) * np.finfo(np.float64).eps:
        return weights.copy()
    return scaled / total


def _in_order(weights: NDArray[np.float64], newest: Newest) -> NDArray[np.float64]:
    """Divide weights by their sum and turn them round, if need be."""
    check_newest(newest)
    weights = _normalised(weights)
    return weights if newest == "last" else weights[::-1].copy()


def _count(n: int) -> int:
    """Return n as an int, or raise."""
    try:
        count = operator.index(n)
    except TypeError as error:
        raise TypeError(
            f"The number of checkpoints must be an integer. Got {n!r}. Give len(checkpoints)."
        ) from error
    if count < 1:
        raise ValueError(
            f"The number of checkpoints must be at least 1. Got {n!r}. Give len(checkpoints)."
        )
    return count


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Return the values as an array of floats, or raise."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"The '{name}' parameter must be numbers, one for each model. Got {values!r}. Give a "
            "list or an array of floats."
        ) from error

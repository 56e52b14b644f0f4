"""Outer splits: the rows set aside before anything is fitted, and the folds that remain inside."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.model_selection import PredefinedSplit, TimeSeriesSplit
from sklearn.utils import check_random_state

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens.out_of_fold import Split, make_folds, split_pairs, warn_shared_groups

__all__ = ["inner_cv", "is_time_ordered", "listed_cv", "outer_splits"]

# From this many rows a hold-out's own error is small enough; below, every row is worth scoring.
_HOLD_OUT_ROWS = 5_000
_FRACTION = 0.2
_FOLDS = 5
_FEWEST_HELD_OUT = 2  # one row has no spread to judge a difference by


def listed_cv(cv: Any, X: Any, y: Any, groups: Any) -> Any:
    """Return ``cv`` with splits that belong to these very rows as a list of index pairs.

    An iterator would be used up by its first reader, and a :class:`PredefinedSplit` cannot be
    asked about a part of the rows; both become lists. Everything else comes back as it is.
    """
    if isinstance(cv, PredefinedSplit):
        return list(cv.split())
    if isinstance(cv, str | Integral) or hasattr(cv, "split") or not hasattr(cv, "__iter__"):
        return cv
    return list(cv)


def is_time_ordered(cv: Any, X: Any, y: Any, groups: Any) -> bool:
    """Whether every split of ``cv`` tests only rows that come after all its training rows."""
    if isinstance(cv, TimeSeriesSplit):
        return True
    if isinstance(cv, list):
        splits = cv
    elif hasattr(cv, "split") and not isinstance(cv, str):
        splits = split_pairs(deepcopy(cv), X, y, groups=groups)
    else:
        return False
    rows = np.arange(n_rows(X))
    pairs = [(rows[np.asarray(train)], rows[np.asarray(test)]) for train, test in splits]
    return bool(pairs) and all(
        len(train) > 0 and len(test) > 0 and train.max() < test.min() for train, test in pairs
    )


def outer_splits(
    outer: Any,
    X: Any,
    y: Any,
    task: Task,
    *,
    cv: Any = 5,
    groups: np.ndarray | None = None,
    random_state: int | None = None,
) -> list[Split]:
    """Split the rows before anything is fitted.

    Parameters
    ----------
    outer : "auto", int, float, splitter or iterable of (train, test)
        ``"auto"`` is one hold-out of a fifth from 5,000 rows on, and 5 folds below; the last
        fifth when ``cv`` keeps time order. An int is a number of folds, a float the fraction
        of one hold-out.
    X, y : the data
    task : Task
    cv : what the folds inside will be made of
    groups : ndarray of shape (n_samples,) or None
        Rows of one group never stand on both sides of a split, unless a splitter, given splits
        or time order put them there: then with a warning.
    random_state : int or None
        Seed of the shuffle; None means 0.

    Returns
    -------
    list of (train, test) pairs of index arrays
    """
    ordered = is_time_ordered(cv, X, y, groups)
    n_groups = None if groups is None else len(np.unique(groups))
    if n_groups == 1 and not ordered and isinstance(outer, str | Real):
        raise ValueError(
            "Whole groups are set aside, so there must be at least two. Got one group for all "
            "rows. Leave 'groups' out, or give an 'outer' split of your own."
        )
    if isinstance(outer, str) and outer == "auto":
        outer = _FRACTION if ordered or n_rows(X) >= _HOLD_OUT_ROWS else _FOLDS
        if n_groups is not None and not ordered and n_groups <= _FOLDS:
            outer = n_groups
    if isinstance(outer, bool | str) or outer is None:
        raise _unusable(outer)
    if isinstance(outer, Real) and not isinstance(outer, Integral):
        fraction = float(outer)
        if not 0.0 < fraction < 1.0:
            raise _unusable(outer)
        if ordered:
            splits = [_last_rows(n_rows(X), fraction, getattr(cv, "gap", 0))]
            if groups is not None:
                warn_shared_groups(splits, groups)
            return splits
        if groups is not None:
            return [_group_hold_out(fraction, X, y, task, groups, random_state)]
        return [_hold_out(fraction, task.encode(y), task, random_state)]
    if isinstance(outer, Integral):
        n_folds = int(outer)
        if n_folds < 2:
            raise _unusable(outer)
        outer = TimeSeriesSplit(n_folds, gap=getattr(cv, "gap", 0)) if ordered else n_folds
    elif not (hasattr(outer, "split") or hasattr(outer, "__iter__")):
        raise _unusable(outer)
    folds = make_folds(
        outer, X, y, task, groups=groups, random_state=random_state, parameter="outer"
    )
    return list(folds.splits)


def inner_cv(cv: Any, train: np.ndarray, n_samples: int, groups: np.ndarray | None) -> Any:
    """Return ``cv`` for the training part of an outer split.

    Splits given as index pairs are cut down to the rows of that part and renumbered.
    """
    if isinstance(cv, Integral) and groups is not None:
        n_groups = len(np.unique(groups[train]))
        if n_groups < int(cv):
            raise ValueError(
                "Each training part of an outer split must hold at least 'cv' groups. Got "
                f"{n_groups} groups in one and cv={cv!r}. Lower cv, or give more groups."
            )
    if not isinstance(cv, list):
        return cv
    position = np.full(n_samples, -1)
    position[train] = np.arange(len(train))
    rows = np.arange(n_samples)
    inside = []
    for parts in cv:
        learn, judge = (position[rows[np.asarray(part)]] for part in parts)
        learn, judge = learn[learn >= 0], judge[judge >= 0]
        if len(learn) and len(judge):
            inside.append((learn, judge))
    if not inside:
        raise ValueError(
            "The splits of 'cv' must leave rows to train on and to test outside the rows set "
            "aside. Got none that does. Set outer to a split that keeps them apart, or use an "
            "integer cv."
        )
    return inside


def _unusable(outer: Any) -> ValueError:
    return ValueError(
        "The 'outer' parameter must be 'auto', a number of folds of at least 2, a "
        f"fraction between 0 and 1, a splitter or an iterable of splits. Got {outer!r} instead. "
        "Leave it at 'auto' for one hold-out on large data and 5 folds on small."
    )


def _hold_out(fraction: float, target: np.ndarray, task: Task, random_state: int | None) -> Split:
    """Take every so-manieth row in the order of the target, so that both parts look alike.

    Equal targets come in random order. A class always keeps a row to train on.
    """
    random = check_random_state(0 if random_state is None else random_state)
    n_samples = len(target)
    order = random.permutation(n_samples)
    if task.has_classes or task.n_outputs == 1:
        order = order[np.argsort(target.reshape(n_samples, -1)[order, 0], kind="stable")]
    steps = np.floor(np.arange(n_samples + 1) * fraction + random.random_sample())
    held_out = np.zeros(n_samples, dtype=bool)
    held_out[order[np.diff(steps) > 0]] = True
    kept = ""
    if task.has_classes:
        for code in range(task.n_outputs):
            rows = np.flatnonzero(target == code)
            if held_out[rows].all():
                held_out[rows[:1]] = False
                kept = ", as every class keeps a row to train on"
    if held_out.sum() < _FEWEST_HELD_OUT or held_out.all():
        raise ValueError(
            f"A hold-out must set at least {_FEWEST_HELD_OUT} rows aside and leave some to train "
            f"on. Got {int(held_out.sum())} of {n_samples} rows for the fraction {fraction}{kept}. "
            "Give more rows, or another fraction."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _group_hold_out(
    fraction: float, X: Any, y: Any, task: Task, groups: np.ndarray, random_state: int | None
) -> Split:
    """Set whole groups aside; the fraction is rounded to one part of a whole number of folds.

    At least one group is set aside, and one kept.
    """
    n_folds = min(max(2, round(1.0 / min(fraction, 1.0 - fraction))), len(np.unique(groups)))
    folds = make_folds(n_folds, X, y, task, groups=groups, random_state=random_state)
    train, test = folds.splits[0]
    return (train, test) if fraction <= 0.5 else (test, train)


def _last_rows(n_samples: int, fraction: float, gap: int) -> Split:
    first = n_samples - max(1, round(n_samples * fraction))
    if first - gap < 2:
        raise ValueError(
            "Rows in time order must leave some to train on before those set aside. Got "
            f"{n_samples} rows, {n_samples - first} of them set aside, and a gap of {gap}. "
            "Give more rows, or a smaller fraction."
        )
    return np.arange(first - gap), np.arange(first, n_samples)

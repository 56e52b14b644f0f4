"""Folds: made once, shuffled, stratified and seeded, or taken from any splitter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import check_random_state

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens._core._warning import warn
from stackens.exceptions import LeakageWarning, RareClassWarning

__all__ = ["Folds", "Split", "make_folds", "split_pairs", "warn_shared_groups"]

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Folds:
    """Train and test rows of every fold.

    Parameters
    ----------
    splits : tuple of (train, test) pairs of index arrays
    covered : ndarray of bool of shape (n_samples,)
        Rows that are held out at least once.
    shuffled : bool
        Whether these are our own shuffled folds, without groups or a splitter. Only then may
        out-of-bag rows stand in for held-out rows.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens._core._task import infer_task
    >>> from stackens.out_of_fold import make_folds
    >>> X, labels = np.zeros((12, 1)), ["a", "b"] * 6
    >>> task, y = infer_task(labels)
    >>> folds = make_folds(3, X, y, task)
    >>> [(len(train), len(test)) for train, test in folds.splits]
    [(8, 4), (8, 4), (8, 4)]
    >>> folds.complete
    True
    """

    splits: tuple[Split, ...]
    covered: np.ndarray
    shuffled: bool

    @property
    def complete(self) -> bool:
        """Whether every row is held out at least once."""
        return bool(self.covered.all())


def make_folds(
    cv: Any,
    X: Any,
    y: Any,
    task: Task,
    *,
    groups: Any = None,
    random_state: Any = None,
    split_params: dict[str, Any] | None = None,
    parameter: str = "cv",
) -> Folds:
    """Make or collect the folds.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None
        An integer makes shuffled folds: stratified by class, by the order of the target for
        regression, and by group when ``groups`` are given. None means 5.
    X, y : the data
    task : Task
    groups : array-like of shape (n_samples,) or None
        Rows of one group never stand on both sides of a split that an integer makes. Other
        splits are taken as they are, with a warning if they share a group.
    random_state : int, RandomState or None
        Seed of the shuffle. None means 0: the same folds every time.
    split_params : dict or None
        What metadata routing has for ``cv.split``.
    parameter : str, default="cv"
        What errors call ``cv``.

    Returns
    -------
    Folds
    """
    n_samples = n_rows(X)
    if cv is None:
        cv = 5
    if isinstance(cv, bool) or (isinstance(cv, Integral) and cv < 2):
        raise ValueError(
            f"The {parameter!r} parameter must be at least 2 folds, a splitter or an iterable of "
            f"splits. Got {cv!r} instead."
        )
    if isinstance(cv, Integral) and groups is None:
        seed = check_random_state(0 if random_state is None else random_state)
        fold_of = _shuffled_folds(task.encode(y), task, int(cv), seed, parameter)
        # Row numbers of all folds are kept: half the bytes where they fit.
        rows = np.arange(n_samples, dtype=np.int32 if n_samples < 2**31 else np.int64)
        splits = tuple((rows[fold_of != k], rows[fold_of == k]) for k in range(int(cv)))
        return Folds(splits, np.ones(n_samples, dtype=bool), shuffled=True)
    by_group = isinstance(cv, Integral)
    if by_group:
        n_groups = len(np.unique(groups))
        if n_groups < int(cv):
            raise ValueError(
                f"There must be at least as many groups as folds. Got {n_groups} groups and "
                f"{parameter}={cv!r}. Give more groups or fewer folds."
            )
        if task.has_classes:
            _check_class_counts(task.encode(y), task, int(cv), parameter)
        cv = _group_splitter(int(cv), task, random_state)
    with warnings.catch_warnings():
        if by_group:  # of rare classes it was warned above
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = _collect_splits(
            cv, X, y, task, groups, random_state, split_params or {}, parameter
        )
    covered = np.zeros(n_samples, dtype=bool)
    for _, test in splits:
        covered[test] = True
    if task.has_classes:
        _warn_missing_class(task.encode(y), task, splits)
    return Folds(splits, covered, shuffled=False)


def _shuffled_folds(
    target: np.ndarray, task: Task, n_folds: int, random: np.random.RandomState, parameter: str
) -> np.ndarray:
    """Return the fold of each row, balanced over classes or over the order of the target.

    Rows are ordered by target, with ties in random order. Classes deal their rows to the folds
    in turn, so that a class's counts differ by at most one between folds; a numeric target is
    cut into runs of ``n_folds`` neighbours and each run is dealt in random order.
    """
    n_samples = len(target)
    if n_samples < n_folds:
        raise ValueError(
            f"There must be at least as many rows as folds. Got {n_samples} rows (n_samples="
            f"{n_samples}) and {parameter}={n_folds}. Give more rows or fewer folds."
        )
    shuffled = random.permutation(n_samples)
    fold_of = np.empty(n_samples, dtype=np.int64)
    if task.has_classes:
        _check_class_counts(target, task, n_folds, parameter)
        order = shuffled[np.argsort(target[shuffled], kind="stable")]
        names = random.permutation(n_folds)
        fold_of[order] = names[np.arange(n_samples) % n_folds]
    elif task.kind == "regression" and task.n_outputs == 1:
        order = shuffled[np.argsort(target[shuffled, 0], kind="stable")]
        n_runs = -(-n_samples // n_folds)
        dealt = np.argsort(random.random_sample((n_runs, n_folds)), axis=1)
        fold_of[order] = dealt.ravel()[:n_samples]
    else:
        fold_of[shuffled] = np.arange(n_samples) % n_folds
    return fold_of


def _check_class_counts(codes: np.ndarray, task: Task, n_folds: int, parameter: str) -> None:
    counts = np.bincount(codes, minlength=task.n_outputs)
    if (counts < n_folds).all():
        most = counts.max()
        alone = (
            f"Got {task.n_outputs} classes of one row each, such as {task.decode(codes[:1])[0]!s}. "
            "Check the target: ids and dates are no classes, and numbers need a regressor."
        )
        raise ValueError(
            f"Every class has fewer rows than there are folds: n_splits={n_folds} cannot be "
            f"greater than the number of members in each class ({most} at most). "
            + (f"Give more rows, or set {parameter} to {most}." if most > 1 else alone)
        )
    rare = np.flatnonzero(counts < n_folds)
    if len(rare):
        listed = ", ".join(f"{task.classes[i]!s} ({counts[i]})" for i in rare[:5])  # type: ignore[index]
        warn(
            f"{len(rare)} of {task.n_outputs} classes have fewer rows than the {n_folds} folds: "
            f"{listed}{', ...' if len(rare) > 5 else ''}. Some folds cannot hold them out; "
            "fewer folds or more rows of these classes would help.",
            RareClassWarning,
        )


def _group_splitter(n_folds: int, task: Task, random_state: Any) -> Any:
    seed = 0 if random_state is None else random_state
    if task.has_classes:
        return StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return GroupKFold(n_folds, shuffle=True, random_state=seed)


def _collect_splits(
    cv: Any,
    X: Any,
    y: Any,
    task: Task,
    groups: Any,
    random_state: Any,
    split_params: dict[str, Any],
    parameter: str,
) -> tuple[Split, ...]:
    if isinstance(cv, str) or not (hasattr(cv, "split") or hasattr(cv, "__iter__")):
        raise ValueError(
            f"The {parameter!r} parameter must be an int, a splitter or an iterable of splits. "
            f"Got {cv!r} instead."
        )
    if hasattr(cv, "split"):
        # A copy, so that drawing folds never changes the user's splitter or its RandomState.
        cv = deepcopy(cv)
        if random_state is not None and getattr(cv, "random_state", 0) is None:
            cv.random_state = check_random_state(random_state).randint(2**31 - 1)
    splitter = check_cv(cv, y, classifier=task.has_classes)
    if groups is not None:
        split_params = {"groups": groups, **split_params}
    n_samples = n_rows(X)
    try:
        pairs = split_pairs(splitter, X, y, **split_params)
    except (TypeError, ValueError) as error:
        if groups is None and "groups" in str(error):
            raise ValueError(
                f"The splitter {cv!r:.100} needs the group of each row. Got groups=None. Pass "
                "groups=, an array with one entry for each row."
            ) from error
        raise
    splits = tuple((_indices(train, n_samples), _indices(test, n_samples)) for train, test in pairs)
    if not splits:
        raise ValueError(
            f"The {parameter!r} parameter gave no splits. Got {cv!r:.100}. "
            "An iterator can be used only once: pass a list."
        )
    _check_disjoint(splits, n_samples)
    if groups is not None:
        warn_shared_groups(splits, groups)
    return splits


def split_pairs(splitter: Any, X: Any, y: Any, **split_params: Any) -> list[Split]:
    """Return what a splitter gives.

    Many ignore ``groups`` and say so, whether that does harm or not; where it does,
    :func:`warn_shared_groups` says more.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        return list(splitter.split(X, y, **split_params))


def warn_shared_groups(splits: Sequence[Split], groups: Any) -> None:
    """Warn if a split trains on rows of a group that it tests.

    Parameters
    ----------
    splits : sequence of (train, test) pairs of index arrays
    groups : array-like of shape (n_samples,)
    """
    codes, names = pd.factorize(np.asarray(groups))
    shared = np.zeros(len(names), dtype=bool)
    for train, test in splits:
        in_train, in_test = np.zeros((2, len(names)), dtype=bool)
        in_train[codes[train]] = in_test[codes[test]] = True
        shared |= in_train & in_test
    if shared.any():
        warn(
            "Rows of one group must stand on one side of a split, or a model is judged on what it "
            f"knows. Got {int(shared.sum())} of {len(names)} groups on both sides, such as "
            f"{names[shared.argmax()]!s}. Use a number of folds, or a splitter that keeps groups "
            "together, such as GroupKFold.",
            LeakageWarning,
        )


def _indices(part: Any, n_samples: int) -> np.ndarray:
    index = np.asarray(part)
    if index.dtype == bool:
        if len(index) != n_samples:
            raise ValueError(
                f"A mask among the splits must have one entry for each row. Got {len(index)} "
                f"entries for {n_samples} rows. Make the splits from these data."
            )
        return np.flatnonzero(index)
    if index.size == 0 or index.dtype.kind not in "iu":
        raise ValueError(
            "Each split must be a pair of non-empty integer arrays or masks. "
            f"Got {index!r:.100}. Check the splitter, or use fewer folds."
        )
    if index.min() < -n_samples or index.max() >= n_samples:
        raise ValueError(
            f"The splits must hold row numbers below {n_samples}. Got {index.max()}. "
            "Make the splits from these data."
        )
    return np.where(index < 0, index + n_samples, index) if index.min() < 0 else index


def _check_disjoint(splits: tuple[Split, ...], n_samples: int) -> None:
    for fold, (train, test) in enumerate(splits):
        held_out = np.zeros(n_samples, dtype=bool)
        held_out[test] = True
        n_shared = int(held_out[train].sum())
        if n_shared:
            raise ValueError(
                f"The rows of a split's two parts must differ, or predictions are not out-of-fold. "
                f"Got {n_shared} shared rows in split {fold}. Remove them from the training part."
            )


def _warn_missing_class(codes: np.ndarray, task: Task, splits: tuple[Split, ...]) -> None:
    for fold, (train, _) in enumerate(splits):
        counts = np.bincount(codes[train], minlength=task.n_outputs)
        if (counts == 0).any():
            missing = task.decode(np.flatnonzero(counts == 0)).tolist()
            warn(
                f"The training part of fold {fold + 1} of {len(splits)} has no row of class "
                f"{missing}: its models cannot predict it. Stratified folds would help.",
                RareClassWarning,
            )
            return

"""Tables of predictions for the tests, made without fitting a model."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stackens._core._task import Task
from stackens.out_of_fold import OutOfFoldTable


def _splits(n: int, n_folds: int = 4) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    fold = np.arange(n) % n_folds
    return tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds))


def _table(
    kind: str,
    n: int = 60,
    n_models: int = 4,
    seed: int = 0,
    *,
    weighted: bool = False,
    splits: bool = True,
    noise: float = 1.0,
) -> OutOfFoldTable:
    rng = np.random.default_rng(seed)
    skill = rng.uniform(0.3, 1.5, n_models)
    if kind in ("binary", "multiclass"):
        n_classes = 2 if kind == "binary" else 4
        codes = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)]
        codes = codes[rng.permutation(n)]
        scores = np.eye(n_classes)[codes][:, None, :] * skill[:, None]
        scores = scores + noise * rng.normal(size=(n, n_models, n_classes))
        values = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
        classes = np.array(["ant", "bee", "cat", "dog"])[:n_classes]
        task, y = Task(kind, n_classes, classes), classes[codes]
    elif kind == "multilabel":
        y = rng.integers(0, 2, (n, 3))
        scores = (2 * y - 1)[:, None, :] * skill[:, None]
        values = 1 / (1 + np.exp(-scores - noise * rng.normal(size=(n, n_models, 3))))
        task = Task("multilabel", 3, y_ndim=2)
    else:
        n_outputs = 1 if kind == "regression" else 2
        y = rng.normal(size=(n, n_outputs)) * np.array([1.0, 50.0])[:n_outputs]
        values = y[:, None, :] * (1 + noise * 0.4 * rng.normal(size=(n, n_models, 1)))
        values = values + noise * y.std(axis=0) * rng.normal(size=(n, n_models, n_outputs)) / 2
        task = Task("regression", n_outputs, y_ndim=1 if n_outputs == 1 else 2)
        y = y[:, 0] if n_outputs == 1 else y
    response = ("predict_proba" if task.is_classification else "predict",) * n_models
    return OutOfFoldTable(
        values,
        tuple(f"m{i}" for i in range(n_models)),
        task,
        response,
        y=y,
        sample_weight=rng.integers(1, 4, n).astype(float) if weighted else None,
        splits=_splits(n) if splits else (),
        covered=np.ones(n, dtype=bool),
    )


def _permute_rows(table: OutOfFoldTable, order: np.ndarray) -> OutOfFoldTable:
    """The same table with its rows, and what refers to them, in another order."""
    place = np.argsort(order)
    splits = tuple((place[train], place[test]) for train, test in table.splits)
    return replace(table.rows(order), splits=splits)


def _repeat_rows(table: OutOfFoldTable) -> OutOfFoldTable:
    """Each row as often as its weight says, without weights; copies share a fold."""
    counts = table.sample_weight.astype(int)
    index = np.repeat(np.arange(table.n_samples), counts)
    splits = tuple(
        (np.flatnonzero(np.isin(index, train)), np.flatnonzero(np.isin(index, test)))
        for train, test in table.splits
    )
    return replace(table.rows(index), sample_weight=None, splits=splits)


@pytest.fixture
def make_table():
    """Function that makes a table of a kind, with a number of rows and models and a seed."""
    return _table


@pytest.fixture
def permute_rows():
    return _permute_rows


@pytest.fixture
def repeat_rows():
    return _repeat_rows


@pytest.fixture
def most_memory():
    """Function that says how many bytes a call holds at most, beyond what was there before."""

    def measured(call: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measured

"""Out-of-fold tables to fit combiners on, and the same models as nodes of an export."""

from __future__ import annotations

import numpy as np

from stackens._core._task import Task
from stackens.export.readers.ensembles import Predictions
from stackens.out_of_fold import OutOfFoldTable
from tests.export.readers.ensembles.answers import evaluated, graph_of

TASKS = {
    "binary": Task("binary", 2, np.array(["no", "yes"])),
    "multiclass": Task("multiclass", 3, np.array(["blue", "green", "red"])),
    "many classes": Task("multiclass", 18, np.arange(18)),
    "regression": Task("regression", 1),
    "several values": Task("regression", 2, y_ndim=2),
}


def table_of(kind, responses, *, n=300, seed=0):
    """Make a table of useful models, each with one of the responses."""
    rng, task = np.random.default_rng(seed), TASKS[kind]
    k = task.n_outputs
    if task.is_classification:
        codes = rng.integers(0, k, n)
        y, truth = task.decode(codes), np.eye(k)[codes]
    else:
        truth = rng.normal(size=(n, k))
        y = truth if task.y_ndim == 2 else truth[:, 0]
    values = [_answers(rng, truth, response, task) for response in responses]
    names = tuple(f"m{i}" for i in range(len(responses)))
    return OutOfFoldTable(np.stack(values, axis=1), names, task, tuple(responses), y=y)


def _answers(rng, truth, response, task):
    n, k = truth.shape
    noisy = 2.0 * truth + rng.normal(size=(n, k))
    if not task.is_classification:
        return noisy
    if response == "predict_proba":
        found = np.exp(3 * noisy)
        found /= found.sum(axis=1, keepdims=True)
        found[: n // 10] = np.round(found[: n // 10])  # certain, as trees are
        return found
    if response == "predict":
        return np.eye(k)[noisy.argmax(axis=1)]
    if response == "value":
        return np.repeat(noisy[:, :1], k, axis=1)
    if task.kind == "binary":
        return np.column_stack([-noisy[:, 1], noisy[:, 1]])
    return noisy


def combined(read, combiner, table, **options):
    """Read a combiner over a table whose values stand in the raw columns, and evaluate it."""
    n, n_models, k = table.values.shape
    graph, rows = graph_of(n_models * k)
    nodes = tuple(graph.numbers(range(m * k, (m + 1) * k)) for m in range(n_models))
    node = read(combiner, graph, Predictions(nodes, table, rows.select([])), **options)
    return evaluated(graph, node, table.values.reshape(n, -1))

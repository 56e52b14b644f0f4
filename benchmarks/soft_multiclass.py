"""Boosting on soft targets of several classes against copies of each row, one for each class.

    OMP_NUM_THREADS=1 python benchmarks/soft_multiclass.py --classes 3 5 10 --rows 20000

Without soft targets for several classes in LightGBM, the usual way is to repeat every row for each
class, with the teacher's probability as its weight, and to learn hard labels: the same loss, with
as many times the rows. Both sides have the same settings (the least number of rows in a leaf
counts copies, and is as many times as large), one thread, and data that are encoded. Cross-entropy
against the teacher on rows set aside; wall time of a fit in turn, the median of the ratios; what
a fit of 100,000 rows takes of memory at its peak beyond the data, in MiB, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from scipy.special import softmax
from timing import alternate

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import LightGBMStudent

N_FEATURES, N_TREES, N_LEAVES, MIN_ROWS = 20, 100, 31, 20


def lesson(n: int, n_classes: int, seed: int = 1) -> Lesson:
    """Return rows of a teacher whose probabilities no tree has the form of."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(N_FEATURES, 16)), rng.normal(size=(16, n_classes))
    X = np.random.default_rng(seed).normal(size=(n, N_FEATURES))
    soft = softmax(np.tanh(X @ first / 2.0) @ second, axis=1)
    task = Task("multiclass", n_classes, np.arange(n_classes))
    hard = np.eye(n_classes)[soft.argmax(axis=1)]
    return Lesson(X, soft, hard, task, np.ones(n))


def student(n_trees: int) -> LightGBMStudent:
    return LightGBMStudent(n_trees, N_LEAVES, min_child_samples=MIN_ROWS)


def ours(learnt: Lesson, n_trees: int = N_TREES) -> Any:
    """Fit soft targets, one row each; return an ordinary booster."""
    return student(n_trees)._boosted(learnt, 0)


def copies(learnt: Lesson, n_trees: int = N_TREES) -> Any:
    """Fit one weighted row for each class by LightGBM's own softmax."""
    n, n_classes = learnt.soft.shape
    settings = {
        "objective": "multiclass",
        "num_class": n_classes,
        "num_leaves": N_LEAVES,
        "min_data_in_leaf": MIN_ROWS * n_classes,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    X, labels = np.repeat(learnt.X, n_classes, axis=0), np.tile(np.arange(n_classes), n)
    rows = lightgbm.Dataset(X, labels, weight=learnt.soft.ravel())
    return lightgbm.train(settings, rows, n_trees)


def largest_difference(learnt: Lesson, booster: Any) -> float:
    """Compare an ordinary booster with the softmax of the scores that training ended with."""
    trained, start = student(N_TREES)._train(learnt, N_TREES, 0)
    expected = softmax(trained.predict(learnt.X) + start, axis=1)
    again = lightgbm.Booster(model_str=booster.model_to_string())
    return float(np.abs(again.predict(learnt.X) - expected).max())


def added_mebibytes(run: Callable[[], object]) -> float:
    """Measure how far above what is in memory now a call takes this process (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest peak so far
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 1024


def _status(entry: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry))


def memory(side: str, n: int, n_classes: int) -> float:
    """Measure a fit in a fresh interpreter; what only the first fit loads does not count."""
    code = (
        f"from soft_multiclass import *; learnt = lesson({n}, {n_classes})\n"
        f"{side}(lesson(500, {n_classes}), 1)\n"
        f"print(added_mebibytes(lambda: {side}(learnt, 5)))"
    )
    # without it, what was freed before stays with the process, and is used again unseen
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)


def result(n: int, n_classes: int, repeats: int, memory_rows: int) -> dict[str, Any]:
    """Measure one number of classes."""
    learnt, test = lesson(n, n_classes), lesson(5000, n_classes, seed=2)
    ordinary = ours(learnt)
    time = alternate(lambda: ours(learnt), lambda: copies(learnt), repeats=repeats)
    mebibytes = [memory(side, memory_rows, n_classes) for side in ("ours", "copies")]
    return {
        "classes": n_classes,
        "difference": f"{largest_difference(learnt, ordinary):.0e}",
        "loss": round(test.mean_loss(ordinary.predict(test.X)), 5),
        "loss of copies": round(test.mean_loss(copies(learnt).predict(test.X)), 5),
        "teacher's entropy": round(test.mean_loss(test.soft), 5),
        "time ratio": str(time),
        "MiB": round(mebibytes[0]),
        "MiB of copies": round(mebibytes[1]),
        "memory ratio": round(mebibytes[0] / mebibytes[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--memory-rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for n_classes in arguments.classes:
        found = result(arguments.rows, n_classes, arguments.repeats, arguments.memory_rows)
        print(pd.Series(found).to_string(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()

"""What students keep of a stack on real tables, and whether the guard is right.

    python benchmarks/distillation.py --students lightgbm mlp --seeds 2 --output distillation.csv

The teacher is the default stack, the students are LightGBM of 100 trees with 31 leaves and a
network of 64-64. A table is cut at random into rows to fit on and rows for the truth. On the
latter stand: the teacher, as it labelled; the distilled student (given even where the guard says
no); and a plain student of the same kind and size, stopped early on the same rows, with as many
settings to choose from on held-out rows as the distilled one has mixes.

Kept is (plain - distilled) / (plain - teacher) in relative losses (log loss, RMSE, each divided
by the plain student's), summed over the table-seeds in which the teacher is better than plain by
two paired standard errors. The guard's verdict is right where it says "pays" and the teacher is
truly better than plain, or "don't" and it is not better by two standard errors of the truth. What
it gives is right where the other student is not better by two standard errors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from tables import Table, tables

import stackens as se
from stackens._core._losses import row_losses
from stackens._core._task import infer_task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import LightGBMStudent, MLPStudent
from stackens.exceptions import StackensWarning

PLAIN = {
    "lightgbm": [
        LightGBMStudent(learning_rate=rate, min_child_samples=leaf)
        for rate in (0.03, 0.1, 0.3)
        for leaf in (20, 100)
    ],
    "mlp": [MLPStudent(), *(MLPStudent(learning_rate=rate) for rate in (1e-3, 3e-3, 1e-2))],
}


def plain_student(kind: str, X: Any, y: np.ndarray, task: Any, seed: int) -> Any:
    """The best of several settings on a fifth of the rows, fitted again on all of them."""
    hard = np.eye(task.n_outputs)[y] if task.is_classification else y.reshape(len(y), -1)
    silent = np.full(hard.shape, np.nan)
    rows = np.arange(len(y))
    known = y if task.is_classification else None
    kept, judged = train_test_split(rows, test_size=0.2, stratify=known, random_state=seed)
    stopping = np.random.default_rng(seed).random(len(y)) < 0.15
    loss = "cross_entropy" if task.is_classification else "squared_error"
    lesson = Lesson(
        X, silent, hard, task, np.ones(len(y)), soft_weight=0.0, loss=loss, stopping=stopping
    )
    losses = []
    for recipe in PLAIN[kind]:
        fitted = recipe.fit(lesson.take(kept), random_state=seed)
        part = lesson.take(judged)
        losses.append(part.mean_loss(fitted.outputs(part.X)))
    return PLAIN[kind][int(np.argmin(losses))].fit(lesson, random_state=seed)


def paired_difference(losses: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """How much lower losses are than those of a reference, and the standard error of that."""
    apart = reference - losses
    return float(apart.mean()), float(apart.std(ddof=1) / len(apart) ** 0.5)


def run(table: Table, kind: str, seed: int, fit_rows: int, cache: str) -> dict[str, Any]:
    """One student of one table and seed."""
    n_fit = min(fit_rows, len(table.X) // 2)
    stratify = None if table.is_regression else table.y
    X, X_truth, y, y_truth = train_test_split(
        table.X, table.y, train_size=n_fit, stratify=stratify, random_state=seed
    )
    X, X_truth = (part.reset_index(drop=True) for part in (X, X_truth))
    task, _ = infer_task(y.to_numpy(), classification=not table.is_regression)
    stacked = se.StackedRegressor if table.is_regression else se.StackedClassifier
    distilled = se.DistilledRegressor if table.is_regression else se.DistilledClassifier
    teacher = stacked(se.default_estimators(X, y, classification=not table.is_regression))
    start = time.perf_counter()
    student = distilled(
        teacher, student=kind, guard=False, random_state=seed, cache=cache, n_jobs=2
    ).fit(X, y.to_numpy())
    seconds = time.perf_counter() - start
    codes, truth = (task.encode(part.to_numpy()) for part in (y, y_truth))
    plain = plain_student(kind, X, codes, task, seed)
    said = {
        "teacher": student.teacher_.outputs(X_truth),
        "plain": plain.outputs(X_truth),
        "student": student.student_.outputs(X_truth),
    }
    losses = {name: row_losses(values, truth, task) for name, values in said.items()}
    gap, gap_se = paired_difference(losses["teacher"], losses["plain"])
    mean = {name: float(values.mean()) for name, values in losses.items()}
    if table.is_regression:
        mean = {name: value**0.5 for name, value in mean.items()}
    gain, gain_se = paired_difference(losses["student"], losses["plain"])
    findings = student.report_.findings
    lead = gain if findings.pays else -gain  # of the student that the guard gives
    return {
        "table": table.name,
        "kind": kind,
        "seed": seed,
        "rows": n_fit,
        **mean,
        "gap_in_se": gap / gap_se,
        "pays": findings.pays,
        "verdict_right": gap > 0 if findings.pays else gap < 2 * gap_se,
        "given_right": lead > -2 * gain_se,
        "soft_weight": findings.soft_weight,
        "extra": findings.augmentation or "",
        "seconds": seconds,
    }


def pooled(found: pd.DataFrame) -> float:
    """What students keep, over the table-seeds with a real gap."""
    real = found[found["gap_in_se"] > 2]
    gain = (real["plain"] - real["student"]) / real["plain"]
    gap = (real["plain"] - real["teacher"]) / real["plain"]
    return float(gain.sum() / gap.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--students", nargs="+", default=["lightgbm", "mlp"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--fit-rows", type=int, default=5_000)
    parser.add_argument("--max-rows", type=int, default=25_000)
    parser.add_argument("--output")
    options = parser.parse_args()
    warnings.simplefilter("ignore", StackensWarning)
    rows: list[dict[str, Any]] = []
    for table in tables(options.tables, max_rows=options.max_rows):
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as cache:  # one teacher for all students
                for kind in options.students:
                    rows.append(run(table, kind, seed, options.fit_rows, cache))
                    print(
                        {k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}
                    )
                    if options.output:
                        pd.DataFrame(rows).to_csv(options.output, index=False)
    found = pd.DataFrame(rows)
    for kind, part in found.groupby("kind", sort=False):
        real = part[part["gap_in_se"] > 2]
        print(
            f"{kind}: keeps {pooled(part):.2f} of the gap in {len(real)} of {len(part)} "
            f"table-seeds with one; the guard's verdict is right in "
            f"{part['verdict_right'].mean():.0%}, what it gives in {part['given_right'].mean():.0%}"
        )


if __name__ == "__main__":
    main()

"""Students of ours against those of AutoGluon's ``distill``, of equal size, on the same rows.

    python benchmarks/distillation_autogluon.py --autogluon ~/ag/bin/python
    python benchmarks/distillation_autogluon.py --autogluon ~/ag/bin/python --keep answers --seeds 2

Students are LightGBM of at most 100 trees with 31 leaves at a learning rate of 0.1, and a network
of two hidden layers of 64, with our coding of numbers in 16 bins, which makes its first layer
larger, and without it. Each side has a teacher of its own: AutoGluon what ``fit`` makes
(presets of its default, "medium_quality", with the log loss or the RMSE as its metric and all of
its models that are installed), we the default stack. Its students learn as ``distill`` does by
default, with spunge rows, five for each real one; ours by the defaults of ``DistilledClassifier``.

Times are of what a user must run from rows to student. AutoGluon: ``fit`` and ``distill``, the
latter also alone. Ours: all of ``fit``, which is teacher, search and guard. AutoGluon neither
searches nor guards, so "bare" is ours without both: ``outer=None``, with as many extra rows as
AutoGluon makes. Wall seconds count with several jobs; with one job the processor's seconds do,
which hardly depend on what else runs.

Scores are on rows that neither side has seen: log loss and Brier score, which is what AutoGluon's
students of two classes minimise, or RMSE. Probabilities are raised to 1e-4, since a network or tree
that learnt them by squared error may say 0. "plain" is the same student taught by the truth alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from tables import Table, tables

import stackens as se
from stackens._core._task import Task, infer_task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import LightGBMStudent, MLPStudent, Student
from stackens.exceptions import StackensWarning

TABLES = [
    "german_credit",
    "telco_churn",
    "higgs_7500",
    "spambase",
    "segment",
    "hypothyroid",
    "concrete",
    "california_housing",
    "bike_hourly",
    "diamonds",
]
TARGET = "target of the benchmark"
FLOOR = 1e-4
# ours, and AutoGluon's name and settings that make its student equal
NETWORK = ("NN_TORCH", {"num_layers": 2, "hidden_size": 64})
STUDENTS: dict[str, tuple[Student, str, dict[str, Any]]] = {
    "lightgbm": (
        LightGBMStudent(),
        "GBM",
        {"num_boost_round": 100, "num_leaves": 31, "learning_rate": 0.1},
    ),
    "mlp": (MLPStudent(), *NETWORK),
    "mlp, no bins": (MLPStudent(n_bins=0), *NETWORK),
}


def losses(said: np.ndarray, truth: np.ndarray, is_regression: bool) -> tuple[float, float]:
    """Log loss and Brier score, or RMSE twice."""
    if is_regression:
        rmse = float(np.sqrt(np.mean((said.ravel() - truth) ** 2)))
        return rmse, rmse
    said = np.clip(said, FLOOR, None)
    said = said / said.sum(axis=1, keepdims=True)
    hard = np.eye(said.shape[1])[truth]
    log_loss = -np.log(said[hard == 1]).mean()
    return float(log_loss), float(((said - hard) ** 2).sum(axis=1).mean())


def autogluon(
    table: str,
    parts: dict[str, tuple[pd.DataFrame, np.ndarray]],
    task: Task,
    seed: int,
    options: Any,
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """Run the other side; return what it measured, and what its models say of the truth."""
    classes = task.is_classification
    request = {
        "problem_type": task.kind,
        "eval_metric": "log_loss" if classes else "root_mean_squared_error",
        "seed": seed,
        "students": dict(STUDENTS[name][1:] for name in options.students),
    }
    given = "-".join([table, str(seed), str(options.fit_rows), *request["students"]])
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    environment |= {name: str(options.jobs) for name in ("AG_CPU_COUNT", "OMP_NUM_THREADS")}
    script = Path(__file__).with_name("autogluon_distil.py")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary, given)
        answers = folder / "found.json"
        if not answers.exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name, (X, y) in parts.items():
                X.assign(**{TARGET: y}).to_csv(folder / f"{name}.csv", index=False)
            (folder / "request.json").write_text(json.dumps(request))
            done = subprocess.run(
                [options.autogluon, str(script), str(folder)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"AutoGluon failed. It says:\n{done.stderr[-3000:]}")
            answers.write_text(done.stdout.splitlines()[-1])
        found = json.loads(answers.read_text())
        return found, {name: np.load(folder / f"{name}.npy") for name in found}


def plain(kind: str, X: pd.DataFrame, codes: np.ndarray, task: Task, seed: int) -> Any:
    """The same student of ours, taught by the truth alone."""
    hard = np.eye(task.n_outputs)[codes] if task.is_classification else codes.reshape(-1, 1)
    lesson = Lesson(
        X,
        np.full(hard.shape, np.nan),
        hard,
        task,
        np.ones(len(X)),
        soft_weight=0.0,
        loss="cross_entropy" if task.is_classification else "squared_error",
        stopping=np.random.default_rng(seed).random(len(X)) < 0.15,
    )
    return STUDENTS[kind][0].fit(lesson, random_state=seed)


def ours(
    kind: str, X: pd.DataFrame, codes: np.ndarray, task: Task, seed: int, **settings: Any
) -> tuple[Any, dict[str, float]]:
    """Distil the default stack; return the model, and the seconds of it."""
    classes = task.is_classification
    stacked = se.StackedClassifier if classes else se.StackedRegressor
    distilled = se.DistilledClassifier if classes else se.DistilledRegressor
    wall, cpu = time.perf_counter(), time.process_time()
    teacher = stacked(se.default_estimators(X, codes, classification=classes))
    model = distilled(teacher, student=STUDENTS[kind][0], random_state=seed, **settings)
    model.fit(X, codes)
    return model, {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def run(table: Table, seed: int, options: Any) -> list[dict[str, Any]]:
    """Both sides on one table and seed: a row for each kind of student."""
    n_fit = min(options.fit_rows, 2 * len(table.X) // 3)
    regression = table.is_regression
    X, X_truth, y, y_truth = train_test_split(
        table.X,
        table.y,
        train_size=n_fit,
        test_size=min(len(table.X) - n_fit, 10_000),
        stratify=None if regression else table.y,
        random_state=seed,
    )
    X, X_truth = (part.reset_index(drop=True) for part in (X, X_truth))
    names, _ = infer_task(y.to_numpy(), classification=not regression)
    codes, truth = (names.encode(part.to_numpy()).ravel() for part in (y, y_truth))
    task, _ = infer_task(codes, classification=not regression)
    parts = {"fit": (X, codes), "truth": (X_truth, truth)}
    measured, theirs = autogluon(table.name, parts, task, seed, options)
    made = "resample" if regression else "munge"
    rows = []
    for kind in options.students:
        model, took = ours(kind, X, codes, task, seed, n_jobs=options.jobs)
        bare, bare_took = ours(
            kind, X, codes, task, seed, n_jobs=options.jobs, outer=None, augmentation=made
        )
        broken = STUDENTS[kind][1]
        name = f"{broken} repaired" if f"{broken} repaired" in theirs else broken
        models = {
            "ours": model.student_.outputs(X_truth),
            "bare": bare.student_.outputs(X_truth),
            "theirs": theirs[name],
            "unrepaired": theirs[broken],
            "our teacher": model.teacher_.outputs(X_truth),
            "their teacher": theirs["teacher"],
            "our plain": plain(kind, X, codes, task, seed).outputs(X_truth),
            "their plain": theirs[f"plain {broken}"],
        }
        scored = {label: losses(said, truth, regression) for label, said in models.items()}
        findings = model.report_.findings
        row = {"table": table.name, "kind": kind, "seed": seed, "rows": n_fit}
        row |= {label: score[0] for label, score in scored.items()}
        row |= {f"{label} (2)": scored[label][1] for label in ("ours", "bare", "theirs")}
        row |= {"gives": findings.chosen.split()[0], "weight": findings.soft_weight}
        row |= {"extra": findings.augmentation or "", "search s": findings.seconds["students"]}
        for clock in ("seconds", "cpu"):
            row |= {f"ours {clock}": took[clock], f"bare {clock}": bare_took[clock]}
            row[f"their {clock}"] = measured["teacher"][clock] + measured[name][clock]
            row[f"distill {clock}"] = measured[name][clock]
        row |= {"our bytes": model.student_.n_bytes(), "their bytes": measured[name]["bytes"]}
        rows.append(row)
    return rows


def summary(found: pd.DataFrame, clock: str) -> None:
    """Shares of tables on which our student is better, and ratios of the times."""
    print(found.round(4).to_string(index=False))
    for kind, part in [*found.groupby("kind", sort=False), ("all", found)]:
        n = len(part)
        better = (part["our teacher"] < part["their teacher"]).sum()
        print(f"{kind}: our teacher is better in {better} of {n}")
        for side in ("bare", "ours"):
            higher = (part[side] < part["theirs"]).sum()
            second = (part[f"{side} (2)"] < part["theirs (2)"]).sum()
            whole = part[f"{side} {clock}"] / part[f"their {clock}"]
            alone = part[f"{side} {clock}"] / part[f"distill {clock}"]
            print(
                f"    {side}: higher student score in {higher} of {n} (Brier or RMSE: {second}); "
                f"{clock} over fit and distill {whole.median():.2f} ({whole.min():.2f} to "
                f"{whole.max():.2f}), at most half in {(whole <= 0.5).sum()}; over distill alone "
                f"{alone.median():.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--autogluon", required=True, help="interpreter that has AutoGluon")
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=[*STUDENTS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fit-rows", type=int, default=5_000)
    parser.add_argument("--jobs", type=int, default=1, help="cores for each side")
    parser.add_argument("--keep", help="folder for AutoGluon's answers, which are then reused")
    parser.add_argument("--output", help="CSV file for all numbers")
    options = parser.parse_args()
    warnings.simplefilter("ignore", StackensWarning)
    rows: list[dict[str, Any]] = []
    for table in tables(options.tables, max_rows=50_000):
        for seed in range(options.seeds):
            rows += run(table, seed, options)
            last = pd.DataFrame(rows[-len(options.students) :])
            print(last.round(4).to_string(index=False), flush=True)
            if options.output:
                pd.DataFrame(rows).to_csv(options.output, index=False)
    summary(pd.DataFrame(rows), "cpu" if options.jobs == 1 else "seconds")


if __name__ == "__main__":
    main()

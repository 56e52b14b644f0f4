"""Out-of-fold against in-sample labels: the experiment of Dao et al. (2021) on other tables.

    python benchmarks/distillation_labels.py --tables higgs_7500 adult --repeats 3

Their setting: the teacher is a random forest of fully grown trees, students are forests of a few
regression trees, untuned, that learn its probabilities; 30% of the rows are held out. "scratch"
learns the classes, "in-sample" the probabilities of the forest for its own training rows,
"out-of-fold" those of 10 folds, "out-of-bag" those of the forest's own bags, almost for free.
What is kept of the gap is (student - scratch) / (teacher - scratch), sums over repeats, apart for
accuracy and for the area under the curve.

Dao, Kamath, Syrgkanis & Mackey (2021), Knowledge distillation as semiparametric inference,
arXiv:2104.09732, section 5.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import KFold, train_test_split
from tables import tables

import stackens as se

METRICS = ("accuracy", "AUC")


def scores(y: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """Accuracy and area under the curve."""
    return accuracy_score(y, probability > 0.5), roc_auc_score(y, probability)


def students(teacher: Any, X: np.ndarray, y: np.ndarray, n_trees: int, seed: int) -> dict[str, Any]:
    """Students of one size, by where their labels come from."""
    student = RandomForestRegressor(n_trees, random_state=seed)
    settings = {"student": student, "soft_weight": 1.0, "outer": None, "calibrate": False}
    folds = KFold(10, shuffle=True, random_state=seed)
    given = {"teacher": teacher, "random_state": seed, **settings}
    return {
        "in-sample": se.DistilledClassifier(**given, soft_targets="in_sample").fit(X, y),
        "out-of-fold": se.DistilledClassifier(**given, cv=folds).fit(X, y),
        "out-of-bag": se.DistilledClassifier(**given).fit(X, y),
    }


def run(X: np.ndarray, y: np.ndarray, sizes: list[int], n_teacher: int, seed: int) -> list[dict]:
    """One split of one table."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    forest = RandomForestClassifier(n_teacher, random_state=seed, n_jobs=2)
    labels = {}  # the teacher's labels do not depend on the student
    for name, found in students(forest, X_train, y_train, 1, seed).items():
        labels[name] = found.teacher_.soft
    teacher = scores(y_test, forest.fit(X_train, y_train).predict_proba(X_test)[:, 1])
    rows = []
    for n_trees in sizes:
        scratch = RandomForestClassifier(n_trees, random_state=seed).fit(X_train, y_train)
        plain = scores(y_test, scratch.predict_proba(X_test)[:, 1])
        for name, soft in labels.items():
            student = se.DistilledClassifier(
                None,
                student=RandomForestRegressor(n_trees, random_state=seed),
                soft_weight=1.0,
                outer=None,
                random_state=seed,
            ).fit(X_train, y_train, teacher_targets=soft)
            taught = scores(y_test, student.predict_proba(X_test)[:, 1])
            rows += [
                {
                    "trees": n_trees,
                    "labels": name,
                    "metric": metric,
                    "teacher": teacher[i],
                    "scratch": plain[i],
                    "student": taught[i],
                }
                for i, metric in enumerate(METRICS)
            ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=["higgs_7500", "adult"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trees", type=int, nargs="+", default=[1, 3, 10, 40])
    parser.add_argument("--teacher-trees", type=int, default=500)
    parser.add_argument("--max-rows", type=int, default=50_000)
    options = parser.parse_args()
    for table in tables(options.tables, max_rows=options.max_rows):
        X = se.TabularEncoder().fit_transform(table.X)
        y = pd.factorize(table.y, sort=True)[0]
        found = pd.DataFrame(
            row
            for seed in range(options.repeats)
            for row in run(X, y, options.trees, options.teacher_trees, seed)
        )
        sums = found.groupby(["metric", "trees", "labels"], sort=False).mean()
        sums["kept"] = (sums["student"] - sums["scratch"]) / (sums["teacher"] - sums["scratch"])
        print(f"\n{table.name}, {len(X):,} rows, {options.repeats} repeats")
        print(
            sums.round(4).unstack("labels")[["teacher", "scratch", "student", "kept"]].to_string()
        )


if __name__ == "__main__":
    main()

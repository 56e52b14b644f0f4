"""Accuracy against scikit-learn's stacking and voting, mlxtend, and the best single model.

    python benchmarks/accuracy.py --seeds 3 --max-rows 4000 --output accuracy.csv
    python benchmarks/accuracy.py --tables concrete diamonds --max-rows 1500 --folds 10

With ``--folds`` all stacks have other than five folds.

Every method gets the same base models, rows and random numbers, on several seeds of every table.
Scores are log loss (classes, encoded as numbers for mlxtend) and RMSE, on rows set aside; what
counts is the mean rank over tables and seeds. Needs ``pip install mlxtend`` for its column.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import Table, tables
from timing import seconds

import stackens as se


def pool(is_regression: bool, seed: int) -> list[tuple[str, Any]]:
    """Five base models of five kinds, in common settings."""
    forest = {"n_estimators": 100, "min_samples_leaf": 2, "random_state": seed}
    boosted = {"n_estimators": 100, "n_jobs": 1, "verbose": -1, "random_state": seed}
    if is_regression:
        return [
            ("lgbm", LGBMRegressor(**boosted)),
            ("rf", RandomForestRegressor(**forest)),
            ("et", ExtraTreesRegressor(**forest)),
            ("linear", make_pipeline(StandardScaler(), RidgeCV())),
            ("knn", make_pipeline(StandardScaler(), KNeighborsRegressor(15))),
        ]
    return [
        ("lgbm", LGBMClassifier(**boosted)),
        ("rf", RandomForestClassifier(**forest)),
        ("et", ExtraTreesClassifier(**forest)),
        ("linear", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
        ("knn", make_pipeline(StandardScaler(), KNeighborsClassifier(15))),
    ]


def plain_greedy(table: se.OutOfFoldTable, loss: Callable[..., float], steps: int) -> np.ndarray:
    """Caruana's forward selection as a plain loop, best prefix kept."""
    chosen: list[int] = []
    path = []
    for _ in range(steps):
        losses = [
            loss(table.y, table.values[:, [*chosen, model]].mean(axis=1))
            for model in range(table.n_models)
        ]
        chosen.append(int(np.argmin(losses)))
        path.append(min(losses))
    best = chosen[: int(np.argmin(path)) + 1]
    return np.bincount(best, minlength=table.n_models) / len(best)


def scores(table: Table, seed: int, folds: int) -> dict[str, float]:
    """Fit every method on one split of one table and score it on the rows set aside."""
    X, X_test, y, y_test = table.split(seed)
    encoder = se.TabularEncoder(encoding="one-hot", max_categories=20).fit(X)
    X, X_test = encoder.transform(X), encoder.transform(X_test)
    members = pool(table.is_regression, seed)

    def loss(truth: Any, predicted: np.ndarray) -> float:
        if table.is_regression:
            return root_mean_squared_error(truth, predicted.reshape(len(truth)))
        # Peers can give probabilities of exactly zero; one such row would decide everything.
        return log_loss(truth, np.clip(predicted, 1e-6, 1))

    def outcome(model: Any) -> float:
        answer = model.predict if table.is_regression else model.predict_proba
        return loss(y_test, answer(X_test))

    fitted = se.cross_fit(members, X, y, random_state=seed, cv=folds, n_jobs=2)
    stacked = se.StackedRegressor if table.is_regression else se.StackedClassifier
    blended = se.BlendedRegressor if table.is_regression else se.BlendedClassifier
    predictions = fitted.predict(X_test)
    weights = plain_greedy(fitted.out_of_fold, loss, 25)
    result = {
        "stackens stacked": outcome(stacked(members).fit_from(fitted)),
        "stackens greedy": outcome(blended(members, weighting="greedy").fit_from(fitted)),
        "stackens simplex": outcome(blended(members, weighting="simplex").fit_from(fitted)),
        "plain greedy": loss(y_test, np.einsum("smo,m->so", predictions.values, weights)),
    }
    best = int(np.argmin([loss(y, fitted.out_of_fold.values[:, m]) for m in range(len(members))]))
    result["best single"] = outcome(clone(members[best][1]).fit(X, y))
    for name, model in peers(members, table.is_regression, seed, folds).items():
        result[name] = outcome(model.fit(X, y))
    return result


def peers(
    members: list[tuple[str, Any]], is_regression: bool, seed: int, folds: int
) -> dict[str, Any]:
    """The same base models in other libraries' ensembles."""
    found: dict[str, Any]
    if is_regression:
        found = {
            "sklearn stacking": StackingRegressor(members, cv=folds, n_jobs=2),
            "sklearn voting": VotingRegressor(members, n_jobs=2),
        }
    else:
        found = {
            "sklearn stacking": StackingClassifier(members, cv=folds, n_jobs=2),
            "sklearn voting": VotingClassifier(members, voting="soft", n_jobs=2),
        }
    try:
        from mlxtend.classifier import StackingCVClassifier
        from mlxtend.regressor import StackingCVRegressor
    except ImportError:
        print("mlxtend is not installed: its column is left out")
        return found
    models = [model for _, model in members]
    found["mlxtend"] = (
        StackingCVRegressor(models, RidgeCV(), cv=folds, random_state=seed)
        if is_regression
        else StackingCVClassifier(
            models, LogisticRegression(max_iter=1000), use_probas=True, cv=folds, random_state=seed
        )
    )
    return found


def main() -> None:
    """Run all tables and seeds, and print mean ranks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=4000)
    parser.add_argument("--output", help="CSV file for the single scores")
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for table in tables(options.tables, max_rows=options.max_rows):
        for seed in range(options.seeds):
            found: dict[str, float] = {}
            took = seconds(lambda t=table, s=seed, f=found: f.update(scores(t, s, options.folds)))
            rows.append({"table": table.name, "seed": seed, **found})
            print(f"{table.name}, seed {seed}: {took:.0f} s", flush=True)
            if options.output:
                pd.DataFrame(rows).to_csv(options.output, index=False)
    frame = pd.DataFrame(rows).set_index(["table", "seed"])
    print("\nMean loss by table")
    print(frame.groupby(level="table").mean().round(4).to_string())
    ranks = frame.rank(axis=1)
    print("\nMean rank over tables and seeds (1 is best)")
    print(ranks.mean().sort_values().round(2).to_string())
    ratio = (frame["stackens greedy"] / frame["plain greedy"]).mean()
    print(f"\nGreedy selection: mean loss over the plain loop's {ratio:.4f}")


if __name__ == "__main__":
    main()

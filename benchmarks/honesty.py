"""Claimed scores against the scores on fresh rows, on real tables.

    python benchmarks/honesty.py --seeds 40 --output honesty.csv

For every seed, random rows of a table play the user's data and the others the fresh rows that the
user will meet later. ``compare`` claims a score for each strategy. What comes true is worked out
without it, from ``cross_fit``, ``fit_from`` and the losses of single rows, in two ways:

- *Same models.* The claim is the mean score of the models that the outer splits fitted, each on
  the rows set aside from it. The same models are fitted again and scored on the fresh rows. Both
  scores estimate one number, so they must agree within their errors: ``score_se`` covers the
  draw of the rows set aside, as it promises, and the fresh score has an error of the same kind.
  For k folds this number is the k-fold test error of Bayle et al., who show that the variance
  between rows is the right one there too, if the models are stable.
- *Refitted.* The strategy fitted on all of the user's rows, as ``best_estimator_`` is, scored on
  the fresh rows. It has seen more rows than the claim's models, so it may do better, and with k
  folds it is one model where the claim averages over k. ``score_se`` does not promise to cover
  that (Bates et al.). Here a claim must not be too high.

The best strategy is picked after looking at the scores, so its claim may be a little lucky; it
is counted apart. Scores are log loss and RMSE, negated, so a positive difference is a claim that
is too good.

References
----------
Bayle, Bayle, Janson & Mackey (2020). Cross-validation confidence intervals for test error.
NeurIPS 33, 16339-16350.
Bates, Hastie & Tibshirani (2024). Cross-validation: what does it estimate and how well does it do
it? Journal of the American Statistical Association 119(546), 1434-1445.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import is_regressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tables import Table, tables

import stackens as se

FRESH_ROWS = 3_000


def pool(is_regression: bool) -> dict[str, Any]:
    """Cheap base models of several kinds."""
    forest = {"n_estimators": 50, "min_samples_leaf": 2, "random_state": 0}
    boosted = {"n_estimators": 30, "num_leaves": 7, "n_jobs": 1, "verbose": -1, "random_state": 0}
    if is_regression:
        return {
            "linear": make_pipeline(StandardScaler(), Ridge()),
            "tree": DecisionTreeRegressor(min_samples_leaf=5, random_state=0),
            "forest": RandomForestRegressor(**forest),
            "boosted": LGBMRegressor(**boosted),
        }
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "bayes": GaussianNB(),
        "tree": DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
        "forest": RandomForestClassifier(**forest),
        "boosted": LGBMClassifier(**boosted),
    }


def combinations(regression: bool) -> dict[str, Any]:
    """The blends and stacks that ``compare`` has when it is told none."""
    blended = se.BlendedRegressor if regression else se.BlendedClassifier
    stacked = se.StackedRegressor if regression else se.StackedClassifier
    linear = "ridge" if regression else "logistic"
    return {
        **{f"blend {way}": blended([], weighting=way) for way in ("uniform", "simplex", "greedy")},
        f"stack {linear}": stacked([], linear),
        "stack auto": stacked([]),
    }


def fit_all(estimators: dict[str, Any], X: np.ndarray, y: np.ndarray, seed: int) -> dict[str, Any]:
    """Fit each base model alone and each combination, without ``compare``."""
    fitted = se.cross_fit(estimators, X, y, random_state=seed)
    regression = is_regressor(next(iter(estimators.values())))
    alone = se.BlendedRegressor if regression else se.BlendedClassifier
    models = {pair[0]: alone([pair], weighting="uniform") for pair in estimators.items()}
    return {
        name: model.fit_from(fitted)
        for name, model in {**models, **combinations(regression)}.items()
    }


def losses(model: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss of each row: log loss or squared error."""
    if is_regressor(model):
        return (model.predict(X) - y) ** 2
    of_the_truth = model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -np.log(np.clip(of_the_truth, np.finfo(np.float64).eps, None))


def mean_score(models: list[Any], X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The mean score of models on the same rows, and its standard error."""
    by_model = np.stack([losses(model, X, y) for model in models])
    means, slopes = by_model.mean(axis=1, keepdims=True), 1.0
    if is_regressor(models[0]):  # RMSE: the root, and by how much it follows the mean
        means = np.sqrt(means)
        slopes = 0.5 / means
    by_row = (slopes * by_model).mean(axis=0)
    return -float(means.mean()), float(by_row.std(ddof=1) / np.sqrt(len(y)))


def claims(
    estimators: dict[str, Any],
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    *,
    user_rows: int = 600,
    outer: float = 5,
) -> pd.DataFrame:
    """What a report claims on one draw of the user's rows, and what comes true, by strategy.

    Columns: ``claimed``, ``again`` (the claim, worked out without ``compare``), ``same_models``,
    ``refitted``, their standard errors (``_se``), and whether the strategy is the ``best``.
    """
    drawn = np.random.default_rng(seed).permutation(len(X))
    known, fresh = np.split(drawn, [min(user_rows, len(X) // 2)])
    X_fresh, y_fresh = X[fresh[:FRESH_ROWS]], y[fresh[:FRESH_ROWS]]
    X, y = X[known], y[known]
    regression = is_regressor(next(iter(estimators.values())))
    folds: Any = KFold if regression else StratifiedKFold
    if outer < 1:
        splitter = ShuffleSplit(1, test_size=outer, random_state=seed)
    else:
        splitter = folds(int(outer), shuffle=True, random_state=seed)
    splits = list(splitter.split(X, y))
    chosen = {**{name: name for name in estimators}, **combinations(regression)}
    report = se.compare(estimators, X, y, strategies=chosen, outer=splits, random_state=seed)

    fits = [fit_all(estimators, X[train], y[train], seed) for train, _ in splits]
    refit = fit_all(estimators, X, y, seed)
    rows = {}
    for name, claimed in report.frame().iterrows():
        models = [fit[name] for fit in fits]
        again = [
            mean_score([model], X[test], y[test])[0]
            for model, (_, test) in zip(models, splits, strict=True)
        ]
        same, same_se = mean_score(models, X_fresh, y_fresh)
        refitted, refitted_se = mean_score([refit[name]], X_fresh, y_fresh)
        rows[name] = {
            "claimed": claimed["score"],
            "claimed_se": claimed["score_se"],
            "again": np.mean(again),
            "same_models": same,
            "same_models_se": same_se,
            "refitted": refitted,
            "refitted_se": refitted_se,
            "best": name == report.best,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy").reset_index()


def in_errors(frame: pd.DataFrame, truth: str) -> pd.Series:
    """The difference of the claimed to the true score, over the standard error of both."""
    return (frame["claimed"] - frame[truth]) / np.hypot(frame["claimed_se"], frame[f"{truth}_se"])


def agreement(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """How well claims came true: mean differences, spread in errors, shares within two of them."""
    same, refitted = in_errors(frame, "same_models"), in_errors(frame, "refitted")
    columns = {
        "claimed - fresh": frame["claimed"] - frame["same_models"],
        "in errors": same,
        "within 2": same.abs() <= 2,
        "claimed - refitted": frame["claimed"] - frame["refitted"],
        "refitted within 2": refitted.abs() <= 2,
        "not too high": refitted <= 2,
    }
    groups = frame[by].assign(**columns).groupby(by, sort=False)
    summary = groups.mean()
    summary.insert(2, "spread", groups["in errors"].std())
    return summary


def arrays(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, encoded once and without the target, so that fresh rows stay like the others."""
    encoder = se.TabularEncoder(encoding="one-hot", max_categories=20)
    return np.asarray(encoder.fit_transform(table.X), dtype=np.float64), table.y.to_numpy()


def main() -> None:
    """Run all tables and seeds, and print how well the claims came true."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rows", type=int, default=600, help="rows that play the user's data")
    parser.add_argument("--outer", type=float, default=5, help="outer folds, or a hold-out's part")
    parser.add_argument("--output", help="CSV file for the single claims")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found: list[pd.DataFrame] = []
    for table in tables(options.tables, max_rows=20_000):
        X, y = arrays(table)
        start = time.perf_counter()
        for seed in range(options.seeds):
            settings = {"user_rows": options.rows, "outer": options.outer}
            one = claims(pool(table.is_regression), X, y, seed, **settings)
            found.append(one.assign(table=table.name, seed=seed))
        print(f"{table.name}: {time.perf_counter() - start:.0f} s", flush=True)
        if options.output:
            pd.concat(found).to_csv(options.output, index=False)
    frame = pd.concat(found)
    for title, part, by in (
        ("Every strategy, by table", frame, ["table"]),
        ("Every strategy of every table", frame, ["table", "strategy"]),
        ("The best strategy, picked after looking", frame[frame["best"]], ["table"]),
    ):
        print(f"\n{title}")
        print(agreement(part, by).round(3).to_string())


if __name__ == "__main__":
    main()

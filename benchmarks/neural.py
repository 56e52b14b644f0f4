"""TorchMLPClassifier and TorchMLPRegressor against scikit-learn's MLP and LightGBM.

    OMP_NUM_THREADS=1 python benchmarks/neural.py --seeds 2 --max-rows 2000 --output neural.csv

All models are in their default settings. scikit-learn's gets standardised and one-hot columns,
and a standardised target; LightGBM gets ordinal codes. Losses are log loss and RMSE on the 30% of
the rows set aside. What counts is the mean rank over tables and seeds, and the seconds of a fit,
encoding included, of one core.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import Table, tables
from threadpoolctl import threadpool_limits
from timing import seconds

import stackens as se


def models(is_regression: bool, seed: int) -> dict[str, Any]:
    """Every contestant by name."""

    def behind(model: Any, **settings: Any) -> Any:
        return make_pipeline(se.TabularEncoder(**settings), model)

    def mlp(**settings: Any) -> Any:
        if not is_regression:
            return MLPClassifier(random_state=seed, **settings)
        regressor = MLPRegressor(random_state=seed, **settings)
        return TransformedTargetRegressor(regressor, transformer=StandardScaler())

    one_hot = {"encoding": "one-hot", "scale": True, "add_indicator": True, "max_categories": 50}
    ours = se.TorchMLPRegressor if is_regression else se.TorchMLPClassifier
    boosted = LGBMRegressor if is_regression else LGBMClassifier
    return {
        "stackens": ours(random_state=seed),
        "sklearn": behind(mlp(), **one_hot),
        "sklearn early": behind(mlp(early_stopping=True), **one_hot),
        "lightgbm": behind(boosted(n_jobs=1, verbose=-1, random_state=seed), impute=None),
    }


def results(table: Table, seed: int) -> list[dict[str, Any]]:
    """Fit every model on one split of one table and score it on the rows set aside."""
    X, X_test, y, y_test = table.split(seed)
    rows = []
    for name, model in models(table.is_regression, seed).items():
        took = seconds(lambda m=model: m.fit(X, y))
        if table.is_regression:
            loss = root_mean_squared_error(y_test, model.predict(X_test))
        else:
            # A probability of exactly zero would decide everything.
            loss = log_loss(y_test, np.clip(model.predict_proba(X_test), 1e-6, 1))
        score = model.score(X_test, y_test)
        rows.append(
            {"table": table.name, "seed": seed, "model": name, "n": len(X)}
            | {"loss": loss, "score": score, "seconds": took}
        )
    return rows


def main() -> None:
    """Run all tables and seeds, and print losses, ranks and times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--max-rows", type=int, default=2000)
    parser.add_argument("--output", help="CSV file for the single results")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    with threadpool_limits(1):
        for table in tables(options.tables, max_rows=options.max_rows):
            for seed in range(options.seeds):
                rows += results(table, seed)
            print(f"{table.name} done", flush=True)
            if options.output:
                pd.DataFrame(rows).to_csv(options.output, index=False)
    frame = pd.DataFrame(rows)
    for value in ("loss", "score", "seconds"):
        print(f"\nMean {value} by table (score is accuracy or R²)")
        print(frame.pivot_table(index="table", columns="model", values=value).round(3).to_string())
    losses = frame.pivot_table(index=["table", "seed"], columns="model", values="loss")
    relative = np.log(losses.div(losses["sklearn"], axis=0)).clip(-np.log(2), np.log(2))
    summary = pd.DataFrame(
        {
            "mean rank": losses.rank(axis=1).mean(),
            "loss over sklearn's": np.exp(relative.mean()),  # no table counts for more than 2
            "better than sklearn": losses.lt(losses["sklearn"], axis=0).mean(),
            "mean seconds": frame.groupby("model")["seconds"].mean(),
        }
    )
    print("\nOver tables and seeds")
    print(summary.sort_values("mean rank").round(3).to_string())


if __name__ == "__main__":
    main()

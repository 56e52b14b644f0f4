"""Real tables for the benchmarks: those of scikit-learn, and CSV files where they are at hand.

The folder is taken from the environment variable STACKENS_DATA, or ``../shared/data/dev`` beside
the repository. Files that are absent are left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev"
FOLDER = Path(os.environ.get("STACKENS_DATA", _BESIDE))
TARGETS = {
    "adult": "income",
    "telco_churn": "Churn",
    "higgs_7500": "target",
    "spambase": "class",
    "german_credit": "class",
    "mammography": "target",
    "letter": "class",
    "hypothyroid": "Class",
    "segment": "class",
    "soybean": "class",
    "diamonds": "price",
    "california_housing": "median_house_value",
    "bike_hourly": "cnt",
    "concrete": "strength",
}
REGRESSION = {"diamonds", "california_housing", "bike_hourly", "concrete", "diabetes"}
_BUNDLED = {
    "breast_cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}


@dataclass(frozen=True)
class Table:
    """A table with its target."""

    name: str
    X: pd.DataFrame
    y: pd.Series

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.name in REGRESSION

    def split(self, seed: int) -> list[Any]:
        """Return X, X_test, y, y_test with 30% set aside, and classes as whole numbers."""
        y = self.y.to_numpy(float) if self.is_regression else LabelEncoder().fit_transform(self.y)
        stratify = None if self.is_regression else y
        return train_test_split(self.X, y, test_size=0.3, random_state=seed, stratify=stratify)


def tables(names: list[str] | None = None, *, max_rows: int, seed: int = 0) -> Iterator[Table]:
    """Load tables one by one, each with at most this many rows, drawn at random."""
    for name in names or [*_BUNDLED, *TARGETS]:
        if name in _BUNDLED:
            bunch = _BUNDLED[name](as_frame=True)
            X, y = bunch.data, bunch.target
        else:
            path = FOLDER / f"{name}.csv.gz"
            if not path.exists():
                print(f"{name}: not at hand, left out")
                continue
            frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
            X, y = frame.drop(columns=TARGETS[name]), frame[TARGETS[name]]
        if len(X) > max_rows:
            X = X.sample(max_rows, random_state=seed)
            y = y.loc[X.index]
        if name not in REGRESSION:
            # A class with a handful of rows cannot stand in every part of every peer's folds.
            counts = y.map(y.value_counts())
            X, y = X[counts >= 15], y[counts >= 15]
        yield Table(name, X.reset_index(drop=True), y.reset_index(drop=True))

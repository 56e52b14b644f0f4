"""Random small fitted models over random tables, described by recipes of a few words."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.export import random_families as families

__all__ = ["Recipe", "fitted", "recipes", "rows_for", "rows_of_cells"]

N_ROWS = 48
TASKS = ("binary", "multiclass", "regression")
LABELS = {"text": ("no", "yes", "it's é"), "whole": (3, -1, 10), "bool": (False, True, True)}
MODERATE = ("normal", "grid", "whole", "sparse", "constant")
AWKWARD = (*MODERATE, "huge", "stamp", "tiny", "skewed")
TYPED = (*AWKWARD, "category", "category", "bool")
MIXED = (*AWKWARD, "text", "words", "category", "bool", "date")
UNSEEN = ("never seen", "", "nan", "3", "é ☃")
NUMBERS = (
    *(np.nan, 0.0, -0.0, 5e-324, -1e-310, 1e-36, 0.5, 1.0, -1.0, 5.5, 16_777_217.0, 1e5),
    *(2.0**53, -(2.0**53), 2.0**53 - 1.0, 1.7e9, 3.4e38, 3.5e38, 1e300, -1e300, np.inf, -np.inf),
)


@dataclass(frozen=True)
class Recipe:
    """What a model is fitted on, and how.

    Attributes
    ----------
    family : str
        One of ``random_families.FAMILIES``.
    task : {"binary", "multiclass", "regression"}
    columns : tuple of str
        A kind of values for each column.
    missing : bool
        Whether cells are missing.
    named : bool
        Whether rows are a DataFrame; if not, a matrix.
    labels : str
        Which labels classes have.
    options : tuple of (str, object)
        Of the family.
    seed : int
    """

    family: str
    task: str
    columns: tuple[str, ...]
    missing: bool
    named: bool
    labels: str
    options: tuple[tuple[str, Any], ...]
    seed: int


@st.composite
def recipes(draw: Callable, name: str) -> Recipe:
    """Draw the options of a family, and a table that suits it."""
    family = families.FAMILIES[name]
    kinds = {"moderate": MODERATE, "awkward": AWKWARD, "typed": TYPED, "mixed": MIXED}
    kinds = kinds[family.table]
    # a column that says something comes first, so that no table is constant
    columns = ("normal", *draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4)))
    return Recipe(
        family=name,
        task=draw(st.sampled_from([task for task in TASKS if task in family.tasks])),
        columns=columns,
        missing=family.missing and draw(st.booleans()),
        named=family.table in ("typed", "mixed") or draw(st.booleans()),
        labels=draw(st.sampled_from(sorted(LABELS))),
        options=tuple((key, draw(st.sampled_from(some))) for key, some in family.options.items()),
        seed=draw(st.integers(0, 999)),
    )


@cache
def fitted(recipe: Recipe) -> tuple[Any, pd.DataFrame]:
    """Return the fitted model of a recipe, and the table it was fitted on."""
    rng = np.random.default_rng(recipe.seed)
    table = pd.DataFrame(
        {
            f"{kind} {i}": _column(kind, rng, recipe.missing and i != 1)
            for i, kind in enumerate(recipe.columns)
        }
    )
    family = families.FAMILIES[recipe.family]
    model = family.build(recipe.task, table, recipe.seed, **dict(recipe.options))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # few rows and few rounds: no fit here is a good one
        model.fit(rows_for(recipe, table), _target(recipe, table, rng))
    return model, table


def rows_for(recipe: Recipe, table: pd.DataFrame) -> Any:
    """Return a table in the form that the model takes."""
    return table if recipe.named else table.to_numpy(dtype=np.float64)


def _column(kind: str, rng: np.random.Generator, missing: bool) -> pd.Series:
    n = N_ROWS
    if kind in ("text", "words", "category"):
        levels = np.array(["a", "b", "é", "1"] if kind != "words" else ["x y", "'", "", "true"])
        series = pd.Series(levels[rng.integers(0, 4, n)], dtype=object)
        gone = None if rng.random() < 0.5 else np.nan
        if missing:
            series[rng.random(n) < 0.2] = gone
        return series.astype("category") if kind == "category" else series
    if kind == "bool":
        return pd.Series(rng.random(n) < 0.5)
    if kind == "date":
        days = pd.to_timedelta(rng.integers(0, 5_000, n), unit="D").astype("m8[us]")
        series = pd.Series(pd.Timestamp("2015-05-05 12:34:56.789").as_unit("us") + days)
    elif kind == "whole":
        series = pd.Series(rng.integers(-2, 3, n))
    elif kind == "huge":
        series = pd.Series(2**53 - rng.integers(0, 9, n))
    else:
        made = {
            "normal": lambda: rng.normal(size=n),
            "grid": lambda: rng.integers(-5, 6, n) / 10,
            "sparse": lambda: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)),
            "constant": lambda: np.full(n, 0.25),
            "stamp": lambda: 1.7e9 + rng.integers(0, 1_000, n) / 8,
            "tiny": lambda: rng.normal(size=n) * 1e-37,
            "skewed": lambda: np.exp(4 * rng.normal(size=n)),
        }
        series = pd.Series(made[kind]())
    if missing:
        if series.dtype.kind == "i":
            series = series.astype(np.float64)
        series[rng.random(n) < 0.2] = None
    return series


def _target(recipe: Recipe, table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    first = table.iloc[:, 0].fillna(0.3).to_numpy() + rng.normal(size=N_ROWS)
    if recipe.task == "regression":
        return first * 10.0
    n_classes = 2 if recipe.task == "binary" or recipe.labels == "bool" else 3
    order = np.argsort(np.argsort(first)) * n_classes // N_ROWS
    return np.array(LABELS[recipe.labels][:n_classes])[order]


# --- rows -----------------------------------------------------------------------------------------


def rows_of_cells(recipe: Recipe) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Draw rows: values of the table, values between two of them, and odd ones."""
    limit = families.FAMILIES[recipe.family].limit
    _, table = fitted(recipe)
    cells = [_cells(kind, table.iloc[:, j], limit) for j, kind in enumerate(recipe.columns)]
    return st.lists(st.tuples(*cells), min_size=1, max_size=6)


def _cells(kind: str, column: pd.Series, limit: float) -> st.SearchStrategy[Any]:
    seen = st.sampled_from([*dict.fromkeys(column.dropna().tolist())])
    if kind == "bool":
        return seen
    if kind == "date":
        return seen | st.sampled_from([pd.NaT, pd.Timestamp("1969-12-31 23:59:59.999999")])
    if column.dtype.kind not in "if":
        return seen | st.sampled_from([None, *UNSEEN])
    odd = [value for value in NUMBERS if not abs(value) > limit]
    between = st.tuples(seen, seen).map(lambda pair: (pair[0] + pair[1]) / 2)
    bounds: Mapping[str, Any] = {} if limit == np.inf else {"max_value": limit, "min_value": -limit}
    anything = st.floats(**bounds) if limit < np.inf else st.floats(allow_nan=True)
    return seen | seen | between | st.sampled_from(odd) | anything

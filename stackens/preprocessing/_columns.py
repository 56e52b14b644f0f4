"""What the encoder learns about each column: small frozen records, plain enough to export."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from stackens.preprocessing._reading import (
    FEW_ROWS,
    PARTS,
    declared_order,
    factorise,
    level_text,
    numbers,
)

MISSING_CODE = -1
UNKNOWN_CODE = -2
NO_COLUMN = -1  # one-hot: a code without a column of its own, so the row is all zeros

# Beyond what float32 holds a value counts as infinite, so that forests (which read float32) and
# exports in single precision agree with double precision.
LARGEST = float(np.finfo(np.float32).max)
QUARTILES_APART = 1.349  # of a normal distribution, in standard deviations
FAR_OUT = 10.0  # a standard deviation of so many usual distances is made by a few outliers


@dataclass(frozen=True)
class NumericFeature:
    """One output number, made from one input number.

    ``x`` above 3.4e38 becomes `high`, below -3.4e38 `low`, NaN becomes `fill`; the output is
    ``(x - mean) / scale``.

    Attributes
    ----------
    part : str
        What of the column it is: "" (the number itself), "seconds", "days", "year", "month",
        "weekday" or "hour".
    low, high : float
        Smallest and largest finite value seen in fit.
    fill : float
        What a missing value becomes; NaN where missing values are kept.
    mean, scale : float
        0 and 1 where nothing is standardised.
    """

    part: str
    low: float
    high: float
    fill: float
    mean: float
    scale: float


@dataclass(frozen=True)
class NumericColumn:
    """A numeric, boolean, datetime or timedelta column.

    Attributes
    ----------
    name : str
    kind : {"numeric", "boolean", "datetime", "timedelta"}
    features : tuple of NumericFeature
        The output columns in order.
    indicator : bool
        Whether one more output column says, by 1, that the value was missing.
    """

    name: str
    kind: str
    features: tuple[NumericFeature, ...]
    indicator: bool

    @property
    def width(self) -> int:
        """Number of output columns."""
        return len(self.features) + self.indicator

    def output_names(self, name: str) -> list[str]:
        """Names of the output columns when the input column is called `name`."""
        parts = [f.part for f in self.features] + ["missing"] * self.indicator
        return [f"{name}_{part}" if part else name for part in parts]

    def read(self, values: Any) -> np.ndarray:
        """Numbers before imputation and scaling, array of shape (n_samples, n_features)."""
        parts = PARTS[self.kind]
        return numbers(values, self.kind, self.name)[
            :, [parts.index(f.part) for f in self.features]
        ]


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of levels.

    A level's code is its place in `levels`; a missing value has `missing_code`, everything else
    `unknown_code`. The ordinal output is the code. The one-hot output has a 1 in the column of
    that number, and none where the code is negative.

    Attributes
    ----------
    name : str
    levels : tuple of str
        The levels kept, in the order of their codes, each in its text form.
    rare_code : int or None
        Code of the levels grouped as rare (None: none were).
    missing_code : int
        Ordinal: -1. One-hot: the last column where fit saw missing values, else -1.
    unknown_code : int
        The code of the rare group where there is one, else -2 (ordinal) or -1 (one-hot).
    one_hot : bool
    """

    kind: ClassVar[str] = "categorical"

    name: str
    levels: tuple[str, ...]
    rare_code: int | None
    missing_code: int
    unknown_code: int
    one_hot: bool

    @property
    def width(self) -> int:
        """Number of output columns."""
        return len(self._labels) if self.one_hot else 1

    @property
    def _labels(self) -> list[str]:
        rare = [] if self.rare_code is None else ["rare"]
        return [*self.levels, *rare, *(["missing"] if self.missing_code >= 0 else [])]

    def output_names(self, name: str) -> list[str]:
        """Names of the output columns when the input column is called `name`."""
        return [f"{name}_{label}" for label in self._labels] if self.one_hot else [name]

    @cached_property
    def _code_of(self) -> dict[str | None, int]:
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels)}
        return codes | {None: self.missing_code}

    def __getstate__(self) -> dict[str, Any]:
        # the lookup is made again on first use, so that using a column leaves its pickle as it was
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def codes(self, values: Any) -> np.ndarray:
        """Code of each value, int array of shape (n_samples,)."""
        code_of, unknown = self._code_of, self.unknown_code
        if len(values) <= FEW_ROWS:
            return np.array([code_of.get(level_text(v, self.name), unknown) for v in values])
        place, texts = factorise(values, self.name)
        # missing values have place -1: the last entry
        return np.array([code_of.get(t, unknown) for t in texts] + [self.missing_code])[place]


Column = NumericColumn | CategoricalColumn


def learn_numeric(
    name: str,
    kind: str,
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    impute: str | None,
    scale: bool | str,
    indicator: bool,
) -> NumericColumn:
    """Learn what a numeric, boolean, datetime or timedelta column needs.

    Parameters
    ----------
    name : str
    kind : {"numeric", "boolean", "datetime", "timedelta"}
    values : float64 array of shape (n_samples, n_parts)
    weights : float64 array of shape (n_samples,) or None
        Positive weights of the rows.
    impute : {"median", "mean"} or None
    scale : bool or "robust"
    indicator : bool
        Whether a column with missing values gets an indicator (only when imputing).
    """
    if weights is not None:  # by a power of two, which rounds nothing, so that none overflows
        weights = np.ldexp(weights, -np.frexp(weights.max())[1])
    features = [
        _learn_feature(part, values[:, i], weights, impute, scale)
        for i, part in enumerate(PARTS[kind])
    ]
    # the days since 1970 always stay; year, month, weekday and hour only where they vary
    features = [f for i, f in enumerate(features) if i == 0 or f.low < f.high]
    flagged = indicator and impute is not None and bool(np.isnan(values[:, 0]).any())
    return NumericColumn(name, kind, tuple(features), flagged)


def _learn_feature(
    part: str,
    values: np.ndarray,
    weights: np.ndarray | None,
    impute: str | None,
    scale: bool | str,
) -> NumericFeature:
    known = np.abs(values) <= LARGEST
    seen = values[known]
    weights = None if weights is None else weights[known]
    if len(seen) == 0:
        seen, weights = np.zeros(1), None
    low, high = float(seen.min()), float(seen.max())
    # Measured from the smallest, so that neither equal nor huge numbers suffer from rounding.
    mean = low + float(np.average(seen - low, weights=weights))
    below, median, above = _quartiles(seen, weights)
    fill = {"median": median, "mean": mean}.get(impute or "", math.nan)
    if not scale or low == high:
        return NumericFeature(part, low, high, fill, mean if scale else 0.0, 1.0)
    spread = float(np.sqrt(np.average((seen - mean) ** 2, weights=weights)))
    if scale == "robust":
        usual = (above - below) / QUARTILES_APART
        if usual == 0:
            apart = seen != median
            of_them = None if weights is None else weights[apart]
            _, usual, _ = _quartiles(np.abs(seen[apart] - median), of_them)
        if spread > FAR_OUT * usual:
            # not so small that an outlier, divided by it, is too large to square in float32
            return NumericFeature(part, low, high, fill, median, max(usual, (high - low) * 1e-12))
    return NumericFeature(part, low, high, fill, mean, spread or 1.0)


def _quartiles(values: np.ndarray, weights: np.ndarray | None) -> list[float]:
    """Return the quartiles, with a whole number as weight that of so many copies of the value."""
    levels = np.array([0.25, 0.5, 0.75])
    if weights is None:
        return np.quantile(values, levels, method="averaged_inverted_cdf").tolist()
    order = np.argsort(values)
    up_to = np.cumsum(weights[order])
    around = [np.searchsorted(up_to, up_to[-1] * levels, side) for side in ("left", "right")]
    return values[order[around]].mean(axis=0).tolist()


def learn_levels(
    name: str,
    values: Any,
    weights: np.ndarray | None = None,
    *,
    one_hot: bool,
    min_frequency: int | float | None,
    max_categories: int | None,
) -> CategoricalColumn:
    """Learn the levels of a categorical column and their codes.

    Parameters
    ----------
    name : str
    values : numpy array or pandas extension array of shape (n_samples,)
    weights : float64 array of shape (n_samples,) or None
        Positive weights of the rows.
    one_hot : bool
    min_frequency : int (rows), float (fraction of the rows) or None
        With weights: of their sum.
    max_categories : int or None
        Largest number of levels, the rare group counted as one.
    """
    place, texts = factorise(values, name)
    if weights is None:
        weights = np.ones(len(place))
    known = place >= 0
    totals = np.bincount(place[known], weights[known], minlength=len(texts))
    counts: dict[str, float] = {}
    for text, count in zip(texts, totals.tolist(), strict=True):
        if count > 0:  # a declared category without a row is no level
            counts[text] = counts.get(text, 0.0) + count
    ordered = _in_order(counts, declared_order(values, name))
    levels = _without_rare(ordered, counts, weights.sum(), min_frequency, max_categories)
    rare = len(levels) if len(levels) < len(ordered) else None
    if one_hot:
        seen_missing = bool((place < 0).any())
        missing = len(levels) + (rare is not None) if seen_missing else NO_COLUMN
        return CategoricalColumn(
            name, levels, rare, missing, NO_COLUMN if rare is None else rare, True
        )
    return CategoricalColumn(
        name, levels, rare, MISSING_CODE, UNKNOWN_CODE if rare is None else rare, False
    )


def _in_order(levels: Collection[str], declared: Sequence[str] | None) -> list[str]:
    if declared is not None:
        return [level for level in declared if level in levels]
    return sorted(levels, key=_by_value)


def _by_value(level: str) -> tuple[int, float, str]:
    """Sort key: numbers by size, then everything else by its text."""
    try:
        number = float(level)
    except ValueError:
        return (1, 0.0, level)
    return (0, number, level) if math.isfinite(number) else (1, 0.0, level)


def _without_rare(
    ordered: list[str],
    counts: Mapping[str, float],
    n_rows: float,
    min_frequency: int | float | None,
    max_categories: int | None,
) -> tuple[str, ...]:
    kept = ordered
    if min_frequency is not None:
        fewest = min_frequency if min_frequency >= 1 else min_frequency * n_rows
        kept = [level for level in ordered if counts[level] >= fewest]
    if max_categories is not None and len(kept) + (len(kept) < len(ordered)) > max_categories:
        # sorted is stable: of equally frequent levels the first in order stay
        commonest = set(sorted(kept, key=lambda level: -counts[level])[: max_categories - 1])
        kept = [level for level in ordered if level in commonest]
    return tuple(kept)

"""The estimator that stands between a user's table and the models: DataFrame in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from stackens._core._rows import arrow_frame, is_arrow, take_rows
from stackens._core._sklearn import (
    StrOptions,
    check_feature_names_in,
    check_sample_weight,
    fit_context,
)
from stackens.preprocessing._columns import Column, learn_levels, learn_numeric
from stackens.preprocessing._layout import encode, layout_of
from stackens.preprocessing._reading import column, column_kind, is_frame, numbers


class TabularEncoder(TransformerMixin, BaseEstimator):
    """Turn a table of mixed columns into a matrix of numbers that any model can read.

    Numbers are imputed and, if asked for, standardised; text becomes ordinal codes or one-hot
    columns; dates and durations become numbers. What was learnt is one small record per
    column, `columns_`, from which the output follows by simple formulas.

    Parameters
    ----------
    encoding : {"ordinal", "one-hot"}, default="ordinal"
        What a categorical column becomes. "ordinal" is one column of codes, right for trees;
        "one-hot" is a column of zeros and ones per level, right for linear models and networks.
    categorical : "auto" or list of str or int, default="auto"
        Columns to treat as categorical, by name or position, besides those that "auto" finds:
        text, ``category``, and objects of mixed types. Whole numbers are numeric unless listed.
    impute : {"median", "mean"} or None, default="median"
        What replaces a missing value in a numeric column: a statistic of the values seen in
        `fit`. None keeps NaN, for models that take it.
    add_indicator : bool, default=False
        Whether each numeric column that had missing values in `fit` gets a further column with
        1 where the value is missing. Without effect if `impute` is None, where NaN says it.
    scale : bool or "robust", default=False
        Whether numeric columns are standardised, by the mean and the standard deviation of the
        values that are not missing. "robust" does the same, but takes the median and the
        distance of the quartiles over 1.349 where the deviation is more than ten times that, so
        that a code such as -9999 among ordinary numbers hides nothing. Ordinal codes and one-hot
        columns are left as they are.
    min_frequency : int or float, default=None
        Levels in fewer rows than this (a float is a fraction of the rows) are grouped as rare.
        With weights, of less weight than this.
    max_categories : int, default=255
        Largest number of levels of a column, the rare group counted as one of them. The most
        frequent stay, of equally frequent ones the first in order. None means no limit: then a
        one-hot column of identifiers is as wide as the table is long.

    Attributes
    ----------
    columns_ : tuple of NumericColumn and CategoricalColumn
        What was learnt, one frozen record per input column.
    n_features_in_ : int
        Number of input columns.
    feature_names_in_ : array of shape (n_features_in_,), object
        Names of the input columns. Only when X had names that are all text.

    Notes
    -----
    **Kinds.** The type of a column decides, for objects the type of what they hold. Numbers in
    text are text: ``"3.5"`` is a level. Objects of several types, or all missing, are levels.

    **Numeric** columns give one output. Infinite values, and those beyond ±3.4e38 (which single
    precision calls infinite), become the largest or smallest value seen in `fit`. A column with
    no value at all is filled with 0; a constant one is centred, not divided. Booleans are 0
    and 1, imputed and scaled like other numbers.

    **Dates** give days since 1970-01-01 (with their fraction), and of year, month, weekday
    (Monday is 0) and hour those that varied in `fit`, each imputed and scaled by itself. A
    time with a zone is converted to UTC, one without is taken as it is. **Durations** give
    seconds.

    **Categorical** columns are compared by the text of their values: 1, 1.0 and "1" are one
    level, ``True`` is "True". Only null, None, NaN, NaT and NA are missing; the text "NA" or
    "None" is a level. Levels are ordered by value (numbers by size, before other text), or as
    an ordered ``category`` declares; the order of the rows does not matter. With k levels:

    ========= ================ =================================
    value     ordinal          one-hot
    ========= ================ =================================
    level     0 ... k-1        a column each
    rare      k                a column, if some level is rare
    missing   -1               a column, if `fit` saw one
    unknown   as rare, else -2 as rare, else all zeros
    ========= ================ =================================

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens import TabularEncoder
    >>> X = pd.DataFrame({"age": [30.0, None, 50.0], "city": ["Bern", "Rome", None]})
    >>> TabularEncoder().fit_transform(X)
    array([[30.,  0.],
           [40.,  1.],
           [50., -1.]])
    >>> encoder = TabularEncoder(encoding="one-hot", scale=True, add_indicator=True).fit(X)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'age_missing', 'city_Bern', 'city_Rome', 'city_missing']
    >>> encoder.transform(pd.DataFrame({"age": [60.0], "city": ["Oslo"]}))
    array([[2., 0., 0., 0., 0.]])
    """

    _parameter_constraints: dict = {
        "encoding": [StrOptions({"ordinal", "one-hot"})],
        "categorical": [StrOptions({"auto"}), "array-like"],
        "impute": [StrOptions({"median", "mean"}), None],
        "add_indicator": ["boolean"],
        "scale": ["boolean", StrOptions({"robust"})],
        "min_frequency": [Real, None],
        "max_categories": [Integral, None],
    }

    def __init__(
        self,
        *,
        encoding: Literal["ordinal", "one-hot"] = "ordinal",
        categorical: Literal["auto"] | Sequence[str | int] = "auto",
        impute: Literal["median", "mean"] | None = "median",
        add_indicator: bool = False,
        scale: bool | Literal["robust"] = False,
        min_frequency: int | float | None = None,
        max_categories: int | None = 255,
    ) -> None:
        self.encoding = encoding
        self.categorical = categorical
        self.impute = impute
        self.add_indicator = add_indicator
        self.scale = scale
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> TabularEncoder:
        """Learn the kind, the fill value, the scale and the levels of each column.

        Parameters
        ----------
        X : DataFrame (pandas or polars), Arrow table or array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in means, medians, deviations and the frequencies of levels.
            A whole number stands for so many copies of a row; a row of weight 0 is not read.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X has no rows or no columns, has two columns of one name, or holds complex
            numbers; if a weight is negative or all are 0.
        TypeError
            If X is sparse, or a cell holds a list, a dict or the like.
        """
        self._check_limits()
        X = self._validated(X, reset=True)
        names = check_feature_names_in(self).tolist()
        listed = self._listed(names)
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(
                sample_weight, np.empty((len(X), 1)), ensure_non_negative=True
            )
            X, weights = take_rows(X, weights > 0), weights[weights > 0]
        self.columns_ = tuple(
            self._learn(column(X, i), weights, name, i in listed) for i, name in enumerate(names)
        )
        self._layout = layout_of(self.columns_)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Encode a table.

        Parameters
        ----------
        X : DataFrame (pandas or polars) or array-like of shape (n_samples, n_features)
            The columns that `fit` saw, in the same order.

        Returns
        -------
        float64 array of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            If columns are missing, new or in another order, or if a numeric column, a date or
            a duration now holds something else.
        """
        check_is_fitted(self)
        return encode(self._validated(X, reset=False), self._layout)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the output columns.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features_in_,), default=None
            Names of the input columns. None: those seen in `fit`, else x0, x1, ...

        Returns
        -------
        array of shape (n_features_out,), object
            The column's name alone for a number or an ordinal code; for the others the name,
            ``_`` and the level, the part of a date, "rare" or "missing". Where two would be
            the same, the later one gets a number.
        """
        check_is_fitted(self)
        names_in = check_feature_names_in(self, input_features)
        names = [
            output
            for name, record in zip(names_in, self.columns_, strict=True)
            for output in record.output_names(name)
        ]
        return np.array(_all_different(names), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _learn(self, values: Any, weights: np.ndarray | None, name: str, listed: bool) -> Column:
        kind = "categorical" if listed else column_kind(values)
        if kind == "complex":
            raise ValueError(
                f"Complex data not supported: column {name!r} must hold real numbers. Got values "
                f"such as {values[0]!r}. Use its real and imaginary parts as two columns."
            )
        if kind in ("categorical", "missing"):
            return learn_levels(
                name,
                values,
                weights,
                one_hot=self.encoding == "one-hot",
                min_frequency=self.min_frequency,
                max_categories=self.max_categories,
            )
        return learn_numeric(
            name,
            kind,
            numbers(values, kind, name),
            weights,
            impute=self.impute,
            scale=self.scale,
            indicator=self.add_indicator,
        )

    def _validated(self, X: Any, *, reset: bool) -> Any:
        """X as a frame or as an array of two dimensions, its names and its width checked."""
        if is_arrow(X):
            X = arrow_frame(X)
        if is_frame(X):
            _check_frame(X)
            if reset or not self._same_names(X):
                validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        if type(X) is np.ndarray and X.ndim == 2 and X.size and X.dtype.kind in "biuf":
            # nothing in such an array needs check_array, which takes longer than one row does
            return validate_data(self, X, reset=reset, skip_check_array=True)
        # in a list, np.asarray would turn numbers that stand beside text into text
        dtype = None if hasattr(X, "dtype") else object
        return validate_data(self, X, reset=reset, dtype=dtype, ensure_all_finite=False)

    def _same_names(self, X: Any) -> bool:
        return list(X.columns) == list(getattr(self, "feature_names_in_", ()))

    def _listed(self, names: list[str]) -> set[int]:
        """Positions of the columns in `categorical`."""
        if isinstance(self.categorical, str):
            return set()
        named = hasattr(self, "feature_names_in_")
        positions = set()
        for item in self.categorical:
            if isinstance(item, str) and named and item in names:
                positions.add(names.index(item))
            elif not isinstance(item, (bool, np.bool_)) and item in range(len(names)):
                positions.add(int(item))
            else:
                known = f"{names}" if named else "none, since X has no column names"
                raise ValueError(
                    "The 'categorical' parameter of TabularEncoder must be 'auto' or a list of "
                    f"column names or positions. Got {item!r} in it. Use a position from 0 to "
                    f"{len(names) - 1} or one of the names: {known}."
                )
        return positions

    def _check_limits(self) -> None:
        fewest, largest = self.min_frequency, self.max_categories
        if fewest is not None and not (
            0 < fewest < 1 or (fewest >= 1 and float(fewest).is_integer())
        ):
            raise ValueError(
                "The 'min_frequency' parameter of TabularEncoder must be a number of rows from 1 "
                f"or a fraction between 0 and 1. Got {fewest!r} instead. Use None to keep every "
                "level."
            )
        if largest is not None and largest < 1:
            raise ValueError(
                "The 'max_categories' parameter of TabularEncoder must be at least 1. "
                f"Got {largest!r} instead. Use None for no limit."
            )


def _check_frame(X: Any) -> None:
    if 0 in X.shape:
        what, count = ("sample", X.shape[0]) if X.shape[0] == 0 else ("feature", X.shape[1])
        raise ValueError(
            f"TabularEncoder needs at least one row and one column. Got {count} {what}(s) "
            f"(shape={X.shape}). Check the filter or the selection that made the table."
        )
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(
            f"The columns of X must have different names. Got {twice} more than once. Rename "
            "one of each, for example with X.columns = [...]."
        )


def _all_different(names: list[str]) -> list[str]:
    used: set[str] = set()
    for i, name in enumerate(names):
        candidate, number = name, 2
        while candidate in used:
            candidate, number = f"{name}_{number}", number + 1
        used.add(candidate)
        names[i] = candidate
    return names

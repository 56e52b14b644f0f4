"""Options and row labels of cross_fit and compare, checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from stackens._core._sklearn import check_sample_weight

__all__ = ["check_fitted", "check_names", "check_options", "checked_groups", "checked_weights"]

_FINAL_FITS = ("auto", "bag", "refit")
_STACK_METHODS = ("auto", "predict_proba", "decision_function", "predict")


def check_options(
    pairs: list[tuple[str, Any]],
    owner: str,
    *,
    final_fit: Any = "auto",
    out_of_bag: Any = "auto",
    stack_method: Any = "auto",
    on_error: Any = "raise",
    n_jobs: Any = None,
    verbose: Any = 0,
) -> None:
    """Raise on an option of cross_fit, or of what hands it on (``owner``), that is none.

    Raises
    ------
    ValueError
    """
    if isinstance(final_fit, Mapping):
        unknown = sorted(set(final_fit) - {name for name, _ in pairs})
        if unknown:
            raise ValueError(
                f"The 'final_fit' parameter must have names of estimators as keys. Got {unknown} "
                f"instead. The names are {[name for name, _ in pairs]}."
            )
    fits = final_fit.values() if isinstance(final_fit, Mapping) else [final_fit]
    for parameter, value, allowed in (
        *(("final_fit", fit, _FINAL_FITS) for fit in fits),
        ("out_of_bag", out_of_bag, ("auto", True, False)),
        ("stack_method", stack_method, _STACK_METHODS),
        ("on_error", on_error, ("raise", "drop")),
    ):
        if not any(value is option or value == option for option in allowed):
            raise ValueError(
                f"The {parameter!r} parameter of {owner} must be one of {allowed}. "
                f"Got {value!r} instead."
            )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise ValueError(
            f"The 'n_jobs' parameter of {owner} must be None or an int other than 0. Got "
            f"{n_jobs!r} instead. Use 1 for one job at a time, -1 for all cores."
        )
    if not isinstance(verbose, Integral | np.bool_):
        raise ValueError(
            f"The 'verbose' parameter of {owner} must be an int. Got {verbose!r} instead. Use 1 "
            "to see progress, 0 for silence."
        )


def checked_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return the weights of the rows as floats.

    Raises
    ------
    ValueError
        If one is missing, infinite or negative.
    """
    if sample_weight is None:
        return None
    sample_weight = check_sample_weight(sample_weight, np.empty((n_samples, 1)))
    if sample_weight.min() < 0:
        raise ValueError(
            "sample_weight must hold numbers of at least zero. Got negative values, as low as "
            f"{sample_weight.min()}. Correct them, or drop those rows."
        )
    return sample_weight


def checked_groups(groups: Any) -> np.ndarray | None:
    """Return the group of each row as an array of shape (n_samples,).

    Raises
    ------
    ValueError
        If one is missing, or a row has more than one.
    """
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.ndim != 1:
        raise ValueError(
            f"groups must hold one group for each row. Got an array of shape {groups.shape}. Make "
            "one column out of them, such as frame.groupby(columns).ngroup()."
        )
    if n_missing := int(pd.isna(groups).sum()):
        raise ValueError(
            f"groups must hold the group of each row. Got {n_missing} missing ones. Give those "
            "rows a group, one of their own where they belong to none."
        )
    if groups.dtype == object:
        try:
            np.unique(groups)
        except TypeError as error:
            types = sorted({type(group).__name__ for group in groups})
            raise ValueError(
                "groups must hold values of one type, all text or all numbers. Got "
                f"{', '.join(types)}. Convert them, with pandas.factorize(groups)[0] for example."
            ) from error
    return groups


def check_fitted(pairs: list[tuple[str, Any]]) -> None:
    """Raise with its name on the first model that is not fitted."""
    for name, model in pairs:
        try:
            check_is_fitted(model)
        except NotFittedError as error:
            raise NotFittedError(
                f"With cv='prefit' every base model must be fitted already. Got {name!r} "
                f"({type(model).__name__}), which is not. Call its fit on other rows, or choose "
                "folds instead, such as cv=5."
            ) from error


def check_names(names: Any) -> None:
    """Refuse one text in place of several names: it would be read letter by letter."""
    if isinstance(names, str):
        raise TypeError(
            f"Names of models must be a list. Got the text {names!r}. Put it into a list."
        )

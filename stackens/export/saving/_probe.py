"""A few rows with the answers of the saved object, asked again when it is loaded."""

from __future__ import annotations

import datetime
import enum
import sys
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator

from stackens._core._rows import as_features, n_rows, take_rows
from stackens.exceptions import ExportMismatchError
from stackens.export._program_of import program_of
from stackens.export.saving._checked_object import name_of
from stackens.export.verification import accepted_rows, ordinary_rows, own_rows

__all__ = ["check_can_be_asked", "check_probe", "probe_of"]

_ROWS = 32
_WAYS = ("predict_proba", "decision_function", "predict", "transform")
_VALUES = (
    type(None), bool, int, float, complex, str, bytes, np.generic, datetime.date, datetime.time,
    datetime.timedelta, Decimal, Fraction, enum.Enum, pd.Interval, pd.Period, type(pd.NA),
    type(pd.NaT),
)  # fmt: skip


def probe_of(model: Any, X: Any) -> dict[str, Any] | None:
    """Return up to 32 rows of X and what the model says about them.

    Without X, the rows are drawn from the ranges that the model tells, as an export tells them;
    None where it cannot be exported, or refuses such rows.

    Raises
    ------
    TypeError
        If there are rows, and the model has no method to ask.
    """
    way = next((way for way in _WAYS if hasattr(model, way)), None)
    if X is None:
        return None if way is None else _made_probe(model, way)
    if way is None:
        raise TypeError(
            f"Rows X can be kept with an object that answers by one of {', '.join(_WAYS)}. Got a "
            f"{type(model).__name__}. Save it without X."
        )
    X = as_features(X)
    rows = take_rows(X, np.arange(min(_ROWS, n_rows(X))))
    return {"rows": rows, "way": way, "answers": _answers(model, way, rows)}


def _made_probe(model: Any, way: str) -> dict[str, Any] | None:
    try:
        program = program_of(model)
        columns = ordinary_rows(program, 4 * _ROWS)
        taken = np.flatnonzero(accepted_rows(program, columns))[:_ROWS]
        rows = own_rows(model, program, [column[taken] for column in columns])
        return {"rows": rows, "way": way, "answers": _answers(model, way, rows)}
    except (TypeError, ValueError):  # it has no export, or knows other types of columns
        return None


def check_can_be_asked(model: Any, probe: Any, names: Collection[str]) -> None:
    """Refuse a probe that :func:`probe_of` would not have made: it is a call, of a file's choice.

    Parameters
    ----------
    model : object
    probe : object
        As it was read.
    names : collection of str
        Classes that are allowed or trusted, by module and name.

    Raises
    ------
    ValueError
        If the method is none that answers, the object no model, or the rows no plain table.
    """
    if not (isinstance(probe, dict) and probe.keys() == {"rows", "way", "answers"}):
        raise ValueError("the rows kept with it are not as they are written")
    cls, way, answers = type(model), probe["way"], probe["answers"]
    if not (isinstance(way, str) and way in _WAYS):
        raise ValueError(f"its rows are to be asked by {way!r:.60}, no method that predicts")
    lightgbm = sys.modules.get("lightgbm")
    is_model = isinstance(model, BaseEstimator) or name_of(cls) in names
    if not (is_model or (lightgbm is not None and cls is lightgbm.Booster)):
        raise ValueError(f"rows are to be asked of a {cls.__name__}, which is no model")
    # a FrozenEstimator has the methods of what it holds
    has_method = callable(getattr(cls, way, None)) or hasattr(cls, "__getattr__")
    if not has_method or way in getattr(model, "__dict__", {}):
        raise ValueError(f"rows are to be asked by {way}, which a {cls.__name__} does not have")
    if not (isinstance(answers, np.ndarray) and _is_plain(answers)):
        raise ValueError(f"the answers kept with it are a {type(answers).__name__}, no array")
    if not _is_table_of_values(probe["rows"]):
        raise ValueError(f"the rows kept with it are a {type(probe['rows']).__name__}, no table")


def _is_table_of_values(rows: Any) -> bool:
    if sparse.issparse(rows):
        return rows.data.dtype.kind in "biufc"
    if isinstance(rows, pd.DataFrame):
        return all(_is_plain(rows.iloc[:, i].to_numpy()) for i in range(rows.shape[1]))
    if type(rows).__module__.split(".")[0] == "polars":
        return True  # it has no objects of Python: they are refused where it is read
    if isinstance(rows, pd.Series):
        rows = rows.to_numpy()
    if isinstance(rows, np.ndarray):
        return rows.ndim > 0 and _is_plain(rows)
    return isinstance(rows, list | tuple) and all(
        isinstance(row, str | dict) and _is_plain(row) for row in rows
    )


def _is_plain(value: Any) -> bool:
    """Whether a value is one of Python or numpy, or a plain container of such."""
    if isinstance(value, _VALUES):
        return True
    if type(value) in (list, tuple, set, frozenset):
        return all(_is_plain(each) for each in value)
    if type(value) in (dict, Counter, OrderedDict, defaultdict):
        return all(_is_plain(each) for each in value.values())
    return type(value) is np.ndarray and (
        value.dtype != object or all(_is_plain(each) for each in value.ravel())
    )


def _answers(model: Any, way: str, rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the rows' form: only whether answers change matters
        answers = getattr(model, way)(rows)
    if isinstance(answers, list):  # of several outputs
        answers = np.hstack(answers)
    answers = getattr(answers, "values", answers)
    return answers.toarray() if sparse.issparse(answers) else np.asarray(answers)


def check_probe(path: Path, model: Any, probe: dict[str, Any], *, single: bool) -> None:
    """Ask the model again.

    Parameters
    ----------
    path : Path
        For the message.
    model : object
    probe : dict
        As :func:`probe_of` made it.
    single : bool
        Whether parts of the model compute in single precision: answers then may differ by 1e-6,
        otherwise by 1e-9, of the larger of 1 and the answer.

    Raises
    ------
    ExportMismatchError
        If an answer is another one; the message names the worst row.
    """
    way, expected = probe["way"], probe["answers"]
    got = _answers(model, way, probe["rows"])
    if got.shape != expected.shape:
        raise ExportMismatchError(
            f"{path} must answer here as where it was saved. Got answers of shape {got.shape} by "
            f"{way} instead of {expected.shape}. Install the versions that its manifest names."
        )
    flat = expected.reshape(len(expected), -1)
    distance = _distances(got.reshape(flat.shape), flat)
    tolerance = 1e-6 if single or expected.dtype == np.float32 else 1e-9
    if (distance > tolerance).any():
        row = int(distance.max(axis=1).argmax())
        raise ExportMismatchError(
            f"{path} must answer here as where it was saved. Got {got[row]!s:.100} for row {row} "
            f"by {way} instead of {expected[row]!s:.100}, the worst of {len(expected)} rows kept "
            "with it. Install the versions of the packages that its manifest names."
        )


def _distances(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    if expected.dtype.kind not in "biuf" or got.dtype.kind not in "biuf":
        return np.where(got == expected, 0.0, np.inf)
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of two infinities
        distance = np.abs(got - expected) / np.maximum(1.0, np.abs(expected))
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))

"""Asks the model that an export was made from, in the form of rows that it was fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from stackens._core._rows import take_rows
from stackens.exceptions import ExportMismatchError
from stackens.export.program import Lookup, Program, evaluate
from stackens.export.verification._check import (
    described,
    largest_difference,
    size_of,
    tolerance_of,
)

__all__ = [
    "accepted_rows",
    "answers_of_source",
    "own_rows",
    "raw_rows",
    "require_types_without_effect",
    "rows_for_source",
]

_REFUSED_TRIED = 20
_FORM_ROWS = 200
_FORM_MISSING = 5  # more rows in which a column has no value
_LABELLED_ROWS = 1_000
_OWN_TYPES = 1e-6  # what linear steps in single precision may make

_TIMES = {"datetime": ("M8[us]", 1.0), "timedelta": ("m8[us]", 1e6)}  # type, and its units

Form = Literal["nan", "none", "category", "object", "object-none"]


def rows_for_source(
    program: Program, columns: Sequence[np.ndarray], *, form: Form = "nan", like: Any = None
) -> Any:
    """Turn columns into rows as the source model takes them.

    Parameters
    ----------
    program : Program
    columns : sequence of arrays of shape (n_rows,)
    form : {"nan", "none", "category", "object", "object-none"}, default="nan"
        Form of the columns of text: what pandas makes of them with NaN for missing values, objects
        with None for missing values, or ``category``. The last two are as the first two, with
        numbers as objects too.
    like : DataFrame or array, default=None
        Rows whose types of columns are taken over instead.

    Returns
    -------
    DataFrame or array of shape (n_rows, n_columns)
    """
    if not program.named:
        if all(column.kind == "number" for column in program.columns):
            numbers = np.column_stack(columns)
            if not form.startswith("object") and getattr(like, "dtype", None) != np.dtype(object):
                return numbers
            return _as_objects(numbers, form)
        matrix = np.empty((len(columns[0]), len(columns)), dtype=object)
        for j, values in enumerate(columns):
            kind = program.columns[j].kind
            matrix[:, j] = _as_times(values, kind).astype(object) if kind in _TIMES else values
            if form in ("nan", "object") and kind == "category":
                matrix[:, j] = [np.nan if value is None else value for value in values]
        return matrix
    frame = {}
    read = program.read_columns()
    for i, (column, values) in enumerate(zip(program.columns, columns, strict=True)):
        is_idle = column.kind == "number" and i not in read
        if is_idle and isinstance(like, pd.DataFrame) and len(like) and column.name in like:
            some = np.arange(len(values)) % len(like)  # the model may insist on their type
            frame[column.name] = like[column.name].iloc[some].reset_index(drop=True)
        elif column.kind in _TIMES:
            frame[column.name] = _as_times(values, column.kind)
        elif column.kind == "category":
            frame[column.name] = _texts(values, form, like, column.name)
        else:
            frame[column.name] = _numbers(values, form, like, column.name)
    return pd.DataFrame(frame)


def _numbers(values: np.ndarray, form: Form, like: Any, name: str) -> pd.Series:
    if isinstance(like, pd.DataFrame) and name in like:
        if like[name].dtype == np.dtype(object):
            return _with_missing_of(like[name], [None if v != v else v for v in values.tolist()])
        return _as_categories(pd.Series(values), like, name)
    if not form.startswith("object"):
        return pd.Series(values)
    return pd.Series(_as_objects(values, form))


def _as_objects(numbers: np.ndarray, form: Form) -> np.ndarray:
    objects = numbers.astype(object)
    objects[np.isnan(numbers)] = None if form == "object-none" else np.nan
    return objects


def _texts(values: np.ndarray, form: Form, like: Any, name: str) -> pd.Series:
    series = pd.Series(values, dtype=object)  # "none"
    if isinstance(like, pd.DataFrame) and name in like:
        dtype = like[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            return _as_categories(series, like, name)
        if isinstance(dtype, pd.StringDtype):
            return series.astype(dtype)
        if dtype == np.dtype(object):
            return _with_missing_of(like[name], values.tolist())
    if form in ("nan", "object"):
        return pd.Series([np.nan if value is None else value for value in values])
    return series.astype("category") if form == "category" else series


def _with_missing_of(like: pd.Series, values: list[Any]) -> pd.Series:
    """Return objects with the missing value of other rows for None: encoders tell None from NaN."""
    gone = [*like[like.isna()].tolist(), np.nan][0]
    return pd.Series([gone if value is None else value for value in values], dtype=object)


def _as_categories(series: pd.Series, like: Any, name: str) -> pd.Series:
    """Return values as categories where they are some in `like`; those it lacks come last."""
    dtype = like[name].dtype if isinstance(like, pd.DataFrame) and name in like else None
    if not isinstance(dtype, pd.CategoricalDtype):
        return series
    known = {category: category for category in dtype.categories}  # 1.0 finds 1, and True
    found = [known.get(value, value) for value in series]
    more = [value for value in series.dropna().unique() if value not in known]
    return pd.Series(pd.Categorical(found, categories=[*known, *more], ordered=dtype.ordered))


def _as_times(values: np.ndarray, kind: str) -> pd.Series:
    dtype, unit = _TIMES[kind]
    return pd.Series(_times(np.round(values * unit), dtype))


def _times(values: np.ndarray, dtype: str) -> np.ndarray:
    missing = np.isnan(values)
    times = np.where(missing, 0.0, values).astype(np.int64).astype(dtype)
    times[missing] = "NaT"
    return times


def raw_rows(program: Program, columns: Sequence[np.ndarray]) -> list[list[Any]]:
    """Return columns as rows of single values as users have them: moments are ``datetime``."""
    values = [
        _moments(given) if column.kind == "datetime" else given.tolist()
        for column, given in zip(program.columns, columns, strict=True)
    ]
    return [list(row) for row in zip(*values, strict=True)]


def _moments(values: np.ndarray) -> list[Any]:
    times = _times(values, "M8[us]")
    found = times.tolist()
    # numpy writes years that datetime does not know as whole numbers
    return [t if isinstance(v, int) else v for t, v in zip(times, found, strict=True)]


def accepted_rows(program: Program, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return which rows the source model takes, as the program has it; bool of shape (n_rows,)."""
    if program.refused is None:
        return np.ones(len(columns[0]), dtype=bool)
    (matrix,) = evaluate(program, columns, [program.refused])
    return np.isfinite(matrix).all(axis=1)


def answers_of_source(
    model: Any, program: Program, columns: Sequence[np.ndarray], like: Any = None
) -> np.ndarray:
    """Ask the source model.

    Categories and their missing values have several forms in Python, and a model may know only the
    one it was fitted on. Without rows to go by, the form in which it agrees with the program is
    taken.

    Parameters
    ----------
    model : object
    program : Program
    columns : sequence of arrays of shape (n_rows,)
    like : DataFrame or array, default=None
        As for :func:`rows_for_source`.

    Returns
    -------
    float64 array of shape (n_rows, n_outputs)
        NaN in the rows that it refuses.

    Raises
    ------
    ExportMismatchError
        If the model refuses a row that the program would take, or takes one that it would refuse.
    """
    return _answers(model, program, columns, own_rows(model, program, columns, like))


def own_rows(model: Any, program: Program, columns: Sequence[np.ndarray], like: Any = None) -> Any:
    """Turn columns into rows in the form that :func:`answers_of_source` asks the model in."""
    has_categories = any(isinstance(node, Lookup) for _, node in program)
    if not has_categories or isinstance(like, pd.DataFrame):
        return rows_for_source(program, columns, like=like)
    return rows_for_source(program, columns, form=_form(model, program, columns))


def _form(model: Any, program: Program, columns: Sequence[np.ndarray]) -> Form:
    """Return the form of rows in which the model agrees with the program on some of them."""
    n = len(columns[0])
    missing = [np.flatnonzero(pd.isna(column))[:_FORM_MISSING] for column in columns]
    some = np.unique(np.r_[: min(n, _FORM_ROWS), max(0, n - _FORM_ROWS) : n, *missing])
    columns = [column[some] for column in columns]
    (computed,) = evaluate(program, columns)
    computed[~accepted_rows(program, columns)] = np.nan
    forms: tuple[Form, ...] = ("nan", "none", "category", "object", "object-none")
    close: list[Form] = []
    answered: list[Form] = []
    for form in forms:
        try:
            rows = rows_for_source(program, columns, form=form)
            found = _answers(model, program, columns, rows)
        except (ExportMismatchError, UnicodeEncodeError):  # Arrow takes no halves of characters
            continue
        if largest_difference(computed, found)[0] <= tolerance_of(program):
            return form
        if largest_difference(computed, found, size_of(computed))[0] <= tolerance_of(program):
            close.append(form)  # of large numbers, some answers are: others may hide a difference
        answered.append(form)
    return [*close, *answered, *forms][0]  # the check says where they differ


def _answers(model: Any, program: Program, columns: Sequence[np.ndarray], rows: Any) -> np.ndarray:
    accepted = accepted_rows(program, columns)
    answers = np.full((len(accepted), program.n_outputs), np.nan)
    # odd rows are meant to overflow: that is no news
    with threadpool_limits(limits=1), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if accepted.any():
            try:
                answers[accepted] = _asked(model, program, _taken(rows, np.flatnonzero(accepted)))
            except (TypeError, ValueError) as error:
                raise ExportMismatchError(
                    "The model must predict the rows that its export is checked with. Got from "
                    f"{type(model).__name__}: {error}. Give rows like those it was fitted on with "
                    "X=..., so that the check uses their types."
                ) from error
            _check_labels(model, program, rows, answers)
        unsure = _infinite_objects(program, columns, rows)
        for row in np.flatnonzero(~accepted & ~unsure)[:_REFUSED_TRIED]:
            try:
                _asked(model, program, _taken(rows, np.array([row])))
            except (TypeError, ValueError, OverflowError):
                continue
            raise ExportMismatchError(
                f"The export would refuse a row that {type(model).__name__} predicts. Got "
                f"{described(program, columns, row)}. Please report it."
            )
    return answers


def _infinite_objects(program: Program, columns: Sequence[np.ndarray], rows: Any) -> np.ndarray:
    """Return which rows have an infinity among objects, where scikit-learn does not look for it.

    As a number, it would refuse the row.
    """
    found = np.zeros(len(rows), dtype=bool)
    for j, values in enumerate(columns):
        dtype = rows.dtypes.iloc[j] if isinstance(rows, pd.DataFrame) else rows.dtype
        if program.columns[j].kind == "category":
            found |= np.isin(values.astype(str), ("inf", "-inf"))
        elif dtype == np.dtype(object) or isinstance(dtype, pd.CategoricalDtype):
            found |= np.isinf(values)
    return found


def _check_labels(model: Any, program: Program, rows: Any, answers: np.ndarray) -> None:
    """Raise where the model's labels are not those of its largest answers, as an export's are."""
    if program.classes is None or not hasattr(model, "classes_"):
        return
    known = np.flatnonzero(np.isfinite(answers).all(axis=1))[:_LABELLED_ROWS]
    if len(known) == 0:
        return
    scores = answers[known]
    if program.decides_by_sign:
        scores = np.hstack([-scores, scores])
    top = np.sort(np.pad(scores, ((0, 0), (1, 0)), constant_values=-np.inf), axis=1)
    clear = top[:, -1] - top[:, -2] > tolerance_of(program)
    ours = program.classes[scores.argmax(axis=1)]
    theirs = np.asarray(model.predict(_taken(rows, known)))
    wrong = np.flatnonzero(clear & (ours != theirs))
    if len(wrong):
        raise ExportMismatchError(
            "The label of an exported classifier is that of the largest probability or score. Got "
            f"{theirs.tolist()[wrong[0]]!r} from {type(model).__name__} where that is "
            f"{ours.tolist()[wrong[0]]!r}. "
            "Export the model inside that gives the probabilities, and decide on labels yourself."
        )


def _taken(rows: Any, index: np.ndarray) -> Any:
    return rows.iloc[index] if isinstance(rows, pd.DataFrame) else rows[index]


def _asked(model: Any, program: Program, rows: Any) -> np.ndarray:
    if hasattr(model, "num_trees") and not hasattr(model, "n_features_in_"):  # a bare Booster
        answers = np.asarray(model.predict(rows), dtype=np.float64)
        if program.response == "probabilities" and answers.ndim == 1:
            return np.column_stack([1.0 - answers, answers])
    elif program.response == "probabilities":
        answers = model.predict_proba(rows)
    elif program.response == "scores":
        answers = model.decision_function(rows)
    else:
        answers = model.predict(rows)
    return np.asarray(answers, dtype=np.float64).reshape(len(rows), -1)


def require_types_without_effect(
    model: Any, program: Program, rows: Any, columns: Sequence[np.ndarray]
) -> None:
    """Raise where the model answers its own rows other than the same values in double precision."""
    few = [column[:_LABELLED_ROWS] for column in columns]
    taken = np.flatnonzero(accepted_rows(program, few))
    if len(taken) == 0:
        return
    as_read = answers_of_source(model, program, [c[taken] for c in few], like=rows)
    with threadpool_limits(limits=1), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = _asked(model, program, take_rows(rows, taken))
    difference, row = largest_difference(own, as_read, size_of(own))
    if difference > _OWN_TYPES:
        raise ExportMismatchError(
            f"The model must answer the rows X as it answers their values in double precision, "
            f"which is what exports read. Got {as_read[row].tolist()} instead of "
            f"{own[row].tolist()} for the row {described(program, few, int(taken[row]))}. Give "
            "fit, predict and the export X.astype('float64') and texts of one kind: frames of one "
            "library, and missing values that are all NaN or all None."
        )

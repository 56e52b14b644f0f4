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
from stackens.export.program import Program, evaluate
from stackens.export.verification._check import (
    described,
    largest_difference,
    size_of,
    tolerance_of,
)

__all__ = [
    "accepted_rows",
    "answers_of_source",
    "require_types_without_effect",
    "rows_for_source",
]

_REFUSED_TRIED = 20
_FORM_ROWS = 200
_LABELLED_ROWS = 1_000
_OWN_TYPES = 1e-6  # what linear steps in single precision may make

Text = Literal["nan", "none", "category"]


def rows_for_source(
    program: Program, columns: Sequence[np.ndarray], *, text: Text = "nan", like: Any = None
) -> Any:
    """Turn columns into rows as the source model takes them.

    Parameters
    ----------
    program : Program
    columns : sequence of arrays of shape (n_rows,)
    text : {"nan", "none", "category"}, default="nan"
        Form of the columns of text: what pandas makes of them with NaN for missing values, objects
        with None for missing values, or ``category``.
    like : DataFrame, default=None
        Rows whose types of columns of text are taken over instead.

    Returns
    -------
    DataFrame or array of shape (n_rows, n_columns)
    """
    if not program.named:
        if all(column.kind == "number" for column in program.columns):
            return np.column_stack(columns)
        matrix = np.empty((len(columns[0]), len(columns)), dtype=object)
        for j, values in enumerate(columns):
            matrix[:, j] = values
            if text == "nan" and program.columns[j].kind == "category":
                matrix[:, j] = [np.nan if value is None else value for value in values]
        return matrix
    frame = {}
    read = program.read_columns()
    for i, (column, values) in enumerate(zip(program.columns, columns, strict=True)):
        is_idle = column.kind == "number" and i not in read
        if is_idle and isinstance(like, pd.DataFrame) and len(like) and column.name in like:
            some = np.arange(len(values)) % len(like)  # the model may insist on their type
            frame[column.name] = like[column.name].iloc[some].reset_index(drop=True)
        elif column.kind == "datetime":
            frame[column.name] = pd.Series(_times(values, "M8[us]"))
        elif column.kind == "timedelta":
            frame[column.name] = pd.Series(_times(np.round(values * 1e6), "m8[us]"))
        elif column.kind == "category":
            frame[column.name] = _texts(values, text, like, column.name)
        else:
            frame[column.name] = _as_categories(pd.Series(values), like, column.name)
    return pd.DataFrame(frame)


def _texts(values: np.ndarray, text: Text, like: Any, name: str) -> pd.Series:
    series = pd.Series(values, dtype=object)  # "none"
    if isinstance(like, pd.DataFrame) and name in like:
        dtype = like[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            return _as_categories(series, like, name)
        if isinstance(dtype, pd.StringDtype):
            return series.astype(dtype)
        gone = like[name][like[name].isna()].tolist()
        if dtype == np.dtype(object) and gone:  # encoders tell None from NaN
            return pd.Series([gone[0] if v is None else v for v in values], dtype=object)
    if text == "nan":
        return pd.Series([np.nan if value is None else value for value in values])
    return series.astype("category") if text == "category" else series


def _as_categories(series: pd.Series, like: Any, name: str) -> pd.Series:
    """Return values as categories where they are some in `like`; those it lacks come last."""
    dtype = like[name].dtype if isinstance(like, pd.DataFrame) and name in like else None
    if not isinstance(dtype, pd.CategoricalDtype):
        return series
    known = {category: category for category in dtype.categories}  # 1.0 finds 1, and True
    found = [known.get(value, value) for value in series]
    more = [value for value in series.dropna().unique() if value not in known]
    return pd.Series(pd.Categorical(found, categories=[*known, *more], ordered=dtype.ordered))


def _times(values: np.ndarray, dtype: str) -> np.ndarray:
    missing = np.isnan(values)
    times = np.where(missing, 0.0, values).astype(np.int64).astype(dtype)
    times[missing] = "NaT"
    return times


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

    Text and its missing values have several forms in Python, and a model may know only the one it
    was fitted on. Without rows to go by, the form in which it agrees with the program is taken.

    Parameters
    ----------
    model : object
    program : Program
    columns : sequence of arrays of shape (n_rows,)
    like : DataFrame, default=None
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
    has_text = any(column.kind == "category" for column in program.columns)
    if not has_text or isinstance(like, pd.DataFrame):
        return _answers(model, program, columns, rows_for_source(program, columns, like=like))
    form = _text_form(model, program, columns)
    return _answers(model, program, columns, rows_for_source(program, columns, text=form))


def _text_form(model: Any, program: Program, columns: Sequence[np.ndarray]) -> Text:
    """Return the form of text in which the model agrees with the program on some rows."""
    n = len(columns[0])
    some = np.unique(np.r_[: min(n, _FORM_ROWS), max(0, n - _FORM_ROWS) : n])
    columns = [column[some] for column in columns]
    (computed,) = evaluate(program, columns)
    computed[~accepted_rows(program, columns)] = np.nan
    forms: tuple[Text, ...] = ("nan", "none", "category") if program.named else ("nan", "none")
    answered: list[Text] = []
    for form in forms:
        try:
            rows = rows_for_source(program, columns, text=form)
            found = _answers(model, program, columns, rows)
        except ExportMismatchError:
            continue
        if largest_difference(computed, found, size_of(computed))[0] <= tolerance_of(program):
            return form
        answered.append(form)
    return [*answered, *forms][0]  # the check says where they differ


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
        for row in np.flatnonzero(~accepted)[:_REFUSED_TRIED]:
            try:
                _asked(model, program, _taken(rows, np.array([row])))
            except (TypeError, ValueError, OverflowError):
                continue
            raise ExportMismatchError(
                f"The export would refuse a row that {type(model).__name__} predicts. Got "
                f"{described(program, columns, row)}. Please report it."
            )
    return answers


def _check_labels(model: Any, program: Program, rows: Any, answers: np.ndarray) -> None:
    """Raise where the model's labels are not those of its largest answers, as an export's are."""
    if program.classes is None or not hasattr(model, "classes_"):
        return
    known = np.flatnonzero(np.isfinite(answers).all(axis=1))[:_LABELLED_ROWS]
    if len(known) == 0:
        return
    scores = answers[known]
    if scores.shape[1] == 1:
        scores = np.hstack([-scores, scores])
    top = np.sort(scores, axis=1)
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
            "both fit and predict X.astype('float64')."
        )

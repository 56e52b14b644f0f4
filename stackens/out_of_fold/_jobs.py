"""The fits of a cross-fit as independent jobs, each a function of one model and one split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline

from stackens._core._rows import is_sized_like, n_rows, take_rows
from stackens._core._task import Task
from stackens.exceptions import BaseModelError, BaseModelTypeError
from stackens.out_of_fold._policy import Policy, final_step
from stackens.out_of_fold._responses import respond
from stackens.out_of_fold._routing import fit_model
from stackens.out_of_fold._table import Response

__all__ = [
    "Data",
    "Fitted",
    "Member",
    "fit_fold",
    "fit_full",
    "fit_out_of_bag",
    "model_error",
    "predict_frozen",
]

_THREAD_PARAMETERS = ("n_jobs", "num_threads", "nthread", "thread_count")
# Packages whose models take all cores when they are not told how many.
_TAKES_ALL_CORES = ("lightgbm.", "xgboost.", "catboost.")
# Probabilities of networks in half precision are as exact as this.
_ROUNDING = 1e-3
# What helps against errors of other libraries that do not say so.
_ENCODE = "Put a stackens.TabularEncoder before it, in a Pipeline."
_HINTS = {
    "could not convert string to float": _ENCODE,
    "must be int, float": _ENCODE,  # LightGBM and XGBoost of a frame with text
    "contains NaN.\n": f"{_ENCODE} It fills in what is missing.",
    # XGBoost, also where the training part of a fold misses a class
    "Invalid classes inferred from unique values of `y`": (
        "It takes classes only as 0, 1, ..., all of them in each training part: number them with "
        "sklearn.preprocessing.LabelEncoder, and keep rare ones in all folds or leave them out."
    ),
    # of a search in one model for each class, whose weights have to be routed
    "not explicitly set as requested or not requested": (
        "Requests count after sklearn.set_config(enable_metadata_routing=True)."
    ),
}


@dataclass(frozen=True)
class Data:
    """The training rows, as base models get them."""

    X: Any
    y: Any
    task: Task


@dataclass(frozen=True)
class Member:
    """A base model with everything that decides how it is fitted."""

    name: str
    estimator: Any
    response: Response
    policy: Policy
    fit_params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """What a job gives back.

    Parameters
    ----------
    model : object or None
        The fitted model, None where only its predictions are needed.
    values : ndarray of shape (n_rows_predicted, n_outputs) or None
    seconds : float
        Wall time of fitting and predicting, in seconds.
    error : BaseModelError or None
        Why it failed, when failures are collected instead of raised.
    """

    model: Any = None
    values: np.ndarray | None = None
    seconds: float = 0.0
    error: BaseModelError | None = None


def fit_fold(
    member: Member,
    data: Data,
    train: np.ndarray,
    test: np.ndarray,
    where: str,
    threads: int | None,
    on_error: str,
) -> Fitted:
    """Fit on the training part of a split and predict its test part."""
    start = time.perf_counter()
    try:
        model = clone(member.estimator)
        with _bounded_model(model, threads):
            _fit(model, member, data, train)
            values = respond(
                model,
                take_rows(data.X, test),
                member.response,
                data.task,
                n_train=len(train),
                threads=threads,
            )
        _check_values(values, member.response)
    except Exception as error:
        return _failure(member, where, error, on_error)
    kept = model if member.policy == "bag" else None
    return Fitted(kept, values, time.perf_counter() - start)


def fit_full(member: Member, data: Data, threads: int | None, on_error: str) -> Fitted:
    """Fit on all rows, for predicting new ones."""
    start = time.perf_counter()
    try:
        model = clone(member.estimator)
        with _bounded_model(model, threads):
            _fit(model, member, data)
    except Exception as error:
        return _failure(member, "the fit on all rows", error, on_error)
    return Fitted(model, None, time.perf_counter() - start)


def fit_out_of_bag(member: Member, data: Data, threads: int | None, on_error: str) -> Fitted:
    """Fit a bagged forest once on all rows; its out-of-bag predictions are out-of-fold.

    Rows that were in the bag of every tree come back as NaN.
    """
    start = time.perf_counter()
    try:
        model = clone(member.estimator)
        prefix = f"{model.steps[-1][0]}__" if isinstance(model, Pipeline) else ""
        before = model.get_params()[f"{prefix}oob_score"]
        model.set_params(**{f"{prefix}oob_score": True})
        with _bounded_model(model, threads):
            _fit(model, member, data)
        forest = final_step(model)
        values = respond(_OutOfBag(forest), data.X, member.response, data.task)
        values[_never_out_of_bag(forest)] = np.nan
        known = values[~np.isnan(values).all(axis=1)]
        _check_values(known, member.response)
        model.set_params(**{f"{prefix}oob_score": before})
        if not before:  # as large as the table, and nobody asked for them
            for attribute in ("oob_score_", *_OUT_OF_BAG):
                vars(forest).pop(attribute, None)
    except Exception as error:
        return _failure(member, "the out-of-bag fit", error, on_error)
    return Fitted(model, values, time.perf_counter() - start)


def predict_frozen(member: Member, data: Data, threads: int | None, on_error: str) -> Fitted:
    """Predict with a model that is never fitted here."""
    start = time.perf_counter()
    try:
        values = respond(member.estimator, data.X, member.response, data.task, threads=threads)
        _check_values(values, member.response)
    except Exception as error:
        return _failure(member, "its predictions", error, on_error)
    return Fitted(member.estimator, values, time.perf_counter() - start)


_OUT_OF_BAG = ("oob_decision_function_", "oob_prediction_")


def _out_of_bag_answer(forest: Any) -> np.ndarray:
    return next(getattr(forest, name) for name in _OUT_OF_BAG if hasattr(forest, name))


@dataclass(frozen=True)
class _OutOfBag:
    """Lets a forest's out-of-bag answers take the same road as its predictions."""

    forest: Any

    @property
    def classes_(self) -> np.ndarray:
        return self.forest.classes_

    def predict_proba(self, X: Any) -> np.ndarray:
        del X
        # A copy, because rows that were never out of bag are marked in it.
        return _out_of_bag_answer(self.forest).copy()

    def predict(self, X: Any) -> np.ndarray:
        answer = self.predict_proba(X)
        return self.classes_[answer.argmax(axis=1)] if is_classifier(self.forest) else answer


def _never_out_of_bag(forest: Any) -> np.ndarray:
    """Return the rows that every tree was trained on."""
    answer = _out_of_bag_answer(forest)
    answer = answer.reshape(len(answer), -1)
    # Forests answer 0 for them and bagging NaN. To look at the drawn rows takes memory for every
    # tree and row, so it is done only where the answer leaves a doubt.
    rows = np.flatnonzero(~answer.any(axis=1) | np.isnan(answer).any(axis=1))
    for drawn in forest.estimators_samples_ if len(rows) else ():
        rows = rows[np.isin(rows, drawn)]
    return rows


def _fit(model: Any, member: Member, data: Data, rows: np.ndarray | None = None) -> None:
    X, y, params = data.X, data.y, member.fit_params
    if isinstance(X, np.ndarray):  # Dask puts arrays at odd addresses, where sums round differently
        X = np.require(X, requirements="A")
    if rows is not None:
        n_samples = n_rows(X)
        X, y = take_rows(X, rows), take_rows(y, rows)
        params = {
            key: take_rows(value, rows) if is_sized_like(value, n_samples) else value
            for key, value in params.items()
        }
    fit_model(model, X, y, params)


@contextmanager
def _bounded_model(model: Any, threads: int | None) -> Iterator[None]:
    """Hold a model's own thread counts at the budget of its job while it fits and predicts."""
    if threads is None or not hasattr(model, "get_params"):
        yield
        return
    params = model.get_params(deep=True)
    before = {
        key: value
        for key, value in params.items()
        if key.rpartition("__")[2] in _THREAD_PARAMETERS
        and _exceeds(value, threads, params.get(key.rpartition("__")[0], model))
    }
    if before:
        model.set_params(**dict.fromkeys(before, threads))
    try:
        yield
    finally:
        if before:
            model.set_params(**before)


def _exceeds(value: Any, threads: int, owner: Any) -> bool:
    """Whether a model's setting may take more threads than its job has."""
    if value is None:
        return type(owner).__module__.startswith(_TAKES_ALL_CORES)
    return not 0 < value <= threads


def _check_values(values: np.ndarray, response: Response) -> None:
    """Raise unless all values are finite, and probabilities where they are called so."""
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise ValueError(
            f"it predicted NaN or infinite values for {bad} of {len(values)} rows "
            "(input X contains NaN or infinity that it passes on, or its training diverged)"
        )
    if response != "predict_proba" or not values.size:
        return
    lowest, highest = values.min(), values.max()
    if lowest < -_ROUNDING or highest > 1.0 + _ROUNDING:
        outside = ((values < -_ROUNDING) | (values > 1.0 + _ROUNDING)).any(axis=1)
        raise ValueError(
            f"it predicted probabilities outside [0, 1] for {int(outside.sum())} of {len(values)} "
            f"rows (from {lowest:.6g} to {highest:.6g}; margins belong into a method called "
            "decision_function)"
        )


def _failure(member: Member, where: str, error: Exception, on_error: str) -> Fitted:
    failure = model_error(
        f"Base model {member.name!r} ({type(member.estimator).__name__}) failed in {where}",
        error,
        "Fix or remove it; on_error='drop', where it can be set, goes on without it.",
    )
    if on_error == "raise":
        raise failure from error
    return Fitted(error=failure)


def model_error(what: str, error: Exception, advice: str) -> BaseModelError:
    """Return the error that says which model failed, why, and what to do."""
    kind = BaseModelTypeError if isinstance(error, TypeError) else BaseModelError
    said = str(error).rstrip(". ")
    said = f"{said}." if len(said) <= 600 else f"{said[:600]} ..."  # some print all of X
    hints = [f"{hint} " for sign, hint in _HINTS.items() if sign in said]
    return kind(f"{what}: {type(error).__name__}: {said} {''.join(hints)}{advice}")

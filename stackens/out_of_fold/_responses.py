"""What to ask of a base model, and how its answer becomes one layout for all models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from stackens._core._rows import n_rows
from stackens._core._task import Task
from stackens.out_of_fold._policy import final_step
from stackens.out_of_fold._table import Response

__all__ = [
    "ask_boosters",
    "choose_response",
    "estimator_type",
    "final_lightgbm",
    "respond",
    "transformed",
]

_METHODS = ("predict_proba", "decision_function", "predict")
# Settings of LightGBM that change a prediction and that its wrapper hands on.
_LIGHTGBM_PREDICTION = ("pred", "raw_score", "is_predict", "start_iteration", "num_iteration_pred")


def estimator_type(estimator: Any) -> str | None:
    """Return "classifier", "regressor", or None for models that do not say."""
    try:
        return get_tags(estimator).estimator_type
    except AttributeError:  # not derived from scikit-learn's BaseEstimator
        return getattr(estimator, "_estimator_type", None)


def choose_response(name: str, estimator: Any, stack_method: str, task: Task) -> Response:
    """Return the method to call on a base model.

    Parameters
    ----------
    name : str
        Name of the model, for the message.
    estimator : object
        The base model, fitted or not.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}
        ``"auto"`` takes the first of the three that the model has.
    task : Task
    """
    if not task.is_classification:
        if estimator_type(estimator) == "classifier":
            raise ValueError(
                f"A target of numbers needs regressors: the estimator {name} should be a "
                f"regressor. Got a {type(estimator).__name__}, which is a classifier. Use the "
                "regressor of its kind, or a classifying ensemble for a target of classes."
            )
        stack_method = "predict"
    if estimator_type(estimator) == "clusterer":
        raise ValueError(
            f"Base models learn the target. Got {name!r} ({type(estimator).__name__}), whose "
            "clusters have numbers that mean nothing. Use it before a model, in a Pipeline or a "
            "FeatureUnion."
        )
    wanted = _METHODS if stack_method == "auto" else (stack_method,)
    for method in wanted:
        if hasattr(estimator, method):
            is_value = method == "predict" and task.is_classification
            is_value = is_value and estimator_type(estimator) == "regressor"
            if is_value and task.classes is not None and task.classes.dtype.kind not in "biuf":
                raise ValueError(
                    f"A regressor as base model learns classes that are numbers. Got {name!r} "
                    f"({type(estimator).__name__}) and the classes {task.classes.tolist()[:10]}. "
                    "Leave it out, or number the classes."
                )
            return "value" if is_value else method  # type: ignore[return-value]
    if getattr(final_step(estimator), "final_estimator", estimator) is None:
        return wanted[0]  # type: ignore[return-value]  # a stack that makes its default in fit
    raise ValueError(
        f"Underlying estimator {name} does not implement the method {' or '.join(wanted)}. "
        f"Got a {type(estimator).__name__}. Choose another stack_method, or leave the model out."
    )


def respond(
    model: Any,
    X: Any,
    response: Response,
    task: Task,
    *,
    n_train: int | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Return a fitted model's predictions in the layout of the table.

    Whether they are finite, and probabilities between 0 and 1, is not asked here.

    Parameters
    ----------
    model : object
        A fitted base model.
    X : features of shape (n_samples, n_features)
    response : str
        What to ask, from :func:`choose_response`.
    task : Task
    n_train : int or None, default=None
        Training rows of the model. A class it never saw gets the probability 1 / (n_train +
        n_classes) of Laplace's rule, or 0 when None.
    threads : int or None, default=None
        Threads for models whose prediction can be told; None leaves their own setting.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), float64

    Raises
    ------
    ValueError
        If the model gives another number of rows or columns, or labels that are no classes.
    """
    raw = None
    lightgbm = final_lightgbm(model, response)
    if lightgbm is not None:
        steps, model = lightgbm
        X = transformed(X, steps)
        raw = ask_boosters([model], [X], threads)
    if raw is None:
        raw = getattr(model, "predict" if response == "value" else response)(X)
        _check_length(raw, n_rows(X), task, model)
    if not task.is_classification:
        return _shaped(raw, X, task, model)
    if response == "value" and task.has_classes:
        column = _shaped(raw, X, None, model)
        return np.repeat(column[:, :1], task.n_outputs, axis=1)
    if task.classes is None:
        return _multilabel(raw, X, response, task, n_train, model)
    if response == "predict":
        return _votes(np.asarray(raw), task.classes)
    seen = getattr(model, "classes_", None)
    seen = task.classes if seen is None else np.asarray(seen)
    if response == "predict_proba":
        return _probabilities(np.asarray(raw, dtype=np.float64), seen, task, n_train, model)
    return _margins(np.asarray(raw, dtype=np.float64), seen, task, model)


def _check_length(raw: Any, n_samples: int, task: Task, model: Any) -> None:
    """Raise unless there is an answer for each row; forests give one array for each label."""
    by_label = isinstance(raw, list) and task.kind == "multilabel" and np.ndim(raw[:1]) == 3
    for part in raw if by_label else [raw]:
        if part is None or (np.ndim(part) and n_rows(part) != n_samples):
            got = "None" if part is None else f"{n_rows(part)} answers"
            raise ValueError(
                f"A base model must give one answer for each row. Got {got} for {n_samples} rows "
                f"from {type(model).__name__}. Correct what it returns."
            )


def _shaped(raw: Any, X: Any, task: Task | None, model: Any) -> np.ndarray:
    n_samples = n_rows(X)
    values = np.asarray(raw, dtype=np.float64).reshape(n_samples, -1)
    if task is not None and values.shape[1] != task.n_outputs:
        raise ValueError(
            f"A base model must predict {task.n_outputs} outputs for each row. Got "
            f"{values.shape[1]} from {type(model).__name__}. Wrap it in MultiOutputRegressor or "
            "MultiOutputClassifier."
        )
    return values


def _codes(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the classes."""
    index = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    known = classes[index] == labels
    if not known.all():
        raise ValueError(
            f"A base model predicts {labels[~known][0]!r}, which is not among the classes of y, "
            f"{classes.tolist()}. Base models must predict labels in the form they were given."
        )
    return index


def _votes(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    index = _codes(labels.reshape(len(labels)), classes)
    return (index[:, None] == np.arange(len(classes))).astype(np.float64)


def _class_columns(seen: np.ndarray, task: Task, width: int, model: Any) -> np.ndarray | None:
    """Return the columns of the seen classes, or None when all classes were seen in order."""
    if len(seen) != width:
        raise ValueError(
            f"A base model must give one column for each class. Got {width} columns for "
            f"{len(seen)} classes from {type(model).__name__}. For an SVC set "
            "decision_function_shape='ovr'."
        )
    if len(seen) == task.n_outputs and (seen == task.classes).all():
        return None
    return _codes(seen, task.classes)  # type: ignore[arg-type]


def _probabilities(
    values: np.ndarray, seen: np.ndarray, task: Task, n_train: int | None, model: Any
) -> np.ndarray:
    if values.ndim == 1:
        values = np.column_stack([1.0 - values, values])
    elif len(seen) == 1:
        values = values[:, :1]  # LightGBM has a second column for the class that it never saw
    columns = _class_columns(seen, task, values.shape[1], model)
    if columns is None:
        return values
    floor = 0.0 if n_train is None else 1.0 / (n_train + task.n_outputs)
    full = np.full((len(values), task.n_outputs), floor)
    full[:, columns] = values * (1.0 - floor * (task.n_outputs - len(columns)))
    return full


def _margins(values: np.ndarray, seen: np.ndarray, task: Task, model: Any) -> np.ndarray:
    if values.ndim == 1 or values.shape[1] == 1:
        margin = values.reshape(len(values))
        values = np.column_stack([-margin, margin])
    columns = _class_columns(seen, task, values.shape[1], model)
    if columns is None:
        return values
    # An unseen class ranks below every seen one by the spread of the row, never by infinity.
    lowest, highest = values.min(axis=1), values.max(axis=1)
    full = np.repeat((2.0 * lowest - highest)[:, None], task.n_outputs, axis=1)
    full[:, columns] = values
    return full


def _multilabel(
    raw: Any, X: Any, response: Response, task: Task, n_train: int | None, model: Any
) -> np.ndarray:
    if isinstance(raw, list) and response == "predict_proba":
        classes = getattr(model, "classes_", [np.array([0, 1])] * len(raw))
        floor = 0.0 if n_train is None else 1.0 / (n_train + 2)
        columns = [
            label[:, 1]
            if label.shape[1] == 2
            else np.full(len(label), 1.0 - floor if seen[-1] else floor)
            for label, seen in zip(raw, classes, strict=True)
        ]
        raw = np.column_stack(columns)
    return _shaped(raw.toarray() if sparse.issparse(raw) else raw, X, task, model)


def final_lightgbm(model: Any, response: Response) -> tuple[list[Any], Any] | None:
    """Return a fitted LightGBM model and the steps before it, where its booster alone will do.

    The wrapper and the Pipeline spend most of a one-row call on checks. The wrapper adds
    something only for a custom objective (it returns raw scores, with a warning) and for
    settings of prediction. None: ask the model itself.
    """
    steps = [step for _, step in model.steps] if type(model) is Pipeline else [model]
    final = steps.pop()
    alone = (
        type(final).__module__ == "lightgbm.sklearn"
        and response == ("predict_proba" if hasattr(final, "classes_") else "predict")
        and isinstance(getattr(final, "objective_", None), str)
        and not any(key.startswith(_LIGHTGBM_PREDICTION) for key in final.booster_.params)
    )
    if not alone:
        return None
    return [step for step in steps if step is not None and step != "passthrough"], final


def transformed(X: Any, steps: Sequence[Any]) -> Any:
    """Return X after the steps of a Pipeline that stand before its model."""
    for step in steps:
        X = step.transform(X)
    return X


def ask_boosters(models: Sequence[Any], tables: Iterable[Any], threads: int | None) -> Any:
    """Return the mean prediction of LightGBM models, or None if a table needs the wrapper.

    Each model gets the table of its place. Numbers and pandas frames go to the boosters as
    they are.
    """
    total: Any = 0.0
    for model, X in zip(models, tables, strict=True):
        if getattr(X, "ndim", 0) != 2 or X.shape[1] != model.n_features_in_:
            return None
        if isinstance(X, np.ndarray) and X.dtype.kind not in "fiub":
            return None
        n_threads = threads
        if n_threads is None:
            own = model.n_jobs
            n_threads = 1 if X.shape[0] < 256 else (0 if own is None or own < 0 else own)
        total = total + model.booster_.predict(X, num_threads=n_threads)
    mean = total / len(models)
    if mean.ndim == 1 and hasattr(models[0], "classes_"):
        both = np.empty((len(mean), 2))
        both[:, 0], both[:, 1] = 1.0 - mean, mean
        return both
    return mean

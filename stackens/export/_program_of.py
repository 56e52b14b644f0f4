"""Reads a fitted model of any kind into a program: its columns, its answer, its classes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from stackens.exceptions import ExportError
from stackens.export.program import Graph, Program
from stackens.export.readers import Method, Table, read_response
from stackens.out_of_fold import CrossFit, estimator_type

__all__ = ["program_of"]

# What holds one model that decides for it, and under which name.
_HOLDERS = {"FrozenEstimator": ["estimator"], "SelfTrainingClassifier": ["estimator_"]}
_KINDS_WITH_AN_ANSWER = ("classifier", "regressor", None)  # None: it does not say


def program_of(model: Any) -> Program:
    """Read a fitted model into a program.

    Parameters
    ----------
    model : object
        A fitted classifier or regressor of stackens, scikit-learn, LightGBM or XGBoost, alone or
        in a Pipeline; a fitted student; a bare LightGBM booster. A classifier answers with
        ``predict_proba`` where it has it, else with ``decision_function``.

    Returns
    -------
    Program

    Raises
    ------
    ExportError
        If the model, or a part of it, cannot be written exactly.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stackens.export._program_of import program_of
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> program = program_of(LogisticRegression(max_iter=500).fit(X, y))
    >>> program.response, program.classes.tolist(), program.columns[0].name
    ('probabilities', [0, 1, 2], 'sepal length (cm)')
    """
    _require_answers(model)
    names = _names_of_columns(model)
    given = [f"x{i}" for i in range(names)] if isinstance(names, int) else names
    graph = Graph(given, named=given is names)
    table = Table.of_raw_rows(graph)
    if _is_booster(model):
        return _program_of_booster(model, graph, table)
    if not _is_classifier(model):
        node = read_response(model, graph, table, "predict")
        one_target = graph.width(node) == 1 and not _predicts_a_matrix(model)
        return graph.program(node, "values", one_target=one_target)
    _require_one_label(model)
    _require_largest(model)
    method = _method_of(model)
    node = read_response(model, graph, table, method)
    width = graph.width(node)
    classes = np.asarray(getattr(model, "classes_", np.arange(max(width, 2))))
    if len(classes) == 1 and (method, width) != ("predict_proba", 1):
        raise ExportError(
            "A classifier of one class must give it a probability of 1 to be exported. Got "
            f"{_shown(model)} of the class {classes.tolist()[0]!r}, which does not. Fit it on rows "
            "of two classes or more."
        )
    one_score = method == "decision_function" and len(classes) == 2
    if width != (1 if one_score else len(classes)):
        raise ExportError(
            f"A classifier must answer with a column for each of its {len(classes)} classes. Got "
            f"{width} from {_shown(model)}. For an SVC set decision_function_shape='ovr'."
        )
    return graph.program(node, "probabilities" if method == "predict_proba" else "scores", classes)


def _require_answers(model: Any) -> None:
    """Refuse what is no model, gives no answer to single rows, or is not fitted."""
    if isinstance(model, type):
        raise ExportError(
            f"Exports need a fitted model. Got the class {model.__name__}. Make an object of it, "
            "and fit it."
        )
    if type(model).__module__ == "xgboost.core":
        raise ExportError(
            "An XGBoost booster must be exported in the estimator around it, which knows its "
            f"columns and classes. Got a bare {type(model).__name__}. Load it into an "
            "XGBClassifier or XGBRegressor (load_model(booster.save_raw())), and export that."
        )
    kind = estimator_type(model)
    has_answer = hasattr(model, "predict") and not isinstance(model, CrossFit)
    if not has_answer or kind not in _KINDS_WITH_AN_ANSWER:
        what = f"{kind or type(model).__name__} without a prediction of classes or values"
        raise ExportError(
            f"Exports need a classifier or a regressor. Got {_shown(model)}, a {what}. A "
            "transformer is exported together with the model behind it, in a Pipeline; a "
            "cross-fit with its combiner, as a StackedClassifier or the like."
        )
    if isinstance(model, BaseEstimator):
        try:
            check_is_fitted(model)
        except NotFittedError as error:
            raise NotFittedError(
                f"Exports need a fitted model. Got {_shown(model)}, which is not fitted yet. Call "
                "'fit' with training rows before."
            ) from error


# --- columns --------------------------------------------------------------------------------------


def _names_of_columns(model: Any) -> list[str] | int:
    """Return the names of the columns of raw rows, or how many there are where none were named."""
    if _is_booster(model):
        return _named_by_user(model.feature_name())
    part = model
    while part is not None:
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return _named_by_user([str(name) for name in names])
        count = getattr(part, "n_features_in_", None)
        if count is not None:
            return int(count)
        after = _first_part(part)
        if after is None:
            count = _width_of_network(part)
            if count is not None:
                return count
        part = after
    raise ExportError(
        f"The number of columns must be known. Got {_shown(model)}, which has no n_features_in_. "
        "Put it into a Pipeline behind a step that has, such as stackens.TabularEncoder, or fit "
        "an estimator that does."
    )


def _named_by_user(names: list[str]) -> list[str] | int:
    """Leave out the names that LightGBM gives to columns without one."""
    made = [f"Column_{i}" for i in range(len(names))]
    return len(names) if names == made else names


def _first_part(model: Any) -> Any:
    """Return the part of a model that raw rows reach first, or None."""
    if isinstance(model, Pipeline):
        return next((s for _, s in model.steps if s is not None and s != "passthrough"), None)
    for name in ("encoder", "preprocess", "estimator", "network", "module", "model"):
        part = getattr(model, name, None)
        if part is not None:
            return part
    fitted = getattr(model, "estimators_", None)
    return fitted[0] if isinstance(fitted, list) and fitted else None


def _width_of_network(network: Any) -> int | None:
    """Return how many numbers the first layer of a torch or Keras network reads."""
    shape = getattr(network, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and shape[1] is not None:
        return int(shape[1])
    for layer in network.modules() if hasattr(network, "modules") else ():
        width = getattr(layer, "in_features", getattr(layer, "num_features", None))
        if width is not None:
            return int(width)
    return None


# --- answers --------------------------------------------------------------------------------------


def _is_classifier(model: Any) -> bool:
    kind = estimator_type(model)
    return kind == "classifier" or (kind is None and hasattr(model, "classes_"))


def _require_one_label(model: Any) -> None:
    if isinstance(getattr(model, "classes_", None), list) or getattr(model, "multilabel_", False):
        raise ExportError(
            "Exports answer with one class or with values for each row. Got "
            f"{_shown(model)} of several labels (multilabel or multi-output). Export a model of "
            "each label by itself."
        )


def _require_largest(model: Any) -> None:
    """Refuse classifiers whose labels are not those of the largest probability or score.

    An export has one answer, from which its labels follow.
    """
    final = _deciding(model)
    problem = _labels_of_another_rule(final)
    if problem is not None:
        raise ExportError(
            "The label of an exported classifier is that of its largest probability, or score. "
            f"Got {_shown(final)}, {problem}"
        )


def _labels_of_another_rule(model: Any) -> str | None:
    """Say why labels do not follow from the answer, and what to do; None where they do."""
    name, n_classes = type(model).__name__, len(getattr(model, "classes_", ()))
    if name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV"):
        return (
            "which has a threshold of its own. Export the classifier inside it (its 'estimator_'), "
            "and apply the threshold to the probabilities."
        )
    if name in ("SVC", "NuSVC") and hasattr(model, "predict_proba"):
        return (
            "whose labels do not follow from its probabilities. Set probability=False, or put it "
            "into CalibratedClassifierCV."
        )
    if name in ("SVC", "NuSVC") and n_classes > 2 and not model.break_ties:
        return (
            "which breaks ties in another way. Set break_ties=True (set_params); no new fit is "
            "needed."
        )
    one_pair = name == "OneVsOneClassifier" and n_classes == 2
    if one_pair and not hasattr(model.estimators_[0], "decision_function"):
        return (
            "whose score is a probability and whose threshold is a half. Export the one "
            "classifier inside it (estimators_[0])."
        )
    if name == "SGDClassifier" and model.loss == "modified_huber" and n_classes > 2:
        return (
            "whose probabilities are cut off at 1, so that classes with different scores tie. Use "
            "loss='log_loss'."
        )
    return None


def _deciding(model: Any) -> Any:
    """Return the model inside that decides on the labels."""
    if isinstance(model, Pipeline):
        return _deciding(model.steps[-1][1])
    inside = [*_HOLDERS.get(type(model).__name__, ()), "final_estimator_", "best_estimator_"]
    for name in inside:
        part = getattr(model, name, None)
        if hasattr(part, "predict"):
            return _deciding(part)
    return model


def _method_of(model: Any) -> Method:
    if hasattr(model, "predict_proba"):
        return "predict_proba"
    if hasattr(model, "decision_function"):
        return "decision_function"
    raise ExportError(
        "A classifier must have predict_proba or decision_function. Got "
        f"{_shown(model)}, which only has predict. Choose settings with probabilities, such as "
        "voting='soft'."
    )


def _predicts_a_matrix(model: Any) -> bool:
    """Whether a regressor of one target answers in two dimensions, as its target had them."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    if hasattr(model, "task"):  # a student, or a bag of fold models
        return model.task.y_ndim == 2
    module, name = type(model).__module__, type(model).__name__
    if not module.startswith("sklearn."):
        return False
    if name in ("MultiOutputRegressor", "RegressorChain"):
        return True
    if hasattr(model, "_training_dim"):  # of a TransformedTargetRegressor
        return model._training_dim == 2
    if hasattr(model, "_predict_1d"):  # of partial least squares
        return not model._predict_1d
    part = {"sklearn.linear_model": "coef_", "sklearn.kernel_ridge": "dual_coef_"}
    part["sklearn.neighbors"] = "_y"
    return any(
        module.startswith(family) and np.ndim(getattr(model, attribute, 0)) == 2
        for family, attribute in part.items()
    )


def _is_booster(model: Any) -> bool:
    return type(model).__module__ == "lightgbm.basic"


def _program_of_booster(booster: Any, graph: Graph, table: Table) -> Program:
    header = booster.model_to_string(num_iteration=1)
    found = re.search(r"^objective=(\w+)", header, re.MULTILINE)
    name = found[1] if found else ""
    if name in ("binary", "multiclass", "multiclassova"):
        node = read_response(booster, graph, table, "predict_proba")
        return graph.program(node, "probabilities", np.arange(graph.width(node)))
    node = read_response(booster, graph, table, "predict")
    return graph.program(node, "values", one_target=graph.width(node) == 1)


def _shown(model: Any) -> str:
    return " ".join(f"{model!r:.200}".split())

"""Reads calibrated classifiers and isotonic regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import (
    answer_of_probabilities,
    distribution,
    first_response,
    only_predicts,
    refuse_unless,
)
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._steps import step_functions
from stackens.export.readers.preprocessing._refusal import finite_numbers, refuse_not_finite

__all__: list[str] = []

_TINY = 1e-12  # added to probabilities before their logarithm (sklearn.calibration)


@reads_model("sklearn.CalibratedClassifierCV")
def _calibrated(model: Any, graph: Graph, table: Table, method: Method) -> int:
    parts = [_one_calibrated(part, graph, table) for part in model.calibrated_classifiers_]
    return answer_of_probabilities(model, graph, method, graph.mean(parts))


def _one_calibrated(model: Any, graph: Graph, table: Table) -> int:
    scores, method = first_response(
        model.estimator, graph, table, ("decision_function", "predict_proba")
    )
    if model.method == "temperature":
        probabilities = _tempered(model.calibrators[0], graph, scores, method)
    else:
        probabilities = _one_by_one(model, graph, scores)
    if model.method != "isotonic" or len(model.classes) > 2:
        return probabilities
    # as the source does, because an interpolated probability may be above 1 by rounding
    above = graph.arithmetic("less", graph.constant(1.0), probabilities)
    barely = graph.arithmetic("less_equal", probabilities, graph.constant(1.0 + 1e-5))
    both = graph.arithmetic("multiply", above, barely)
    return graph.choose(both, graph.constant(1.0), probabilities)


def _one_by_one(model: Any, graph: Graph, scores: int) -> int:
    """Calibrate each column by itself; a class that the classifier does not know gets 0."""
    n_classes = len(model.classes)
    columns = [graph.constant(0.0)] * n_classes
    known = np.searchsorted(model.classes, model.estimator.classes_).tolist()
    for k, place, calibrator in zip(
        range(graph.width(scores)), known, model.calibrators, strict=False
    ):
        calibrate = _isotonic if hasattr(calibrator, "f_") else _sigmoid
        column = calibrate(calibrator, graph, graph.select(scores, [k]))
        columns[place + (n_classes == 2)] = column
    if n_classes == 2:
        return graph.two_classes(columns[1])
    return distribution(graph, graph.concatenate(columns))


def _sigmoid(calibrator: Any, graph: Graph, score: int) -> int:
    slope, offset = float(calibrator.a_), float(calibrator.b_)
    total = graph.plus(graph.times(score, slope), offset)
    return graph.elementwise("sigmoid", graph.elementwise("negative", total))


def _tempered(calibrator: Any, graph: Graph, scores: int, method: Method) -> int:
    if method == "predict_proba":
        both = graph.two_classes(scores) if graph.width(scores) == 1 else scores
        logits = graph.elementwise("log", graph.plus(both, _TINY))
    elif graph.width(scores) == 1:
        logits = graph.concatenate([graph.elementwise("negative", scores), scores])
    else:
        logits = scores
    refuse_not_finite(graph, scores)
    return graph.softmax(graph.times(logits, float(calibrator.beta_)))


def _isotonic(model: Any, graph: Graph, source: int) -> int:
    """Return the piecewise linear function, of one column; it reads finite numbers only."""
    x, y = np.asarray(model.X_thresholds_), np.asarray(model.y_thresholds_)
    if x.dtype != np.float32:
        refuse_not_finite(graph, source)
        return graph.interpolate(source, x, y)
    source = graph.elementwise("round_single", source)
    refuse_not_finite(graph, source)
    return _single_interpolation(graph, source, x, y.astype(np.float32))


def _single_interpolation(graph: Graph, source: int, x: np.ndarray, y: np.ndarray) -> int:
    """Interpolate as scipy does in single precision: ``slope * (x - x0) + y0``.

    A sum, product or difference in double precision, rounded, is that of single precision.
    """
    if len(x) == 1:
        return graph.constant(float(y[0]))
    inside = graph.clip(source, float(x[0]), float(x[-1]))
    rows = np.column_stack([x[:-1], np.diff(y) / np.diff(x), y[:-1]])
    segment = graph.add(step_functions(inside, [(x[1:-1], rows)]))
    left, slope, start = (graph.select(segment, [j]) for j in range(3))
    value = graph.elementwise("round_single", graph.arithmetic("subtract", inside, left))
    value = graph.elementwise("round_single", graph.arithmetic("multiply", slope, value))
    return graph.elementwise("round_single", graph.arithmetic("add", value, start))


@reads_model("sklearn.IsotonicRegression")
def _isotonic_regression(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    x = finite_numbers(graph, table)
    values = _isotonic(model, graph, x)
    if model.out_of_bounds == "clip" or len(model.X_thresholds_) == 1:
        return values
    single = model.X_thresholds_.dtype == np.float32
    x = graph.elementwise("round_single", x) if single else x
    above = graph.arithmetic("less_equal", graph.constant(float(model.X_min_)), x)
    below = graph.arithmetic("less_equal", x, graph.constant(float(model.X_max_)))
    inside = graph.arithmetic("multiply", above, below)
    if model.out_of_bounds == "raise":
        refuse_unless(graph, inside)
        return values
    return graph.choose(inside, values, graph.constant(np.nan))

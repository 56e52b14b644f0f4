"""Reads support vector machines of scikit-learn (libsvm)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._answers import only_predicts
from stackens.export.readers._kernels import kernel_matrix, squared_differences
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._votes import votes_and_confidence
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []

# libsvm stops its search for two probabilities that agree with their odds within this, and
# two rounds always suffice, whatever the odds.
_TOLERANCE, _ROUNDS = 0.005 / 2, 2


@reads_model("sklearn.NuSVR", "sklearn.SVR")
def _regressor(model: Any, graph: Graph, table: Table, method: Method) -> int:
    only_predicts(model, method)
    return _sums(model, graph, table, _dense(model.dual_coef_).T)


@reads_model("sklearn.NuSVC", "sklearn.SVC")
def _classifier(model: Any, graph: Graph, table: Table, method: Method) -> int:
    n_classes = len(model.classes_)
    if method == "predict_proba":
        return _probabilities(model, graph, table)
    if n_classes == 2:
        scores = _sums(model, graph, table, _dense(model.dual_coef_).T)
        if method == "decision_function":
            return scores
        return graph.arithmetic("less_equal", graph.constant(0.0), scores)
    pairs = _sums(model, graph, table, _weights_of_pairs(model))
    zero = graph.constant(0.0)
    if method == "predict" and not model.break_ties:
        # as libsvm counts: what is not above zero is a vote for the second of the pair
        second = graph.arithmetic("less_equal", pairs, zero)
        votes, _ = votes_and_confidence(graph, second, pairs, n_classes)
        return graph.argmax(votes)
    if method == "decision_function" and model.decision_function_shape == "ovo":
        raise ExportError(
            "The scores of an exported classifier must be one for each class. Got an SVC with "
            "decision_function_shape='ovo'. Use decision_function_shape='ovr'."
        )
    second = graph.arithmetic("less", pairs, zero)
    confidence = graph.elementwise("negative", pairs)
    votes, sums = votes_and_confidence(graph, second, confidence, n_classes)
    scores = graph.arithmetic("add", votes, sums)
    return scores if method == "decision_function" else graph.argmax(scores)


def _sums(model: Any, graph: Graph, table: Table, weights: np.ndarray) -> int:
    """Return weighted sums of the kernel with the support vectors, plus the intercepts."""
    x = finite_numbers(graph, table)
    points = _dense(model.support_vectors_)
    intercept = np.asarray(model.intercept_, dtype=np.float64)
    if model.kernel == "linear":  # one step in place of one for each support vector
        return graph.dense(x, points.T @ weights, intercept)
    kernels = kernel_matrix(
        graph,
        x,
        points,
        kernel=model.kernel,
        gamma=model._gamma,
        coef0=model.coef0,
        degree=model.degree,
        squared=squared_differences,
    )
    return graph.dense(kernels, weights, intercept)


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)


def _weights_of_pairs(model: Any) -> np.ndarray:
    """Return weights of shape (n_support_vectors, n_pairs) for each pair of classes.

    Row j - 1 of the dual coefficients has those of class i against class j > i for the vectors
    of class i; row i those for the vectors of class j.
    """
    coefficients, ends = _dense(model.dual_coef_), np.cumsum([0, *model.n_support_])
    columns = []
    for i, j in combinations(range(len(model.classes_)), 2):
        column = np.zeros(coefficients.shape[1])
        column[ends[i] : ends[i + 1]] = coefficients[j - 1, ends[i] : ends[i + 1]]
        column[ends[j] : ends[j + 1]] = coefficients[i, ends[j] : ends[j + 1]]
        columns.append(column)
    return np.column_stack(columns)


def _probabilities(model: Any, graph: Graph, table: Table) -> int:
    """Return Platt's probabilities as libsvm finds them, rough stop included.

    References
    ----------
    Wu, Lin & Weng (2004), JMLR 5, algorithm 2; `multiclass_probability` of libsvm.
    """
    if model._probA.size == 0 or len(model.classes_) != 2:
        raise ExportError(
            f"Probabilities of {type(model).__name__} can be exported for two classes, and if it "
            f"was fitted with probability=True. Got {len(model.classes_)} classes and "
            f"probability={model.probability!r}. Wrap it in CalibratedClassifierCV."
        )
    scores = _sums(model, graph, table, _dense(model.dual_coef_).T)
    odds = graph.plus(graph.times(scores, model._probA[0]), -model._probB[0])
    first = graph.clip(graph.elementwise("sigmoid", odds), 1e-7, 1 - 1e-7)
    second = graph.arithmetic("subtract", graph.constant(1.0), first)
    p = [graph.constant(0.5), graph.constant(0.5)]
    for _ in range(_ROUNDS):
        p = _round(graph, (first, second), p)
    return graph.concatenate(p)


def _round(graph: Graph, r: tuple[int, int], p: list[int]) -> list[int]:
    """Return the next guess of both probabilities, or this one where it is good enough."""

    def do(function: str, left: int, right: int) -> int:
        return graph.arithmetic(function, left, right)

    one, limit = graph.constant(1.0), graph.constant(_TOLERANCE)
    square = [do("multiply", r[1], r[1]), do("multiply", r[0], r[0])]
    cross = graph.elementwise("negative", do("multiply", r[1], r[0]))
    slope = [
        do("add", do("multiply", square[t], p[t]), do("multiply", cross, p[1 - t])) for t in (0, 1)
    ]
    total = do("add", do("multiply", p[0], slope[0]), do("multiply", p[1], slope[1]))
    errors = [graph.elementwise("absolute", do("subtract", slope[t], total)) for t in (0, 1)]
    done = do("less", do("maximum", errors[0], errors[1]), limit)
    new = list(p)
    for t in (0, 1):
        step = do("divide", do("subtract", total, slope[t]), square[t])
        size = do("add", one, step)
        gain = do("add", do("multiply", step, square[t]), graph.times(slope[t], 2.0))
        total = do("divide", do("divide", do("add", total, do("multiply", step, gain)), size), size)
        move = [square[t] if j == t else cross for j in (0, 1)]
        slope = [
            do("divide", do("add", slope[j], do("multiply", step, move[j])), size) for j in (0, 1)
        ]
        new = [do("divide", do("add", new[j], step) if j == t else new[j], size) for j in (0, 1)]
    return [graph.choose(done, old, changed) for old, changed in zip(p, new, strict=True)]

"""Activation functions of networks, written in the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers.preprocessing._functions import expm1

__all__ = ["ACTIVATIONS"]

# Klambauer et al. (2017), arXiv:1706.02515, section 2
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _positive(graph: Graph, x: int, otherwise: int) -> int:
    """Return x where it is above zero, else another matrix."""
    return graph.choose(graph.arithmetic("less", graph.constant(0.0), x), x, otherwise)


def _least(graph: Graph, x: int, bound: float) -> int:
    return graph.arithmetic("maximum", x, graph.constant(bound))


def _most(graph: Graph, x: int, bound: float) -> int:
    return graph.arithmetic("minimum", x, graph.constant(bound))


def _celu(graph: Graph, x: int, alpha: float = 1.0) -> int:
    below = graph.times(expm1(graph, graph.over(_most(graph, x, 0.0), alpha)), alpha)
    return _positive(graph, x, below)


def _elu(graph: Graph, x: int, alpha: float = 1.0) -> int:
    return _positive(graph, x, graph.times(expm1(graph, _most(graph, x, 0.0)), alpha))


def _gelu(graph: Graph, x: int, approximate: bool = False) -> int:
    # Hendrycks & Gimpel (2016), arXiv:1606.08415, section 2
    half = graph.times(x, 0.5)
    if approximate:
        cube = graph.arithmetic("multiply", graph.arithmetic("multiply", x, x), x)
        inner = graph.arithmetic("add", x, graph.times(cube, 0.044715))
        share = graph.elementwise("tanh", graph.times(inner, math.sqrt(2 / math.pi)))
    else:
        share = graph.elementwise("erf", graph.times(x, math.sqrt(0.5)))
    return graph.arithmetic("multiply", half, graph.plus(share, 1.0))


def _hard_shrink(graph: Graph, x: int, lambd: float = 0.5) -> int:
    size = graph.elementwise("absolute", x)
    large = graph.arithmetic("less", graph.constant(lambd), size)
    return graph.choose(large, x, graph.times(x, 0.0))


def _hard_sigmoid(graph: Graph, x: int) -> int:
    return graph.over(_hard_tanh(graph, graph.plus(x, 3.0), 0.0, 6.0), 6.0)


def _hard_tanh(graph: Graph, x: int, lowest: float = -1.0, highest: float = 1.0) -> int:
    return graph.clip(x, lowest, highest)


def _leaky_relu(graph: Graph, x: int, slope: Any = 0.01) -> int:
    return _positive(graph, x, graph.times(x, slope))


def _log_sigmoid(graph: Graph, x: int) -> int:
    return graph.elementwise("negative", _softplus(graph, graph.elementwise("negative", x)))


def _log_softmax(graph: Graph, x: int) -> int:
    shifted = graph.arithmetic("subtract", x, graph.reduce("maximum", x))
    total = graph.reduce("sum", graph.elementwise("exp", shifted))
    return graph.arithmetic("subtract", shifted, graph.elementwise("log", total))


def _mish(graph: Graph, x: int) -> int:
    share = graph.elementwise("tanh", graph.elementwise("softplus", x))
    return graph.arithmetic("multiply", x, share)


def _relu(
    graph: Graph,
    x: int,
    slope: float = 0.0,
    highest: float | None = None,
    threshold: float = 0.0,
) -> int:
    """Return x above the threshold, ``slope * (x - threshold)`` below, no more than the highest."""
    if threshold == 0 and slope == 0:
        answer = _least(graph, x, 0.0)
    else:
        below = graph.times(graph.minus(x, threshold), slope)
        above = graph.arithmetic("less_equal", graph.constant(threshold), x)
        answer = graph.choose(above, x, below)
    return answer if highest is None else _most(graph, answer, highest)


def _selu(graph: Graph, x: int) -> int:
    return graph.times(_elu(graph, x, _SELU_ALPHA), _SELU_SCALE)


def _silu(graph: Graph, x: int) -> int:
    return graph.arithmetic("multiply", x, graph.elementwise("sigmoid", x))


def _soft_shrink(graph: Graph, x: int, lambd: float = 0.5) -> int:
    size = _least(graph, graph.minus(graph.elementwise("absolute", x), lambd), 0.0)
    return graph.arithmetic("multiply", graph.elementwise("sign", x), size)


def _softplus(graph: Graph, x: int, beta: float = 1.0, threshold: float = np.inf) -> int:
    scaled = graph.times(x, beta)
    answer = graph.over(graph.elementwise("softplus", scaled), beta)
    if np.isinf(threshold):
        return answer
    return graph.choose(graph.arithmetic("less", graph.constant(threshold), scaled), x, answer)


def _softsign(graph: Graph, x: int) -> int:
    size = graph.plus(graph.elementwise("absolute", x), 1.0)
    return graph.arithmetic("divide", x, size)


def _threshold(graph: Graph, x: int, threshold: float, value: float) -> int:
    """Return x above the threshold, else a value; a missing x stays missing, as in torch."""
    below = graph.arithmetic("less_equal", x, graph.constant(threshold))
    return graph.choose(below, graph.constant(value), x)


# Each takes graph and node, and perhaps parameters.
ACTIVATIONS: dict[str, Callable[..., int]] = {
    "celu": _celu,
    "elu": _elu,
    "exponential": lambda graph, x: graph.elementwise("exp", x),
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda graph, x: graph.arithmetic("multiply", x, _hard_sigmoid(graph, x)),
    "hard_tanh": _hard_tanh,
    "leaky_relu": _leaky_relu,
    "linear": lambda graph, x: x,
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _log_softmax,
    "mish": _mish,
    "relu": _relu,
    "relu6": lambda graph, x: _relu(graph, x, highest=6.0),
    "selu": _selu,
    "sigmoid": lambda graph, x: graph.elementwise("sigmoid", x),
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softmax": lambda graph, x: graph.softmax(x),
    "softplus": _softplus,
    "softsign": _softsign,
    "tanh": lambda graph, x: graph.elementwise("tanh", x),
    "tanh_shrink": lambda graph, x: graph.arithmetic("subtract", x, graph.elementwise("tanh", x)),
    "threshold": _threshold,
}

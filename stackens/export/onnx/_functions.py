"""Functions of numbers as ONNX nodes, composed where onnxruntime has no exact one for doubles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stackens.export.onnx._builder import Builder, Tensor, TensorKind

__all__ = ["elementwise", "operator_of"]

# Points of Gauss and Legendre's quadrature: 24 give erf to 2e-15.
_POINTS = 24
_ERF_IS_ONE = 6.0

# Functions that onnxruntime computes in double as they are meant.
_DIRECT = {
    "absolute": "Abs",
    "exp": "Exp",
    "floor": "Floor",
    "log": "Log",
    "negative": "Neg",
    "sign": "Sign",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
}
_DIRECT_SINGLE = {**_DIRECT, "erf": "Erf", "sigmoid": "Sigmoid"}

_OPERATORS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "minimum": "Min",
    "maximum": "Max",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "equal": "Equal",
}


def operator_of(function: str) -> tuple[str, bool]:
    """Return the operator of a function of two numbers, and whether it yields booleans."""
    return _OPERATORS[function], function in ("less", "less_equal", "equal")


def elementwise(builder: Builder, function: str, source: Tensor, *, rough: bool) -> Tensor:
    """Apply a function of one number to a matrix of doubles or floats.

    `rough` says that 1e-16 more or less does no harm.
    """
    kind: TensorKind = source.kind
    direct = _DIRECT if kind == "double" else _DIRECT_SINGLE
    if rough and function == "sigmoid":
        direct = _DIRECT_SINGLE
    if function in direct:
        name = builder.node(direct[function], source.name)
    else:
        name = _COMPOSED[function](builder, source.name)
        kind = "bool" if function in ("is_missing", "is_finite") else "double"
    return Tensor(name, source.width, kind, source.constant)


def _number(builder: Builder, value: float) -> str:
    return builder.constant(np.array(value))


def _erf(builder: Builder, x: str) -> str:
    """Integrate ``2 / sqrt(pi) x exp(-x² t²)`` over t from 0 to 1: all terms have one sign."""
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    squares = -(((points + 1) / 2) ** 2)
    x = builder.node("Clip", x, _number(builder, -_ERF_IS_ONE), _number(builder, _ERF_IS_ONE))
    square = builder.node("Mul", x, x)
    square = builder.node("Unsqueeze", square, builder.constant(np.array([2])))
    powers = builder.node("Exp", builder.node("Mul", square, builder.constant(squares)))
    terms = builder.node("Mul", powers, builder.constant(weights / math.sqrt(math.pi)))
    share = builder.node("ReduceSum", terms, builder.constant(np.array([2])), keepdims=0)
    name: str = builder.node("Mul", x, share)
    return name


def _is_finite(builder: Builder, x: str) -> str:
    name: str = builder.node("Less", builder.node("Abs", x), _number(builder, np.inf))
    return name


def _is_missing(builder: Builder, x: str) -> str:
    name: str = builder.node("IsNaN", x)
    return name


def _round_single(builder: Builder, x: str) -> str:
    name: str = builder.node("Cast", builder.node("Cast", x, to=1), to=11)
    return name


def _sigmoid(builder: Builder, x: str) -> str:
    """Follow the definition: the kernel's own is 0 below -37, where it is 1e-17."""
    exponential = builder.node("Exp", builder.node("Neg", x))
    total = builder.node("Add", exponential, _number(builder, 1.0))
    name: str = builder.node("Reciprocal", total)
    return name


def _softplus(builder: Builder, x: str) -> str:
    """Return ``max(x, 0) + log1p(exp(-|x|))``; log1p as in Goldberg (1991), theorem 4."""
    one = _number(builder, 1.0)
    small = builder.node("Exp", builder.node("Neg", builder.node("Abs", x)))
    above = builder.node("Add", small, one)
    share = builder.node("Div", small, builder.node("Sub", above, one))
    log = builder.node("Mul", builder.node("Log", above), share)
    log = builder.node("Where", builder.node("Equal", above, one), small, log)
    name: str = builder.node("Add", builder.node("Max", x, _number(builder, 0.0)), log)
    return name


def _truncate(builder: Builder, x: str) -> str:
    size = builder.node("Floor", builder.node("Abs", x))
    name: str = builder.node("Mul", builder.node("Sign", x), size)
    return name


_COMPOSED: dict[str, Callable[[Builder, str], str]] = {
    "erf": _erf,
    "is_finite": _is_finite,
    "is_missing": _is_missing,
    "round_single": _round_single,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "truncate": _truncate,
}

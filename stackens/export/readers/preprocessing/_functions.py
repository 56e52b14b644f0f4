"""Functions that the vocabulary lacks, composed of those that it has."""

from __future__ import annotations

from collections.abc import Sequence

from stackens.export.program import Graph

__all__ = ["expm1", "floor_divide", "log1p", "normal_quantile", "remainder"]


def floor_divide(graph: Graph, source: int, divisor: float) -> int:
    """Divide whole numbers below 2**53 by another, rounding down.

    A quotient that is no whole number is at least 1 / divisor below the next one, which is more
    than half of the distance of doubles there: rounding never reaches it.
    """
    return graph.elementwise("floor", graph.over(source, divisor))


def remainder(graph: Graph, source: int, divisor: float) -> int:
    """Return what a division of whole numbers below 2**52 leaves, never negative."""
    whole = graph.times(floor_divide(graph, source, divisor), divisor)
    return graph.arithmetic("subtract", source, whole)


def log1p(graph: Graph, x: int) -> int:
    """Compute log(1 + x) without loss where x is small.

    References
    ----------
    Kahan's correction: log(u) * x / (u - 1) with u = 1 + x rounded. Higham (2002), Accuracy and
    Stability of Numerical Algorithms, section 1.14.1.
    """
    one = graph.constant(1.0)
    u = graph.plus(x, 1.0)
    plain = graph.elementwise("log", u)
    ratio = graph.arithmetic("divide", x, graph.minus(u, 1.0))
    corrected = graph.arithmetic("multiply", plain, ratio)
    tiny = graph.arithmetic("equal", u, one)
    small = graph.arithmetic("less", graph.elementwise("absolute", x), one)
    return graph.choose(tiny, x, graph.choose(small, corrected, plain))


def expm1(graph: Graph, x: int) -> int:
    """Compute exp(x) - 1 without loss where x is small, as :func:`log1p` does."""
    one = graph.constant(1.0)
    u = graph.elementwise("exp", x)
    plain = graph.minus(u, 1.0)
    ratio = graph.arithmetic("divide", x, graph.elementwise("log", u))
    corrected = graph.arithmetic("multiply", plain, ratio)
    tiny = graph.arithmetic("equal", u, one)
    small = graph.arithmetic("less", graph.elementwise("absolute", x), one)
    return graph.choose(tiny, x, graph.choose(small, corrected, plain))


# Coefficients of algorithm AS 241, PPND16, the constant term last.
_CENTRE_OVER = (
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
    13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
)  # fmt: skip
_CENTRE_UNDER = (
    5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
    5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
)  # fmt: skip
_TAIL_OVER = (
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
    1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
    4.6303378461565452959, 1.42343711074968357734,
)  # fmt: skip
_TAIL_UNDER = (
    1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
    0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
    2.05319162663775882187, 1.0,
)  # fmt: skip


def normal_quantile(graph: Graph, p: int) -> int:
    """Compute the inverse of the normal distribution for p from 1.5e-11 to 1 less that.

    References
    ----------
    Wichura (1988), Algorithm AS 241, Applied Statistics 37(3): accurate to about 1 part in
    10**16. Its third range, further out, is left out.
    """
    q = graph.minus(p, 0.5)
    centre = graph.arithmetic("subtract", graph.constant(0.180625), _squared(graph, q))
    middle = graph.arithmetic("multiply", q, _ratio(graph, centre, _CENTRE_OVER, _CENTRE_UNDER))
    rest = graph.arithmetic("subtract", graph.constant(1.0), p)
    tail = graph.elementwise("log", graph.arithmetic("minimum", p, rest))
    r = graph.minus(graph.elementwise("sqrt", graph.elementwise("negative", tail)), 1.6)
    outer = graph.arithmetic(
        "multiply", graph.elementwise("sign", q), _ratio(graph, r, _TAIL_OVER, _TAIL_UNDER)
    )
    central = graph.arithmetic(
        "less_equal", graph.elementwise("absolute", q), graph.constant(0.425)
    )
    return graph.choose(central, middle, outer)


def _squared(graph: Graph, x: int) -> int:
    return graph.arithmetic("multiply", x, x)


def _ratio(graph: Graph, x: int, over: Sequence[float], under: Sequence[float]) -> int:
    return graph.arithmetic("divide", _polynomial(graph, x, over), _polynomial(graph, x, under))


def _polynomial(graph: Graph, x: int, coefficients: Sequence[float]) -> int:
    """Horner's rule, from the coefficient of the highest power to the constant."""
    total = graph.times(x, coefficients[0])
    for coefficient in coefficients[1:-1]:
        total = graph.arithmetic("multiply", graph.plus(total, coefficient), x)
    return graph.plus(total, coefficients[-1])

"""How steps on each number read in Python: on arrays, and on single numbers."""

from __future__ import annotations

__all__ = ["ARITHMETIC", "CONDITIONS", "ELEMENTWISE", "SCALAR"]

# On arrays.
ELEMENTWISE = {
    "absolute": "np.abs({})",
    "erf": "error_function({})",
    "exp": "np.exp({})",
    "floor": "np.floor({})",
    "is_finite": "np.isfinite({}).astype(float)",
    "is_missing": "np.isnan({}).astype(float)",
    "log": "np.log({})",
    "negative": "-{}",
    "round_single": "round_to_single({})",
    "sigmoid": "1.0 / (1.0 + np.exp(-{}))",
    "sign": "np.sign({})",
    "softplus": "softplus_of({})",
    "sqrt": "np.sqrt({})",
    "tanh": "np.tanh({})",
    "truncate": "np.trunc({})",
}
ARITHMETIC = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "power": "np.power({}, {})",
    "minimum": "np.minimum({}, {})",
    "maximum": "np.maximum({}, {})",
    "less": "({} < {}).astype(float)",
    "less_equal": "({} <= {}).astype(float)",
    "equal": "({} == {}).astype(float)",
}

# On single numbers: those that are 1 where something holds, else 0, and the others.
CONDITIONS = {
    "is_missing": "{0} != {0}",
    "is_finite": "-inf < {0} < inf",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "equal": "{} == {}",
}
SCALAR = {
    "absolute": "abs({})",
    "erf": "math.erf({})",
    "exp": "exponential({})",
    "floor": "floor({})",
    "log": "logarithm({})",
    "negative": "-{}",
    "sigmoid": "sigmoid({})",
    "sign": "sign({})",
    "softplus": "softplus({})",
    "sqrt": "square_root({})",
    "tanh": "math.tanh({})",
    "truncate": "truncate({})",
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "divide({}, {})",
    "power": "power({}, {})",
    "minimum": "minimum({}, {})",
    "maximum": "maximum({}, {})",
}

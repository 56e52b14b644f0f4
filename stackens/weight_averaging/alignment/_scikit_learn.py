"""What may be changed in the multi-layer perceptrons of scikit-learn."""

from __future__ import annotations

from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry
from stackens.weight_averaging.alignment._wiring import Wiring, read_by

__all__ = ["mlp_symmetry"]

_ODD, _HOMOGENEOUS = ("tanh", "identity"), ("relu", "identity")


def mlp_symmetry(model: Any) -> Symmetry:
    """Return the symmetry of a fitted ``MLPClassifier`` or ``MLPRegressor``.

    Hidden units trade places; with tanh they also change signs, with relu scales, and with the
    identity both.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    Symmetry
        For the tensors ``coefs_.0``, ``intercepts_.0``, ..., of shapes (inputs, units), (units,).
    """
    wiring = Wiring()
    before: tuple[Part, ...] = (Part(len(model.coefs_[0])),)
    for i, intercepts in enumerate(model.intercepts_):
        units = wiring.new(f"layer {i}", len(intercepts))
        if i == len(model.intercepts_) - 1:
            wiring.hold(units)
        if model.activation not in _ODD:
            wiring.hold_signs(units)
        if model.activation not in _HOMOGENEOUS:
            wiring.hold_scales(units)
        wiring.tensor(f"coefs_.{i}", read_by(before), units)
        wiring.tensor(f"intercepts_.{i}", units)
        before = units
    return wiring.symmetry()

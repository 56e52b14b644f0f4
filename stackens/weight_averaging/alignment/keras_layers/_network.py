"""What the rules for Keras's layers share: values that run through a network, and its wiring."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment._wiring import Wiring

__all__ = ["Network", "Rule", "Shape", "Signal", "bare", "gained", "parity"]

Shape = tuple[int | None, ...]

# Name -> odd, homogeneous. Whatever acts on all units in the same way; no others.
_ACTIVATIONS: dict[str, tuple[bool, bool]] = {
    "linear": (True, True),
    **dict.fromkeys(("relu", "leaky_relu"), (False, True)),
    **dict.fromkeys(
        ("tanh", "softsign", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink"),
        (True, False),
    ),
    **dict.fromkeys(
        (
            "celu",
            "elu",
            "exponential",
            "gelu",
            "hard_sigmoid",
            "hard_silu",
            "log_sigmoid",
            "log_softmax",
            "mish",
            "relu6",
            "selu",
            "sigmoid",
            "silu",
            "softmax",
            "softplus",
            "sparse_plus",
            "sparse_sigmoid",
            "sparsemax",
            "squareplus",
            "threshold",
        ),
        (False, False),
    ),
}
_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "ReLU": "relu", "Softmax": "softmax"}


def parity(activation: Any) -> tuple[bool, bool] | None:
    """Return whether an activation is odd, and whether it is homogeneous; None if it is unknown.

    Parameters
    ----------
    activation : callable or None
        A function of Keras, a layer such as ``ReLU``, or an operation such as ``keras.ops.tanh``
        makes in a graph. None is the identity.
    """
    if activation is None:
        return _ACTIVATIONS["linear"]
    if getattr(activation, "__module__", "").split(".")[0] != "keras":
        return None
    name = type(activation).__name__
    if hasattr(activation, "__name__"):
        name = activation.__name__
    elif name in _LAYERS:
        name = _LAYERS[name]
    else:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()  # LeakyRelu calls leaky_relu
    limit, threshold = (getattr(activation, name, None) for name in ("max_value", "threshold"))
    if limit is not None or threshold:
        return False, False
    return _ACTIVATIONS.get(name)


@dataclass(frozen=True)
class Signal:
    """A value between layers; units stand along one axis at most.

    Parameters
    ----------
    shape : tuple of int or None
        With the batch; None where it is not known.
    axis : int, default=0
        Where the units stand.
    parts : tuple of Part, default=()
        What they are. Empty: nothing of it can change.
    """

    shape: Shape
    axis: int = 0
    parts: tuple[Part, ...] = ()


Rule = Callable[["Network", Any, list[Signal], list[Shape]], list[Signal]]


class Network:
    """The wiring of a Keras model, whose variables are known by the adapter's names."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.wiring = Wiring()
        self._names = names

    def name(self, variable: Any) -> str:
        """Return the name of a layer, as its weights have it."""
        return self._names[id(variable)].rpartition("/")[0] or self._names[id(variable)]

    def tensor(self, variable: Any, *axes: Sequence[Part]) -> None:
        """Say how a variable changes; None is a bias or gain that the layer does without."""
        if variable is not None:
            self.wiring.tensor(self._names[id(variable)], *axes)

    def read(self, signal: Signal, axis: int) -> tuple[Part, ...]:
        """Return what stands along an axis; if that is not the units', they are held."""
        axis %= len(signal.shape)
        if signal.parts and signal.axis == axis:
            return signal.parts
        self.hold(signal)
        return (Part(signal.shape[axis] or 0),)

    def hold(self, *signals: Signal) -> None:
        for signal in signals:
            self.wiring.hold(signal.parts)

    def activated(self, activation: Any, signal: Signal, layer: Any) -> list[Signal]:
        """Return a value after an activation, which acts on all units in the same way."""
        kind = parity(activation)
        if kind is None:
            return self.unknown(layer, [signal], [signal.shape], "its activation")
        odd, homogeneous = kind
        if not odd:
            self.wiring.hold_signs(signal.parts)
        if not homogeneous:
            self.wiring.hold_scales(signal.parts)
        return [signal]

    def unknown(
        self, layer: Any, inputs: list[Signal], shapes: list[Shape], what: str = "it"
    ) -> list[Signal]:
        """Return values of which nothing can change, before and after a layer without a rule."""
        if any(signal.parts for signal in inputs) or getattr(layer, "weights", None):
            self.wiring.note(
                f"{type(layer).__name__} {layer.name!r}: {what} has no rule, so the units that "
                "go in and come out stay where they are"
            )
        self.hold(*inputs)
        return [Signal(shape) for shape in shapes]


def bare(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the units without signs and scales."""
    return tuple(replace(part, signs=(), scales=()) for part in parts)


def gained(before: Sequence[Part], after: Sequence[Part]) -> tuple[Part, ...]:
    """Return how a factor changes that stands between two values of the same units."""
    return tuple(
        replace(
            new,
            signs=old.signs + new.signs,
            scales=tuple((name, -power) for name, power in old.scales) + new.scales,
        )
        for old, new in zip(before, after, strict=True)
    )

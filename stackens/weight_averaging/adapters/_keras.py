"""Keras 3 models as named tensors, whatever numbers Keras gave to their layers."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._values import from_array

__all__ = ["KerasAdapter"]


class KerasAdapter(Adapter):
    """``keras.Model`` and layers of Keras 3; ``model.weights``, never the optimizer's state.

    Names are "layer/variable", with a part for each nested model. Keras numbers the layers that
    got no name through a whole session (``dense``, ``dense_1``, ...); here they are counted anew in
    each model, so that two models of one architecture have the same names. The copy keeps the
    compilation, the optimizer and the random seeds of the model that is copied.
    """

    kind = "Keras models"

    def accepts(self, model: Any) -> bool:
        keras = sys.modules.get("keras")
        layer = getattr(getattr(keras, "layers", None), "Layer", None)
        return layer is not None and isinstance(model, layer)

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        return {
            f"layer {name!r}": (type(layer).__name__, _activation(layer))
            for name, layer in _layers(model)
        }

    def tensors(self, model: Any, like: Any) -> dict[str, Any]:
        return {name: variable.value for name, variable in _variables(model).items()}

    def copy(self, model: Any) -> Any:
        try:
            copied = super().copy(model)
        except (TypeError, NotImplementedError) as error:
            raise TypeError(
                "The result is a copy of a model, but Keras could not copy this "
                f"{type(model).__name__} ({str(error).splitlines()[0]}). Decorate its class with "
                "@keras.saving.register_keras_serializable() and give it a get_config, or average "
                "the lists that get_weights() returns."
            ) from error
        for old, new in zip(model.variables, copied.variables, strict=True):
            new.assign(old)  # Keras copies the weights, but not the state of its random seeds
        return copied

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        variables = _variables(model)
        for name, array in arrays:
            variable = variables[name]
            variable.assign(from_array(array, like=variable.value))
        return model


def _variables(model: Any) -> dict[str, Any]:
    """Return name -> variable for what Keras calls the weights of a model."""
    names: dict[int, str] = {}
    taken: Counter[str] = Counter()
    for prefix, layer in [*_layers(model), ("", model)]:
        for variable in layer.weights:
            if id(variable) not in names:
                name = f"{prefix}/{variable.name}".lstrip("/")
                taken[name] += 1
                # As in a Bidirectional layer, where each direction has its kernel.
                names[id(variable)] = name if taken[name] == 1 else f"{name}_{taken[name] - 1}"
    if not names:
        raise ValueError(
            f"A model must have weights. Got a {type(model).__name__} that has none or was not "
            "built yet. Build it, for example by predicting one row."
        )
    return {names[id(variable)]: variable for variable in model.weights}


def _layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the layers below a model with their names, those of nested models after a slash."""
    counts: Counter[str] = Counter()
    for layer in getattr(model, "layers", ()):
        name, base = layer.name, re.sub(r"_\d+$", "", layer.name)
        if base.replace("_", "") == type(layer).__name__.lower():  # Keras's own choice of a name
            name = base if counts[base] == 0 else f"{base}_{counts[base]}"
            counts[base] += 1
        yield from _layers(layer, f"{prefix}{name}/")
        yield prefix + name, layer


def _activation(layer: Any) -> str:
    """Return the name of the layer's activation, or nothing if it has none."""
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", "") if activation is not None else ""

"""Reads Keras models made of layers that a table can pass through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers.models._activations import ACTIVATIONS
from stackens.export.readers.models._torch_layers import (
    mean_of,
    over_root_mean_square,
    refused_layer,
)

__all__ = ["read_keras_model"]


def read_keras_model(model: Any, graph: Graph, source: int) -> int:
    """Read a Sequential or functional Keras model with one table in and one out.

    Parameters
    ----------
    model : keras.Model
    graph : Graph
    source : int

    Raises
    ------
    ExportError
        For a layer that is not known; it is named.
    """
    if type(model).__name__ == "Sequential" and _is_keras(type(model)):
        for layer in model.layers:
            source = _read_layer(layer, graph, [source])
        return source
    if type(model).__name__ != "Functional" or not _is_keras(type(model)):
        raise refused_layer(model, "Keras")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            "A Keras model must have one input and one output to be exported. Got "
            f"{len(model.inputs)} and {len(model.outputs)}. Concatenate them inside the model."
        )
    nodes = {id(model.inputs[0]): source}
    by_depth = sorted(model._nodes_by_depth.items(), reverse=True)
    for step in (step for _, steps in by_depth for step in steps if not step.is_input):
        _check_arguments(step)
        inside = [nodes[id(tensor)] for tensor in step.input_tensors]
        nodes[id(step.output_tensors[0])] = _read_layer(step.operation, graph, inside)
    return nodes[id(model.outputs[0])]


def _check_arguments(step: Any) -> None:
    given = step.arguments.kwargs  # such as training=True: dropout when it predicts
    if len(step.output_tensors) != 1 or any(v not in (None, False) for v in given.values()):
        raise refused_layer(step.operation, "Keras")


def _read_layer(layer: Any, graph: Graph, sources: Sequence[int]) -> int:
    kind = type(layer)
    if kind.__name__ in ("Sequential", "Functional"):
        return read_keras_model(layer, graph, sources[0])
    is_merge, is_layer = kind.__name__ in _MERGES, kind.__name__ in _LAYERS and len(sources) == 1
    if not _is_keras(kind) or not (is_merge or is_layer):
        raise refused_layer(layer, "Keras")
    if getattr(layer, "compute_dtype", None) not in ("float32", "float64"):
        raise ExportError(
            "A Keras layer must compute in float32 or float64. Got "
            f"{getattr(layer, 'compute_dtype', None)!r} in {layer!r:.200}. Change its dtype, and "
            "see whether the model is as good."
        )
    if is_merge:
        return _MERGES[kind.__name__](layer, graph, sources)
    return _LAYERS[kind.__name__](layer, graph, sources[0])


def _is_keras(kind: type) -> bool:
    return kind.__module__.startswith("keras.")


def _array(variable: Any) -> np.ndarray:
    """Return a weight of any backend, or a number, as an array."""
    value = getattr(variable, "value", variable)
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def _activated(activation: Any, graph: Graph, source: int) -> int:
    name = getattr(activation, "__name__", "")
    known = name in ACTIVATIONS and str(activation.__module__).startswith("keras.")
    if not known or name == "threshold":
        raise ExportError(
            f"The activation {name or activation!r:.100} of a Keras layer cannot be exported. Got "
            f"{activation!r:.200}. Use one of {', '.join(sorted(ACTIVATIONS))}."
        )
    parameters = {"gelu": (False,), "leaky_relu": (0.2,)}.get(name, ())
    return ACTIVATIONS[name](graph, source, *parameters)


def _dense(layer: Any, graph: Graph, source: int) -> int:
    kernel, bias = _array(layer.kernel), _array(layer.bias) if layer.use_bias else None
    quantised = getattr(layer, "quantization_mode", None) is not None
    if quantised or len(kernel) != graph.width(source):
        raise refused_layer(layer, "Keras")
    return _activated(layer.activation, graph, graph.dense(source, kernel, bias))


def _activation(layer: Any, graph: Graph, source: int) -> int:
    return _activated(layer.activation, graph, source)


def _relu(layer: Any, graph: Graph, source: int) -> int:
    slope, threshold = float(layer.negative_slope or 0), float(layer.threshold or 0)
    highest = None if layer.max_value is None else float(layer.max_value)
    return ACTIVATIONS["relu"](graph, source, slope, highest, threshold)


def _prelu(layer: Any, graph: Graph, source: int) -> int:
    return ACTIVATIONS["leaky_relu"](graph, source, _array(layer.alpha))


def _batch_norm(layer: Any, graph: Graph, source: int) -> int:
    _check_axis(layer)
    slope = 1 / np.sqrt(_array(layer.moving_variance).astype(np.float64) + layer.epsilon)
    if layer.scale:
        slope *= _array(layer.gamma)
    offset = _array(layer.beta) if layer.center else 0.0
    return graph.plus(graph.times(source, slope), offset - _array(layer.moving_mean) * slope)


def _layer_norm(layer: Any, graph: Graph, source: int) -> int:
    _check_axis(layer)
    if not getattr(layer, "rms_scaling", False):
        source = graph.arithmetic("subtract", source, mean_of(graph, source))
    source = over_root_mean_square(graph, source, layer.epsilon)
    if layer.gamma is not None:
        source = graph.times(source, _array(layer.gamma))
    return source if layer.beta is None else graph.plus(source, _array(layer.beta))


def _check_axis(layer: Any) -> None:
    axis = layer.axis
    if tuple(np.atleast_1d(np.asarray(axis, dtype=object))) not in ((-1,), (1,)):
        raise refused_layer(layer, "Keras")


def _rescaling(layer: Any, graph: Graph, source: int) -> int:
    return graph.plus(graph.times(source, np.ravel(layer.scale)), np.ravel(layer.offset))


def _normalization(layer: Any, graph: Graph, source: int) -> int:
    mean, variance = np.ravel(_array(layer.mean)), np.ravel(_array(layer.variance))
    deviation = np.maximum(np.sqrt(variance.astype(np.float64)), 1e-7)
    if layer.invert:
        return graph.plus(graph.times(source, deviation), mean)
    return graph.over(graph.minus(source, mean), deviation)


def _softmax(layer: Any, graph: Graph, source: int) -> int:
    _check_axis(layer)
    return graph.softmax(source)


def _unchanged(layer: Any, graph: Graph, source: int) -> int:
    return source


def _folded(function: str) -> Callable[[Any, Graph, Sequence[int]], int]:
    return lambda layer, graph, sources: reduce(
        lambda left, right: graph.arithmetic(function, left, right), sources
    )


def _concatenate(layer: Any, graph: Graph, sources: Sequence[int]) -> int:
    _check_axis(layer)
    return graph.concatenate(sources)


_LAYERS: dict[str, Callable[[Any, Graph, int], int]] = {
    "Activation": _activation,
    "ActivityRegularization": _unchanged,
    "AlphaDropout": _unchanged,
    "BatchNormalization": _batch_norm,
    "Dense": _dense,
    "Dropout": _unchanged,
    "ELU": lambda layer, graph, x: ACTIVATIONS["elu"](graph, x, float(layer.alpha)),
    "Flatten": _unchanged,
    "GaussianDropout": _unchanged,
    "GaussianNoise": _unchanged,
    "Identity": _unchanged,
    "InputLayer": _unchanged,
    "LayerNormalization": _layer_norm,
    "LeakyReLU": lambda layer, graph, x: ACTIVATIONS["leaky_relu"](
        graph, x, float(layer.negative_slope)
    ),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
}
_MERGES: dict[str, Callable[[Any, Graph, Sequence[int]], int]] = {
    "Add": _folded("add"),
    "Average": lambda layer, graph, sources: graph.mean(sources),
    "Concatenate": _concatenate,
    "Maximum": _folded("maximum"),
    "Minimum": _folded("minimum"),
    "Multiply": _folded("multiply"),
    "Subtract": _folded("subtract"),
}

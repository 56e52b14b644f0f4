"""What may be changed in Keras models that are graphs of layers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stackens.weight_averaging.adapters._keras import KerasAdapter
from stackens.weight_averaging.alignment._symmetry import Symmetry
from stackens.weight_averaging.alignment.keras_layers._attention import attention
from stackens.weight_averaging.alignment.keras_layers._linear import (
    convolution,
    dense,
    depthwise_convolution,
    embedding,
    separable_convolution,
    transposed_convolution,
)
from stackens.weight_averaging.alignment.keras_layers._merges import (
    added,
    concatenated,
    greatest,
    multiplied,
)
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Rule,
    Shape,
    Signal,
    parity,
)
from stackens.weight_averaging.alignment.keras_layers._norms import (
    batch_normalization,
    group_normalization,
    layer_normalization,
    rms_normalization,
    unit_normalization,
)
from stackens.weight_averaging.alignment.keras_layers._recurrent import bidirectional, recurrent
from stackens.weight_averaging.alignment.keras_layers._shapes import (
    activation,
    average_pooling,
    flatten,
    indexed,
    masking,
    max_pooling,
    passed_on,
    permute,
    prelu,
    repeat_vector,
    reshape,
)

__all__ = ["keras_symmetry"]


def keras_symmetry(model: Any) -> Symmetry:
    """Return the symmetry of a Sequential or Functional model of Keras 3.

    The graph of layers is read from input to output. Units that go into a layer without a rule, or
    come out of one, stay where they are, and a note says so; so do inputs and outputs.

    Parameters
    ----------
    model : keras.Model
        Built.

    Returns
    -------
    Symmetry
        For the names that averaging gives to the weights, such as ``dense/kernel``.

    Raises
    ------
    TypeError
        If the model is no graph of layers.
    """
    graph = _graph(model)
    if graph is None:
        raise TypeError(
            "The layers of a Keras model can be read if it is Sequential or Functional, and built. "
            f"Got a {type(model).__name__} whose graph is not known. Build it, or say in "
            "symmetry= which axes belong together."
        )
    tensors = KerasAdapter().tensors(model, model)
    names = {id(variable): name for name, variable in zip(tensors, model.weights, strict=True)}
    net = Network(names)
    inputs = [Signal(tuple(tensor.shape)) for tensor in graph.inputs]
    net.hold(*_through(net, graph, inputs))
    return net.wiring.symmetry()


def _graph(model: Any) -> Any:
    """Return the model as a graph, or None. A class of the user's may run its layers otherwise."""
    if type(model).__module__.startswith("keras."):
        model = getattr(model, "_functional", model)  # of a Sequential model
        if hasattr(model, "_nodes_by_depth"):
            return model
    return None


def _through(net: Network, graph: Any, inputs: list[Signal]) -> list[Signal]:
    """Return the values that come out of a graph, in the order in which Keras itself runs it."""
    values = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.operation and not node.is_input:
                shapes = [tuple(tensor.shape) for tensor in node.outputs]
                by_argument = _BY_ARGUMENT.get(type(node.operation).__name__)
                if by_argument and type(node.operation).__module__.startswith("keras."):
                    found = by_argument(net, node.operation, _arguments(node, values), shapes)
                else:
                    given = [values[id(tensor)] for tensor in _inputs(node.arguments)]
                    found = _call(net, node.operation, given, shapes)
                values |= {
                    id(tensor): value for tensor, value in zip(node.outputs, found, strict=True)
                }
    return [values[id(tensor)] for tensor in graph.outputs]


def _arguments(node: Any, values: Mapping[int, Signal]) -> dict[str, Any]:
    """Return what a layer is called with by name; values in place of tensors."""
    import keras

    call = inspect.signature(node.operation.call)
    bound = call.bind(*node.arguments.args, **node.arguments.kwargs).arguments
    return {
        name: values[id(given)] if isinstance(given, keras.KerasTensor) else given
        for name, given in bound.items()
    }


def _inputs(arguments: Any) -> list[Any]:
    """Return the tensors that a layer is called with, but for the mask, which has no units."""
    import keras

    named = {name: value for name, value in arguments.kwargs.items() if name != "mask"}
    given = keras.tree.flatten((arguments.args, named))
    return [value for value in given if isinstance(value, keras.KerasTensor)]


def _call(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """Return what comes out of one layer or operation."""
    graph = _graph(layer)
    if graph is not None and len(graph.inputs) == len(inputs):
        return _through(net, graph, inputs)
    return _rule(layer, len(inputs))(net, layer, inputs, shapes)


def _rule(layer: Any, n_inputs: int) -> Rule:
    """Return the rule for a layer. Those that are no layers are operations such as ``x + y``."""
    import keras

    name = type(layer).__name__
    if not type(layer).__module__.startswith("keras."):
        return _unknown
    if isinstance(layer, keras.layers.Layer):
        return _LAYERS.get(name, _unknown)
    if n_inputs == 1 and parity(layer) is not None:
        return activation
    return _OPERATIONS.get(name, _unknown) if n_inputs > 1 else _CONSTANTS.get(name, _unknown)


def _unknown(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    return net.unknown(layer, inputs, shapes)


def _constant(net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]) -> list[Signal]:
    """A value that depends on nothing but the shape, as Keras makes them for masks."""
    return [Signal(shape) for shape in shapes]


def _time_distributed(
    net: Network, layer: Any, inputs: list[Signal], shapes: list[Shape]
) -> list[Signal]:
    """A layer for each step: what it sees has no axis of time."""
    signal = inputs[0]
    if signal.parts and signal.axis == 1:
        return net.unknown(layer, inputs, shapes)
    step = replace(signal, shape=signal.shape[:1] + signal.shape[2:], axis=signal.axis - 1)
    found = _call(net, layer.layer, [step], [shape[:1] + shape[2:] for shape in shapes])
    return [
        replace(value, shape=shape, axis=value.axis + 1)
        for value, shape in zip(found, shapes, strict=True)
    ]


_DIMENSIONS = ("1D", "2D", "3D")


def _for_each(names: str, rule: Rule) -> dict[str, Rule]:
    """Return the rule for layers that come for sequences, images and volumes."""
    return {f"{name}{d}": rule for name in names.split() for d in _DIMENSIONS}


_BY_ARGUMENT = {"GetItem": indexed, "MultiHeadAttention": attention}
_CONSTANTS: dict[str, Rule] = {"OnesLike": _constant, "ZerosLike": _constant}
_OPERATIONS: dict[str, Rule] = {
    "Add": added,
    "Concatenate": concatenated,
    "Maximum": greatest,
    "Minimum": greatest,
    "Multiply": multiplied,
    "Subtract": added,
}
_LAYERS: dict[str, Rule] = {
    **_OPERATIONS,
    **dict.fromkeys(("Activation", "ELU", "LeakyReLU", "ReLU", "Softmax"), activation),
    **dict.fromkeys(("GRU", "LSTM", "RNN", "SimpleRNN"), recurrent),
    **dict.fromkeys(
        (
            "ActivityRegularization",
            "AlphaDropout",
            "Dropout",
            "GaussianDropout",
            "GaussianNoise",
            "Identity",
        ),
        passed_on,
    ),
    **_for_each("SpatialDropout", passed_on),
    **_for_each(
        "AdaptiveAveragePooling AveragePooling Cropping GlobalAveragePooling UpSampling "
        "ZeroPadding",
        average_pooling,
    ),
    **_for_each("AdaptiveMaxPooling GlobalMaxPooling MaxPooling", max_pooling),
    **{f"Conv{d}": convolution for d in _DIMENSIONS},
    **{f"Conv{d}Transpose": transposed_convolution for d in _DIMENSIONS},
    **_for_each("DepthwiseConv", depthwise_convolution),
    **_for_each("SeparableConv", separable_convolution),
    "Average": added,
    "BatchNormalization": batch_normalization,
    "Bidirectional": bidirectional,
    "Dense": dense,
    "Embedding": embedding,
    "Flatten": flatten,
    "GroupNormalization": group_normalization,
    "LayerNormalization": layer_normalization,
    "Masking": masking,
    "PReLU": prelu,
    "Permute": permute,
    "RMSNormalization": rms_normalization,
    "RepeatVector": repeat_vector,
    "Reshape": reshape,
    "TimeDistributed": _time_distributed,
    "UnitNormalization": unit_normalization,
}

"""Reads torch modules made of layers that a table can pass through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers.models._activations import ACTIVATIONS

__all__ = ["array_of", "read_torch_module", "refused_layer"]


def read_torch_module(module: Any, graph: Graph, source: int) -> int:
    """Read a torch module in its evaluation mode, from rows of shape (n_samples, n_features).

    Parameters
    ----------
    module : torch.nn.Module
        A layer, or a Sequential of layers.
    graph : Graph
    source : int

    Raises
    ------
    ExportError
        For a layer that is not known; it is named.
    """
    _check_hooks(module)
    kind = type(module)
    if kind.__module__ == "torch.nn.utils.parametrize":  # whose `weight` is the one in use
        kind = kind.__bases__[0]
    layer = _LAYERS.get(kind.__name__)
    known = ("torch.nn.modules.", "stackens.neural.")
    if layer is None or not kind.__module__.startswith(known):
        raise refused_layer(module, "torch")
    return layer(module, graph, source)


def array_of(tensor: Any) -> np.ndarray:
    """Return a tensor as an array of its own precision, which must be single or double."""
    if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
        raise ExportError(
            f"The weights of a network must be float32 or float64. Got {tensor.dtype}. Call "
            ".float() on the module first, and see whether it is as good."
        )
    return np.array(tensor.detach().cpu().numpy())


def _linear(layer: Any, graph: Graph, source: int) -> int:
    weights = array_of(layer.weight)
    if weights.shape[1] != graph.width(source):
        raise ExportError(
            f"A Linear layer must read all columns before it. Got {layer!r} behind "
            f"{graph.width(source)} columns. Give the network the columns it was trained on."
        )
    bias = None if layer.bias is None else array_of(layer.bias)
    return graph.dense(source, np.ascontiguousarray(weights.T), bias)


def refused_layer(layer: Any, library: str) -> ExportError:
    """Return the error that names a layer which cannot be read."""
    return ExportError(
        f"The layer {type(layer).__name__} of a {library} network cannot be exported. Got "
        f"{layer!r:.200}. Use layers for tables: linear ones, activations, normalisation and "
        "dropout, one after the other; or distil the network into a student."
    )


def _check_hooks(module: Any) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        raise ExportError(
            f"What a hook does to a layer cannot be exported. Got hooks on {module!r:.200}. "
            "Remove them (remove_weight_norm and the like keep their effect)."
        )


def _sequential(module: Any, graph: Graph, source: int) -> int:
    for part in module:
        source = read_torch_module(part, graph, source)
    return source


def _unchanged(layer: Any, graph: Graph, source: int) -> int:
    return source


def _flatten(layer: Any, graph: Graph, source: int) -> int:
    if layer.start_dim not in (1, -1) or layer.end_dim not in (1, -1):
        raise refused_layer(layer, "torch")
    return source


def _scaled(layer: Any, graph: Graph, source: int) -> int:
    """Multiply by the weight and add the bias, where the layer has them."""
    if layer.weight is not None:
        source = graph.times(source, array_of(layer.weight))
    bias = getattr(layer, "bias", None)
    return source if bias is None else graph.plus(source, array_of(bias))


def _batch_norm(layer: Any, graph: Graph, source: int) -> int:
    if layer.running_mean is None:
        raise ExportError(
            "BatchNorm must know the statistics of its training data. Got one with "
            "track_running_stats=False, which uses those of the rows asked together. Train it "
            "with running statistics."
        )
    mean, variance = array_of(layer.running_mean), array_of(layer.running_var)
    slope = 1 / np.sqrt(variance.astype(np.float64) + layer.eps)
    if layer.weight is not None:
        slope *= array_of(layer.weight)
    offset = 0.0 if layer.bias is None else array_of(layer.bias)
    return graph.plus(graph.times(source, slope), offset - mean * slope)


def _layer_norm(layer: Any, graph: Graph, source: int) -> int:
    width = graph.width(source)
    if tuple(layer.normalized_shape) != (width,):
        raise refused_layer(layer, "torch")
    centred = graph.arithmetic("subtract", source, mean_of(graph, source))
    return _scaled(layer, graph, over_root_mean_square(graph, centred, layer.eps))


def _rms_norm(layer: Any, graph: Graph, source: int) -> int:
    if tuple(layer.normalized_shape) != (graph.width(source),):
        raise refused_layer(layer, "torch")
    eps = layer.eps
    if eps is None:
        eps = float(
            np.finfo(np.float32 if layer.weight is None else array_of(layer.weight).dtype).eps
        )
    return _scaled(layer, graph, over_root_mean_square(graph, source, eps))


def mean_of(graph: Graph, source: int) -> int:
    """Return the mean of each row, width 1."""
    return graph.over(graph.reduce("sum", source), float(graph.width(source)))


def over_root_mean_square(graph: Graph, source: int, epsilon: float) -> int:
    """Divide each row by ``sqrt(mean of squares + epsilon)``."""
    square = mean_of(graph, graph.arithmetic("multiply", source, source))
    size = graph.elementwise("sqrt", graph.plus(square, epsilon))
    return graph.arithmetic("divide", source, size)


def _over_columns(name: str) -> Callable[[Any, Graph, int], int]:
    def read(layer: Any, graph: Graph, source: int) -> int:
        if layer.dim not in (None, 1, -1):
            raise refused_layer(layer, "torch")
        return ACTIVATIONS[name](graph, source)

    return read


def _softmin(layer: Any, graph: Graph, source: int) -> int:
    return _over_columns("softmax")(layer, graph, graph.elementwise("negative", source))


def _activation(name: str, *parameters: str) -> Callable[[Any, Graph, int], int]:
    """Return the reader of an activation whose parameters are these attributes, in this order."""

    def read(layer: Any, graph: Graph, source: int) -> int:
        return ACTIVATIONS[name](graph, source, *(getattr(layer, p) for p in parameters))

    return read


def _gelu(layer: Any, graph: Graph, source: int) -> int:
    return ACTIVATIONS["gelu"](graph, source, layer.approximate == "tanh")


def _prelu(layer: Any, graph: Graph, source: int) -> int:
    return ACTIVATIONS["leaky_relu"](graph, source, array_of(layer.weight))


_LAYERS: dict[str, Callable[[Any, Graph, int], int]] = {
    "AlphaDropout": _unchanged,
    "BatchNorm1d": _batch_norm,
    "CELU": _activation("celu", "alpha"),
    "Dropout": _unchanged,
    "Dropout1d": _unchanged,
    "ELU": _activation("elu", "alpha"),
    "FeatureAlphaDropout": _unchanged,
    "Flatten": _flatten,
    "GELU": _gelu,
    "Hardshrink": _activation("hard_shrink", "lambd"),
    "Hardsigmoid": _activation("hard_sigmoid"),
    "Hardswish": _activation("hard_silu"),
    "Hardtanh": _activation("hard_tanh", "min_val", "max_val"),
    "Identity": _unchanged,
    "LayerNorm": _layer_norm,
    "LeakyReLU": _activation("leaky_relu", "negative_slope"),
    "Linear": _linear,
    "LogSigmoid": _activation("log_sigmoid"),
    "LogSoftmax": _over_columns("log_softmax"),
    "Mish": _activation("mish"),
    "PReLU": _prelu,
    "RMSNorm": _rms_norm,
    "ReLU": _activation("relu"),
    "ReLU6": _activation("relu6"),
    "SELU": _activation("selu"),
    "SeededDropout": _unchanged,
    "Sequential": _sequential,
    "SiLU": _activation("silu"),
    "Sigmoid": _activation("sigmoid"),
    "Softmax": _over_columns("softmax"),
    "Softmin": _softmin,
    "Softplus": _activation("softplus", "beta", "threshold"),
    "Softshrink": _activation("soft_shrink", "lambd"),
    "Softsign": _activation("softsign"),
    "Tanh": _activation("tanh"),
    "Tanhshrink": _activation("tanh_shrink"),
    "Threshold": _activation("threshold", "threshold", "value"),
}

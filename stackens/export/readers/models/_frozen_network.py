"""Reads FrozenNetwork: a trained torch or Keras network as a model."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Elementwise, Graph, Softmax
from stackens.export.readers._answers import answer_of_probabilities, only_predicts, refuse_unless
from stackens.export.readers._registry import Method, read_transform, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._keras_layers import read_keras_model
from stackens.export.readers.models._tabular_network import read_tabular_network
from stackens.export.readers.models._torch_layers import array_of, read_torch_module

__all__: list[str] = []

_SLACK = 1e-6  # how far FrozenNetwork lets probabilities leave the range from 0 to 1


@reads_model("stackens.FrozenNetwork")
def _frozen_network(model: Any, graph: Graph, table: Table, method: Method) -> int:
    outputs = _outputs(model.network, graph, _prepared(model, graph, table))
    if model.output == "values":
        only_predicts(model, method)
        return outputs
    if model.output == "logits":
        both = [graph.constant(0.0), outputs] if graph.width(outputs) == 1 else [outputs]
        probabilities = graph.softmax(graph.concatenate(both))
    else:
        _check_range(graph, outputs)
        one = graph.width(outputs) == 1
        probabilities = graph.two_classes(outputs) if one else outputs
    return answer_of_probabilities(model, graph, method, probabilities)


def _prepared(model: Any, graph: Graph, table: Table) -> Table:
    if model.preprocess is None:
        return table
    if not hasattr(model.preprocess, "transform"):
        raise ExportError(
            "What prepares the rows of a FrozenNetwork must be a fitted transformer to be "
            f"exported. Got the function {model.preprocess!r:.200}. Pass a TabularEncoder or a "
            "scikit-learn transformer as preprocess."
        )
    return read_transform(model.preprocess, graph, table)


def _outputs(network: Any, graph: Graph, table: Table) -> int:
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    # Keras first: with the torch backend its models are torch modules too
    if keras is not None and isinstance(network, keras.Model):
        double = network.compute_dtype == "float64"
        return read_keras_model(network, graph, _numbers(graph, table, double))
    if torch is None or not isinstance(network, torch.nn.Module):
        raise ExportError(
            "A network must be a torch module or a Keras model to be exported. Got "
            f"{network!r:.200}. Distil the function into a student."
        )
    from stackens.neural._modules import unwrapped

    module = unwrapped(network)
    if type(module).__name__ == "TabularNetwork":
        return read_tabular_network(module, graph, table)
    floating = (p for p in module.parameters() if p.is_floating_point())
    first = next(floating, None)
    double = first is None or array_of(first).dtype == np.float64
    return read_torch_module(module, graph, _numbers(graph, table, double))


def _numbers(graph: Graph, table: Table, double: bool) -> int:
    """Return the numbers as the network gets them, in its own precision."""
    numbers = table.numbers(graph)
    return numbers if double else graph.elementwise("round_single", numbers)


def _check_range(graph: Graph, outputs: int) -> None:
    last = graph[outputs]
    if isinstance(last, Softmax) or (isinstance(last, Elementwise) and last.function == "sigmoid"):
        graph.refuse(outputs)  # from 0 to 1, unless it is missing
        return
    above = graph.arithmetic("less_equal", graph.constant(-_SLACK), outputs)
    below = graph.arithmetic("less_equal", outputs, graph.constant(1 + _SLACK))
    refuse_unless(graph, graph.arithmetic("multiply", above, below))

"""Collects ONNX nodes and constants; equal ones are made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stackens._core._optional import require
from stackens.exceptions import ExportError

__all__ = ["MAX_BYTES", "Builder", "Tensor", "TensorKind"]

TensorKind = Literal["double", "float", "bool", "int64", "string"]
MAX_BYTES = 2**31 - 1  # of one protobuf message

_OPSET = 15
_TREES_OPSET = 5  # of ai.onnx.ml; the first with TreeEnsemble, the only trees in double
_ML_OPSET = 2
_IR_VERSION = 8  # the one that came with opset 15


@dataclass(frozen=True)
class Tensor:
    """A matrix in the graph.

    Attributes
    ----------
    name : str
    width : int
        Number of columns.
    kind : {"double", "float", "bool", "int64", "string"}
    constant : bool
        Whether it has one row for all rows of the input.
    always_zero : frozenset of int
        Columns that are there for the layout only.
    """

    name: str
    width: int
    kind: TensorKind = "double"
    constant: bool = False
    always_zero: frozenset[int] = frozenset()


class Builder:
    """A graph in the making."""

    def __init__(self) -> None:
        self.onnx = require("onnx", extra="onnx", purpose="stackens.export.to_onnx")
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[Any] = []
        self._made: dict[Any, tuple[str, ...]] = {}
        self._given_out: set[str] = set()
        self._ml_opset: int | None = None

    def input(self, name: str, kind: TensorKind, width: int) -> Tensor:
        """Add an input with a row for each sample."""
        self._inputs.append(self._described(name, kind, ["N", width]))
        return Tensor(name, width, kind)

    def output(self, name: str, source: str, kind: TensorKind, shape: Sequence[str | int]) -> None:
        """Give a tensor out under a name; that of a node is renamed, others are passed on."""
        self._outputs.append(self._described(name, kind, shape))
        makers = [node for node in self._nodes if source in node.output]
        if not makers or source in self._given_out:
            self._nodes.append(self.onnx.helper.make_node("Identity", [source], [name], name))
            return
        self._given_out.add(name)
        for node in self._nodes:
            for names in (node.input, node.output):
                for i in range(len(names)):
                    if names[i] == source:
                        names[i] = name
        self._made = {
            key: tuple(name if made == source else made for made in value)
            for key, value in self._made.items()
        }

    def _described(self, name: str, kind: TensorKind, shape: Sequence[str | int]) -> Any:
        types = self.onnx.TensorProto
        number = {"double": types.DOUBLE, "float": types.FLOAT, "bool": types.BOOL}.get(kind)
        if number is None:
            number = types.INT64 if kind == "int64" else types.STRING
        return self.onnx.helper.make_tensor_value_info(name, number, list(shape))

    def constant(self, values: Any) -> str:
        """Return the name of a constant; texts are an array of objects."""
        array = np.asarray(values)
        if array.dtype.kind == "U":
            array = array.astype(object)
        if array.dtype == object:
            content = "\0".join([str(len(text)) + text for text in array.ravel()]).encode()
        else:
            content = array.tobytes()
        key = (array.dtype.str, array.shape, content)
        if key not in self._constants:
            name = f"/constant_{len(self._constants)}"
            self._initializers.append(self.onnx.numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def node(
        self, operator: str, *sources: str, n_outputs: int = 1, domain: str = "", **attributes: Any
    ) -> Any:
        """Add a node, or find an equal one; return the name of its output (or their names)."""
        key = (operator, sources, n_outputs, repr(sorted(attributes.items())))
        if key not in self._made:
            names = tuple(f"/{operator}_{len(self._nodes)}_{i}" for i in range(n_outputs))
            # Named, since onnxruntime 1.21 gives one name to all that it fuses of nameless nodes.
            node = self.onnx.helper.make_node(
                operator, sources, names, names[0], domain=domain, **attributes
            )
            self._nodes.append(node)
            self._made[key] = names
        names = self._made[key]
        return names[0] if n_outputs == 1 else names

    def label_encoder(self, source: str, keys: Sequence[str], codes: np.ndarray, other: int) -> str:
        """Turn texts into integers."""
        self._ml_opset = self._ml_opset or _ML_OPSET
        name: str = self.node(
            "LabelEncoder",
            source,
            domain="ai.onnx.ml",
            keys_strings=list(keys),
            values_int64s=codes.tolist(),
            default_int64=other,
        )
        return name

    def tree_ensemble(self, source: str, **attributes: Any) -> str:
        """Add a TreeEnsemble; arrays become lists of integers, or tensors where they are floats."""
        self._ml_opset = _TREES_OPSET
        helper, name = self.onnx.helper, f"/TreeEnsemble_{len(self._nodes)}"
        node = helper.make_node("TreeEnsemble", [source], [name], name, domain="ai.onnx.ml")
        for key, value in attributes.items():
            if isinstance(value, np.ndarray) and value.dtype in (np.float64, np.uint8):
                value = self.onnx.numpy_helper.from_array(value, key)
            elif isinstance(value, np.ndarray):
                attribute = node.attribute.add(name=key, type=self.onnx.AttributeProto.INTS)
                attribute.ints.extend(value.tolist())
                continue
            node.attribute.append(helper.make_attribute(key, value))
        self._nodes.append(node)
        return name

    def finish(self, metadata: dict[str, str]) -> bytes:
        """Return the file.

        Raises
        ------
        ExportError
            If it is larger than 2 GB, which the format does not allow.
        """
        helper = self.onnx.helper
        nodes, constants = self._needed()
        graph = helper.make_graph(nodes, "stackens", self._inputs, self._outputs, constants)
        opsets = [helper.make_opsetid("", _OPSET)]
        if self._ml_opset is not None:
            opsets.append(helper.make_opsetid("ai.onnx.ml", self._ml_opset))
        model = helper.make_model(
            graph, producer_name="stackens", opset_imports=opsets, ir_version=_IR_VERSION
        )
        helper.set_model_props(model, metadata)
        size = model.ByteSize()
        if size > MAX_BYTES:
            raise ExportError(
                f"An ONNX file has at most 2 GB. Got a model of {size / 1e9:.1f} GB. "
                "Export a smaller one, such as a distilled student, or use to_c."
            )
        content: bytes = model.SerializeToString()
        return content

    def _needed(self) -> tuple[list[Any], list[Any]]:
        """Return the nodes and constants that an output depends on."""
        wanted = {output.name for output in self._outputs}
        nodes = []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                nodes.append(node)
                wanted.update(node.input)
        return nodes[::-1], [tensor for tensor in self._initializers if tensor.name in wanted]

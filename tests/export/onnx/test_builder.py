"""The collection of ONNX nodes and constants."""

import numpy as np
import onnx
import pytest

from stackens.exceptions import ExportError
from stackens.export.onnx import _builder as module
from stackens.export.onnx._builder import Builder


def test_equal_nodes_and_constants_are_made_once():
    builder = Builder()
    builder.input("X", "double", 2)
    one = builder.constant(np.array([1.0]))
    assert builder.constant(np.array([1.0])) == one
    assert builder.constant(np.array([[1.0]])) != one
    assert builder.constant(np.array([0.0])) != builder.constant(np.array([-0.0]))
    assert builder.constant(["a", "bc"]) != builder.constant(["ab", "c"])
    total = builder.node("Add", "X", one)
    assert builder.node("Add", "X", one) == total
    assert builder.node("Cast", "X", to=1) != builder.node("Cast", "X", to=7)


def test_outputs_are_named_and_what_leads_to_none_is_left_out():
    builder = Builder()
    x = builder.input("X", "double", 2)
    builder.node("Neg", "X")
    answer = builder.node("Exp", builder.node("Abs", "X"))
    builder.output("answer", answer, "double", ["N", 2])
    builder.output("again", "answer", "double", ["N", 2])
    builder.output("input", x.name, "double", ["N", 2])
    model = onnx.load_from_string(builder.finish({"key": "value"}))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Abs", "Exp", "Identity", "Identity"]
    assert [output.name for output in model.graph.output] == ["answer", "again", "input"]
    assert model.opset_import[0].version == 15
    assert len(model.opset_import) == 1


def test_every_node_has_a_name_of_its_own():
    builder = Builder()
    builder.input("X", "double", 1)
    first = builder.node("Abs", builder.node("Neg", "X"))
    builder.output("a", builder.label_encoder("X", ["x"], np.array([1]), 0), "int64", ["N", 1])
    builder.output("b", first, "double", ["N", 1])
    names = [node.name for node in onnx.load_from_string(builder.finish({})).graph.node]
    assert len(set(names)) == 3
    assert "" not in names


def test_a_model_beyond_the_format_is_refused(monkeypatch):
    builder = Builder()
    builder.input("X", "double", 1)
    builder.output("y", builder.node("Abs", "X"), "double", ["N", 1])
    size = len(builder.finish({}))
    monkeypatch.setattr(module, "MAX_BYTES", size)
    assert len(builder.finish({})) == size
    monkeypatch.setattr(module, "MAX_BYTES", size - 1)
    with pytest.raises(ExportError, match="at most 2 GB"):
        builder.finish({})

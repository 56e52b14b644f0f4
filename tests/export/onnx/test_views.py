"""Columns of tensors that move only where they must."""

import numpy as np
import onnx
import onnxruntime

from stackens.export.onnx._builder import Builder, Tensor
from stackens.export.onnx._views import Layout, View


def test_selecting_leaves_out_tensors_that_are_no_more_needed():
    a, b = Tensor("a", 2), Tensor("b", 3)
    both = View.beside([View.of(a), View.of(b, [2, 0]), View.of(a, [1])])
    assert both.tensors == (a, b)
    assert both.which.tolist() == [0, 0, 1, 1, 0]
    assert both.column.tolist() == [0, 1, 2, 0, 1]
    chosen = both.select(np.array([3, 2]))
    assert chosen.tensors == (b,)
    assert chosen.column.tolist() == [0, 2]
    assert both.select(np.array([3, 4])).which.tolist() == [1, 0]


def built(make, *, kind="double"):
    """Run what `make(layout, x, y)` returns on two matrices; also return the operators."""
    builder = Builder()
    x, y = builder.input("x", "double", 3), builder.input("y", "double", 2)
    answer = make(Layout(builder, x), x, y)
    builder.output("answer", answer.name, answer.kind, ["N", answer.width])
    content = builder.finish({})
    feed = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([[7.5, 0.0], [9.5, 1.0]])}
    answer = onnxruntime.InferenceSession(content).run(None, feed)[0]
    return answer.tolist(), [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_a_whole_tensor_is_not_moved():
    assert built(lambda layout, x, y: layout.whole(View.of(x)))[1] == ["Identity"]


def test_whole_gathers_and_concatenates():
    answer, operators = built(lambda layout, x, y: layout.whole(View.of(x, [2, 0, 2])))
    assert answer == [[2, 0, 2], [5, 3, 5]]
    assert operators == ["Gather"]
    view = [View.of, lambda y: View.of(y, [1])]
    answer, operators = built(
        lambda layout, x, y: layout.whole(View.beside([view[0](x), view[1](y)]))
    )
    assert answer == [[0, 1, 2, 0], [3, 4, 5, 1]]
    assert operators == ["Concat", "Gather"]


def test_constants_are_repeated_only_beside_others():
    def make(layout, x, y):
        row = layout.constant(np.array([8.0]))
        assert layout.whole(View.of(row)).constant
        return layout.whole(View.beside([View.of(row), View.of(y)]))

    assert built(make)[0] == [[8, 7.5, 0], [8, 9.5, 1]]


def test_tensors_of_several_types_become_doubles():
    def make(layout, x, y):
        flags = layout.cast(y, "bool")
        return layout.whole(View.beside([View.of(flags), View.of(x, [1])]))

    assert built(make)[0] == [[1, 0, 1], [1, 1, 4]]


def test_padding_is_known_beside_other_tensors():
    def make(layout, x, y):
        padded = Tensor(y.name, 2, always_zero=frozenset({1}))
        together, place = layout.loose(View.beside([View.of(x), View.of(padded, [0])]))
        assert together.always_zero == {4}
        assert place.tolist() == [0, 1, 2, 3]
        return together

    assert built(make)[0][0] == [0, 1, 2, 7.5, 0]

"""Lookups of many columns together."""

import numpy as np
import onnx
import onnxruntime
import pytest

from stackens.export.onnx import _lookups as module
from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._lookups import Table, merged
from stackens.export.program import Graph, evaluate


def test_tables_of_one_column_are_merged():
    first = Table(["a", "b"], np.array([[1.0], [2.0]]), np.array([3.0]), np.array([4.0]))
    second = Table(["b", "c"], np.array([[5.0], [6.0]]), np.array([7.0]), np.array([8.0]))
    both = merged([first, second])
    assert both.keys == ["a", "b", "c"]
    assert both.rows.tolist() == [[1, 8], [2, 5], [4, 6], [3, 7], [4, 8]]
    assert merged([first]) is first


def texts(sizes, widths):
    """A program that looks columns up in tables of these sizes, and rows for it."""
    rng = np.random.default_rng(0)
    graph = Graph([f"c{i}" for i in range(len(sizes))])
    parts, columns = [], []
    for i, (size, width) in enumerate(zip(sizes, widths, strict=True)):
        keys = [f"level {j}" for j in range(i, i + size)]
        values = rng.normal(size=(size + 2, width))
        parts.append(graph.lookup(i, keys, values[:-2], missing=values[-2], unknown=values[-1]))
        columns.append(rng.choice(np.array([*keys, None, "other", ""], dtype=object), 40))
    return graph.program(graph.concatenate(parts), "values", one_target=False), columns


@pytest.mark.parametrize("spare", [0, 2**17])
@pytest.mark.parametrize(
    ("sizes", "widths"),
    [
        ([3], [1]),
        ([3], [4]),
        ([3, 200], [1, 1]),
        ([3, 5, 80], [1, 5, 80]),
        ([1, 2, 300], [3, 3, 4]),
    ],
)
def test_texts_of_any_sizes(sizes, widths, spare, monkeypatch):
    monkeypatch.setattr(module, "_SPARE", spare)
    program, columns = texts(sizes, widths)
    content = write_onnx(program, "{}")
    np.testing.assert_array_equal(
        open_onnx(content).outputs(columns), evaluate(program, columns)[0]
    )


def test_many_columns_take_few_nodes():
    program, _ = texts([5] * 12, [1] * 12)
    nodes = onnx.load_from_string(write_onnx(program, "{}")).graph.node
    assert [node.op_type for node in nodes] == ["LabelEncoder", "Add", "Gather", "Gather"]


@pytest.mark.parametrize("inputs", ["blocks", "columns"])
def test_texts_fed_as_plain_numpy_texts(inputs):
    program, columns = texts([4, 3], [2, 1])
    session = onnxruntime.InferenceSession(write_onnx(program, "{}", inputs=inputs))
    rows = np.stack(columns, axis=1)
    keep = [i for i, row in enumerate(rows) if not {None, ""} & set(row)]
    rows = rows[keep].astype(str)
    feed = {"categories": rows} if inputs == "blocks" else {"c0": rows[:, :1], "c1": rows[:, 1:]}
    wanted = evaluate(program, columns)[0][keep]
    np.testing.assert_array_equal(session.run(None, feed)[0], wanted)


def test_numbers_are_compared_as_doubles():
    keys = np.array(
        [0.1, -0.0, np.nextafter(0.1, 1), 2.0**53, 2.0**53 + 2, np.inf, -np.inf, 5e-324]
    )
    graph = Graph(["x", "y"])
    values = np.arange(1.0, 9.0)[:, None]
    parts = [
        graph.lookup(i, keys[: 8 - i], values[: 8 - i], missing=[-1.0], unknown=[0.0])
        for i in range(2)
    ]
    program = graph.program(graph.concatenate(parts), "values", one_target=False)
    near = [f(key, to) for key in keys for f in (np.nextafter,) for to in (-np.inf, np.inf)]
    x = np.array([*keys, *near, np.nan, 0.0, 1.0])
    outputs = open_onnx(write_onnx(program, "{}")).outputs([x, x])
    np.testing.assert_array_equal(outputs, evaluate(program, [x, x])[0])
    assert set(outputs[:, 0]) == {*range(-1, 9)}

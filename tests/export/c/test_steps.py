"""Tests for steps in C: special forms of wide tables and products answer as the plain ones."""

import numpy as np
import pytest

from stackens.export.c import _literals
from stackens.export.c._expressions import Expressions
from stackens.export.c._steps import write_steps
from stackens.export.program import Graph, evaluate
from tests.export.c.built import needs_compiler, opened, some_trees


def wide(rng):
    """Wide products, tables of many zeros, long sorts, trees with large sets, in one program."""
    graph = Graph([f"n{i}" for i in range(40)] + ["city"])
    x = graph.numbers(range(40))
    towns = [f"town {i}" for i in range(300)]
    zeros = np.zeros(300)
    one_hot = np.eye(300)
    one_hot[0, 0] = -0.0
    city = graph.lookup(40, towns, one_hot, missing=zeros, unknown=zeros)
    parts = [city, graph.sort(x)]
    for dtype in (np.float32, np.float64):
        for width in (1, 4, 5, 8, 20, 33, 70):
            weights = rng.normal(size=(40, width)).astype(dtype) / 40
            parts.append(graph.dense(x, weights, rng.normal(size=width).astype(dtype)))
        parts.append(graph.dense(city, rng.normal(size=(300, 6)).astype(dtype)))
        odd = graph.select(x, [3, 1, 2])
        parts.append(graph.dense(odd, rng.normal(size=(3, 2)).astype(dtype)))
    place = graph.count(graph.select(x, [0]), np.linspace(-2, 2, 200))
    sets = [rng.choice(200, 30, replace=False) for _ in range(10)] + [np.array([2**40, 2**53])]
    parts.append(graph.add(some_trees(rng, place, 1, n_trees=21, depth=6, sets=sets)))
    exact = [graph.add(some_trees(rng, x, 40, n_trees=n, depth=5)) for n in (1, 8, 21)]
    return graph.program(graph.concatenate([*exact, *parts]), "values"), towns


@needs_compiler
@pytest.mark.parametrize("packed", [False, True])
def test_wide_steps(tmp_path, monkeypatch, packed):
    if packed:
        monkeypatch.setattr(_literals, "_PACKED_FROM", 100)
    rng = np.random.default_rng(3)
    program, towns = wide(rng)
    runner = opened(program, tmp_path)
    assert ("char bytes[" in (tmp_path / "model.c").read_text()) == packed
    n = 203  # several blocks, the last of which is no multiple of anything
    columns = [np.clip(rng.normal(size=n), -2, 2) for _ in range(40)]
    columns[3][::7] = np.nan
    columns.append(rng.choice(np.array([*towns, None, "elsewhere"], dtype=object), n))
    (wanted,) = evaluate(program, columns)
    outputs = runner.outputs(columns)
    np.testing.assert_array_equal(outputs[:, :9], wanted[:, :9])
    np.testing.assert_array_equal(np.signbit(outputs[:, 9:309]), np.signbit(wanted[:, 9:309]))
    np.testing.assert_allclose(outputs, wanted, rtol=1e-5, atol=1e-6)
    in_double = [i for i, node in program if getattr(node, "bias", np.empty(0, "f4")).dtype == "f8"]
    assert len(in_double) == 9
    one_by_one = [runner.outputs([column[i : i + 1] for column in columns])[0] for i in range(20)]
    np.testing.assert_array_equal(one_by_one, outputs[:20])


def test_long_programs_are_many_functions():
    graph = Graph(["a", "b"])
    node = graph.numbers([0, 1])
    for _ in range(100):
        node = graph.softmax(node)
    steps = write_steps(Expressions(graph.program(node, "values"), [0, 1], {}))
    assert [call.partition("(")[0] for call in steps.calls] == ["steps_0", "steps_1", "steps_2"]
    assert steps.codes_width == 0


def test_tables_of_zeros_are_kept_without_them():
    graph = Graph(["city"])
    keys = [f"{i}" for i in range(200)]
    node = graph.lookup(0, keys, np.eye(200), missing=np.zeros(200), unknown=np.zeros(200))
    program = graph.program(node, "values")
    steps = write_steps(Expressions(program, [0], {0: keys}))
    assert len(steps.functions) < 8_000
    assert "memset" in steps.functions


def test_codes_have_room():
    graph = Graph(["a", "b", "c"])
    trees = some_trees(np.random.default_rng(0), graph.numbers(range(3)), 3, sets=[[1], [2]])
    program = graph.program(graph.add(trees), "values")
    asked = len(np.unique(trees.feature[trees.category_set >= 0]))
    assert write_steps(Expressions(program, [0, 1, 2], {})).codes_width == 1 + asked

"""Sets of categories in trees."""

import numpy as np
import onnx
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._membership import traced
from stackens.export.program import Graph, Trees, evaluate


def one_split(source, n_columns, feature, sets, missing_left):
    """A tree of one split for each set, with leaves that tell which one it was."""
    n = len(sets)
    return Trees(
        1,
        source,
        feature=np.full(n, feature, dtype=np.int32),
        threshold=np.zeros(n),
        missing_left=np.full(n, missing_left),
        category_set=np.arange(n, dtype=np.int32),
        left=-1 - 2 * np.arange(n, dtype=np.int32),
        right=-2 - 2 * np.arange(n, dtype=np.int32),
        root=np.arange(n, dtype=np.int32),
        offset=np.zeros(n, dtype=np.int32),
        leaf=np.stack([2.0 ** np.arange(n), np.zeros(n)], axis=1).reshape(-1, 1),
        sets=tuple(np.array(s, dtype=np.int64) for s in sets),
        base=np.zeros(1),
    )


SETS = ([0], [1], [1, 31], [0, 100], [30, 31, 32], list(range(60)), [2**31, 2**40], [2**53], [])
SMALL = (np.nan, np.inf, -np.inf, -1.0, -0.0, 0.5, 1.0, 1.5, 2.0, 5.5, 30.0, 31.0, 32.0, 59.0, 60.0)
LARGE = (63.0, 64.0, 100.0, 2.0**31, 2.0**32, 2.0**32 + 1, 2.0**40, 2.0**53, 2.0**53 + 2, 1e300)
VALUES = np.array([*SMALL, *LARGE])


@pytest.mark.parametrize("missing_left", [False, True])
def test_any_numbers_in_any_sets(missing_left):
    graph = Graph(["a", "b"])
    source = graph.numbers([0, 1])
    program = graph.program(graph.add(one_split(source, 2, 1, SETS, missing_left)), "values")
    columns = [np.zeros(len(VALUES)), VALUES]
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    np.testing.assert_array_equal(outputs, evaluate(program, columns)[0])
    assert outputs[0] == (2.0 ** len(SETS) - 1 if missing_left else 0)
    assert outputs[7] == 0  # 1.5 is not the category 1


def test_codes_of_a_lookup_bring_their_membership_along():
    graph = Graph(["a", "town"])
    keys = [f"t{i}" for i in range(40)]
    codes = np.arange(40.0)[:, None]
    town = graph.lookup(1, keys, codes, missing=[np.nan], unknown=[-1.0])
    source = graph.select(graph.concatenate([graph.numbers([0]), town]), [1, 0])
    program = graph.program(graph.add(one_split(source, 2, 0, SETS, True)), "values")
    trees = len(program.nodes) - 1
    assert isinstance(program.nodes[trees], Trees)
    assert traced(program, program.nodes[trees].source, 1) is None
    towns = np.array([*keys, None, "elsewhere"], dtype=object)
    columns = [np.zeros(len(towns)), towns]
    content = write_onnx(program, "{}")
    np.testing.assert_array_equal(
        open_onnx(content).outputs(columns), evaluate(program, columns)[0]
    )
    operators = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert operators.count("TreeEnsemble") == 1
    assert len(operators) <= 6

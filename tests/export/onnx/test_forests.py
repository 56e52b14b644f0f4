"""Trees as TreeEnsemble nodes, bit for bit."""

import numpy as np
import onnx
import pytest

from stackens.export.onnx import _forests as module
from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._builder import Builder
from stackens.export.onnx._forests import Steps, add_steps
from stackens.export.program import Graph, Trees, evaluate


def forest(n_trees, *, width=1, leaf_width=1, depth=4, base=0.0, seed=0, source=0, n_columns=3):
    """Complete trees (every fifth a bare leaf) with leaves whose sum depends on its order."""
    rng = np.random.default_rng(seed)
    feature, left, right, root, n_leaves = [], [], [], [], 0
    for t in range(n_trees):
        if t % 5 == 4:
            n_leaves += 1
            root.append(-n_leaves)
            continue
        start, n = len(feature), 2**depth - 1
        root.append(start)
        for i in range(n):
            feature.append(rng.integers(n_columns))
            for side, child in ((left, 2 * i + 1), (right, 2 * i + 2)):
                side.append(start + child if child < n else -1 - (n_leaves + child - n))
        n_leaves += n + 1
    n = len(feature)
    return Trees(
        width,
        source,
        feature=np.array(feature, dtype=np.int32),
        threshold=rng.normal(size=n).round(1),
        missing_left=rng.random(n) < 0.5,
        category_set=np.full(n, -1, dtype=np.int32),
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        root=np.array(root, dtype=np.int32),
        offset=(np.arange(n_trees) % (width - leaf_width + 1)).astype(np.int32),
        leaf=rng.normal(size=(n_leaves, leaf_width)) * 10.0 ** rng.integers(-8, 8, (n_leaves, 1)),
        sets=(),
        base=np.full(width, base),
    )


def program_of(**settings):
    graph = Graph(["a", "b", "c"])
    source = graph.numbers([0, 1, 2])
    return graph.program(graph.add(forest(source=source, **settings)), "values", one_target=False)


def rows(program, n):
    rng = np.random.default_rng(1)
    thresholds = program.trees()[0].threshold
    x = rng.normal(size=(n, 3)).round(1)
    some = rng.random((n, 3))
    x[some < 0.3] = rng.choice([*thresholds, np.nan, np.inf, -np.inf, 1e300], (some < 0.3).sum())
    x[some > 0.8] = np.nextafter(x[some > 0.8], rng.choice([-np.inf, np.inf], (some > 0.8).sum()))
    return list(x.T)


SETTINGS = [
    {"n_trees": 300},
    {"n_trees": 120, "width": 3, "base": 0.1},
    {"n_trees": 7, "width": 3, "leaf_width": 3, "base": -0.3},
    {"n_trees": 40, "width": 4, "leaf_width": 2},
    {"n_trees": 2, "width": 5, "base": 0.7},
    {"n_trees": 0, "width": 2, "base": 0.7},
    {"n_trees": 0},
]


@pytest.mark.parametrize("most_copies", [0, 50_000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_sums_are_bit_equal_in_batches_of_any_size(settings, most_copies, monkeypatch):
    monkeypatch.setattr(module, "_MOST_COPIES", most_copies)
    program = program_of(**settings)
    columns = rows(program, 600) if settings["n_trees"] else [np.arange(600.0)] * 3
    (wanted,) = evaluate(program, columns)
    runner = open_onnx(write_onnx(program, "{}"))
    for size in (600, 51, 49, 2, 1):
        np.testing.assert_array_equal(runner.outputs([c[:size] for c in columns]), wanted[:size])


def test_large_leaves_are_read_from_a_table(monkeypatch):
    monkeypatch.setattr(module, "_MOST_COPIES", 0)
    model = onnx.load_from_string(write_onnx(program_of(n_trees=9, width=3, leaf_width=3), "{}"))
    assert "CumSum" in {node.op_type for node in model.graph.node}


def test_all_nodes_compare_in_the_same_way_and_no_root_is_mistakable():
    model = onnx.load_from_string(write_onnx(program_of(n_trees=60, depth=2, width=2), "{}"))
    (node,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert set(onnx.numpy_helper.to_array(found["nodes_modes"])) == {0}
    for root in found["tree_roots"]:
        assert found["nodes_truenodeids"][root] != found["nodes_falsenodeids"][root]
    leaves = [*found["nodes_trueleafs"], *found["nodes_falseleafs"]]
    assert sum(leaves) <= len(found["leaf_targetids"])


def test_a_root_with_a_leaf_of_the_same_number_as_its_inner_child():
    # onnxruntime below 1.31 takes such a root for a leaf.
    graph = Graph(["x"])
    node = Trees(
        1,
        graph.numbers([0]),
        feature=np.zeros(2, dtype=np.int32),
        threshold=np.array([0.0, 1.0]),
        missing_left=np.zeros(2, dtype=bool),
        category_set=np.full(2, -1, dtype=np.int32),
        left=np.array([-2, -1], dtype=np.int32),
        right=np.array([1, -3], dtype=np.int32),
        root=np.zeros(1, dtype=np.int32),
        offset=np.zeros(1, dtype=np.int32),
        leaf=np.array([[10.0], [20.0], [30.0]]),
        sets=(),
        base=np.zeros(1),
    )
    content = write_onnx(graph.program(graph.add(node), "values"), "{}")
    (tree, *_) = onnx.load_from_string(content).graph.node
    found = {a.name: onnx.helper.get_attribute_value(a) for a in tree.attribute}
    assert found["nodes_truenodeids"][0] != found["nodes_falsenodeids"][0]
    outputs = open_onnx(content).outputs([np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan])])
    assert outputs[:, 0].tolist() == [20.0, 20.0, 10.0, 10.0, 30.0, 30.0]


def test_step_functions_are_closed_on_the_right():
    import onnxruntime

    builder = Builder()
    x = builder.input("X", "double", 2)
    steps = [
        Steps(1, np.array([-1.0, 0.0, 2.5]), np.array([10.0, 20.0, 30.0, 40.0]), -1.0),
        Steps(0, np.array([]), np.array([7.0]), np.nan),
    ]
    answer = add_steps(builder, x, steps)
    builder.output("y", answer.name, "double", ["N", 2])
    session = onnxruntime.InferenceSession(builder.finish({}))
    values = np.array([-np.inf, -1.0, -0.5, 0.0, 5e-324, 2.5, 2.6, np.inf, np.nan])
    found = session.run(None, {"X": np.stack([values, values], axis=1)})[0]
    np.testing.assert_array_equal(found[:, 0], [10, 10, 20, 20, 30, 30, 40, 40, -1])
    np.testing.assert_array_equal(found[:, 1], [7] * 8 + [np.nan])

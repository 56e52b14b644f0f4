"""Tests that the arrays of several trees become those of one node."""

import numpy as np

from stackens.export.program import Graph, evaluate
from stackens.export.readers.trees._joined import (
    NO_SET,
    TreeArrays,
    joined_trees,
    members_of_bits,
)


def split_at(threshold, leaf, *, feature=0, category_set=NO_SET):
    return TreeArrays(
        feature=np.array([feature]),
        threshold=np.array([threshold]),
        missing_left=np.array([True]),
        category_set=np.array([category_set]),
        left=np.array([-1]),
        right=np.array([-2]),
        leaf=np.array(leaf, dtype=float)[:, None],
        root=np.array([0]),
    )


def leaf_alone(value):
    none = np.zeros(0, dtype=int)
    return TreeArrays(
        *(none, np.zeros(0), none.astype(bool), none, none, none),
        leaf=np.array([[float(value)]]),
        root=np.array([-1]),
    )


def test_trees_are_summed_each_into_its_column():
    graph = Graph(["a", "b"])
    trees = [
        split_at(1.0, [1, 2]),
        leaf_alone(10),
        split_at(0.0, [100, 200], feature=1),
        split_at(0.0, [1000, 2000], feature=1, category_set=0),
    ]
    node = joined_trees(
        graph,
        graph.numbers([0, 1]),
        trees,
        offset=np.array([0, 0, 1, 1]),
        base=np.array([0.5, 0.25]),
        sets=[np.array([3, 7])],
    )
    program = graph.program(node, "values")
    assert program.trees()[0].n_trees == 4
    got = evaluate(program, [np.array([1.0, 1.5, np.nan]), np.array([0.0, 7.0, np.nan])])[0]
    np.testing.assert_array_equal(got, [[11.5, 2100.25], [12.5, 1200.25], [11.5, 1100.25]])


def test_trees_without_splits_are_a_constant():
    graph = Graph(["a"])
    base = np.array([0.1, 0.0])
    trees = [leaf_alone(0.2), leaf_alone(0.3), leaf_alone(7)]
    node = joined_trees(graph, graph.numbers([0]), trees, offset=np.array([0, 0, 1]), base=base)
    np.testing.assert_array_equal(graph[node].values, [0.1 + 0.2 + 0.3, 7])
    assert base.tolist() == [0.1, 0.0]


def test_members_of_bits():
    words = np.array([0b101010, 1 << 31, 0, 1], dtype=np.uint32)
    assert members_of_bits(words).tolist() == [1, 3, 5, 63, 96]
    assert members_of_bits(words[:0]).tolist() == []

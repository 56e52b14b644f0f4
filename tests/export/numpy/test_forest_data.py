"""Tests for the form in which exported files hold trees."""

from dataclasses import replace

import numpy as np

from stackens.export.numpy._forest_data import depth, forest_data
from tests.export.numpy.grown import random_trees


def test_plain_trees_need_no_more_columns():
    trees = random_trees(0, plain=True)
    data = forest_data(trees, 5)
    assert data["missing_first"] == []
    assert data["sets"] == []
    order = level_order(trees)
    np.testing.assert_array_equal(data["feature"], trees.feature[order])
    assert data["feature"].dtype == np.uint8
    np.testing.assert_array_equal(data["threshold"], trees.threshold[order])


def test_a_bit_for_each_node_tells_the_shape_of_the_trees():
    two = replace(
        random_trees(0, n_trees=2, depth=0, plain=True),
        feature=np.array([4, 1, 3], np.int32),
        threshold=np.array([0.0, 1.0, 2.0]),
        missing_left=np.zeros(3, bool),
        category_set=np.full(3, -1, np.int32),
        left=np.array([-4, 2, -1], np.int32),
        right=np.array([-2, 0, -5], np.int32),
        root=np.array([-3, 1], np.int32),
        leaf=np.arange(5.0)[:, None],
    )
    data = forest_data(two, 5)
    assert data["is_inner"].tolist() == [0b01110000]
    assert data["feature"].tolist() == [1, 3, 4]
    assert data["leaf"].ravel().tolist() == [2.0, 0.0, 4.0, 3.0, 1.0]


def level_order(trees):
    """Positions of the inner nodes, by a queue."""
    queue, order = list(trees.root), []
    while queue:
        place = queue.pop(0)
        if place >= 0:
            order.append(place)
            queue += [trees.left[place], trees.right[place]]
    return order


def test_other_rules_become_columns():
    trees = random_trees(1)
    data = forest_data(trees, 5)
    order = level_order(trees)
    category_set, missing_left = trees.category_set[order], trees.missing_left[order]
    in_set = category_set >= 0
    first = missing_left & ~in_set
    n = len(data["missing_first"])
    assert in_set.any()
    assert first.any()
    assert sorted(set(trees.feature[order][first])) == data["missing_first"]
    assert np.all((data["feature"][first] >= 5) & (data["feature"][first] < 5 + n))
    assert np.all(data["feature"][in_set] >= 5 + n)
    assert np.all(data["threshold"][in_set] == 0.5)
    for node in np.flatnonzero(in_set):
        column, members, left = data["sets"][data["feature"][node] - 5 - n]
        assert column == trees.feature[order][node]
        assert members == trees.sets[category_set[node]].tolist()
        assert left == missing_left[node]
    kept = trees.threshold[trees.category_set >= 0]  # the trees themselves stay as they are
    assert kept.max() != 0.5


def test_depth():
    assert depth(random_trees(0, n_trees=3, depth=0)) == 0
    assert depth(random_trees(0, n_trees=40, depth=4)) == 4

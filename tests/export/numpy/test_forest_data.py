"""Tests for the form in which exported files hold trees."""

import numpy as np

from stackens.export.numpy._forest_data import depth, forest_data
from tests.export.numpy.grown import random_trees


def test_plain_trees_need_no_more_columns():
    trees = random_trees(0, plain=True)
    data = forest_data(trees, 5)
    assert data["missing_first"] == []
    assert data["sets"] == []
    np.testing.assert_array_equal(data["feature"], trees.feature)
    assert data["feature"].dtype == np.uint8
    np.testing.assert_array_equal(data["threshold"], trees.threshold)


def test_other_rules_become_columns():
    trees = random_trees(1)
    data = forest_data(trees, 5)
    in_set = trees.category_set >= 0
    first = trees.missing_left & ~in_set
    n = len(data["missing_first"])
    assert in_set.any()
    assert first.any()
    assert sorted(set(trees.feature[first])) == data["missing_first"]
    assert np.all((data["feature"][first] >= 5) & (data["feature"][first] < 5 + n))
    assert np.all(data["feature"][in_set] >= 5 + n)
    assert np.all(data["threshold"][in_set] == 0.5)
    for node in np.flatnonzero(in_set):
        column, members, missing_left = data["sets"][data["feature"][node] - 5 - n]
        assert column == trees.feature[node]
        assert members == trees.sets[trees.category_set[node]].tolist()
        assert missing_left == trees.missing_left[node]
    assert trees.threshold[in_set].max() != 0.5  # the trees themselves stay as they are


def test_depth():
    assert depth(random_trees(0, n_trees=3, depth=0)) == 0
    assert depth(random_trees(0, n_trees=40, depth=4)) == 4

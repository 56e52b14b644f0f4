"""Tests for the layout of trees: walking it gives what the program says, for every row."""

from dataclasses import replace

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.c import _forest
from stackens.export.c._forest import forest_of, walker
from stackens.export.program import Graph, evaluate
from tests.export.c.built import some_trees

SETS = ((0, 2), (1, 3, 5), (7, 1_000_000), (2**53,))


def walk(trees, X):
    """Walk a forest as the C code does, row by row."""
    forest = forest_of(trees)
    out = np.tile(trees.base, (len(X), 1))
    for row, x in enumerate(X):
        filled = np.where(np.isnan(x[forest.fill]), -np.inf, x[forest.fill])
        z = np.concatenate([[0.0], x[forest.keep], filled])
        codes = [0]
        for column, keys in forest.categories:
            found = np.flatnonzero(keys == x[column])
            codes.append(0 if np.isnan(x[column]) else 2 + found[0] if len(found) else 1)
        for t in range(trees.n_trees):
            at = t
            while True:
                node = forest.nodes[at]
                right = not z[node["feature"]] <= node["threshold"]
                if forest.has_sets:
                    place = int(node["bit"]) + codes[node["code"]]
                    right &= not forest.bits[place >> 5] >> (place & 31) & 1
                following = int(node["child"]) + right
                if following == at:
                    break
                at = following
            values = forest.leaf[int(node["threshold"])]
            out[row, trees.offset[t] : trees.offset[t] + len(values)] += values
    return out


def rows(rng, n=80):
    special = [np.nan, np.inf, -np.inf, 0.0, 1.0, 2.0, 3.0, 7.0, 1e6, 2.0**53, 2.0**53 + 2, 2.5]
    return np.where(rng.random((n, 4)) < 0.5, rng.choice(special, (n, 4)), rng.normal(size=(n, 4)))


@pytest.mark.parametrize("sets", [(), SETS])
@pytest.mark.parametrize("leaf_width", [1, 2, 20])
def test_walking_gives_what_the_program_says(sets, leaf_width):
    rng = np.random.default_rng(leaf_width)
    graph = Graph(["a", "b", "c", "d"])
    trees = some_trees(rng, graph.numbers(range(4)), 4, leaf_width=leaf_width, sets=sets)
    program = graph.program(graph.add(trees), "values")
    X = rows(rng)
    assert forest_of(trees).has_sets == bool(sets)
    (wanted,) = evaluate(program, list(X.T))
    np.testing.assert_array_equal(walk(trees, X), wanted)


def test_trees_of_one_leaf_and_no_trees():
    trees = some_trees(np.random.default_rng(0), 0, 1, n_trees=3)
    single = replace(trees, root=np.array([-1, -5, 0], dtype=np.int32))
    forest = forest_of(single)
    assert forest.nodes["child"][:2].tolist() == [0, 1]
    np.testing.assert_array_equal(
        forest.leaf[forest.nodes["threshold"][:2].astype(int)], trees.leaf[[0, 4]]
    )
    none = replace(trees, root=np.empty(0, dtype=np.int32), offset=np.empty(0, dtype=np.int32))
    assert len(forest_of(none).nodes) == 2 * len(trees.feature)


def test_equal_leaves_are_kept_once():
    trees = some_trees(np.random.default_rng(0), 0, 2)
    values = np.tile([[1.0, 0.0], [-0.0, 1.0], [0.0, 1.0], [1.0, 0.0]], (20, 1))
    forest = forest_of(replace(trees, leaf=values))
    assert forest.leaf.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    assert np.signbit(forest.leaf[:, 0]).tolist() == [False, True, False]


def test_small_categories_are_found_without_a_search():
    trees = some_trees(np.random.default_rng(0), 0, 1, sets=((0, 2), (5,)))
    ((column, keys),) = forest_of(trees).categories
    assert column == 0
    assert keys.tolist() == [0, 1, 2, 3, 4, 5]


def test_positions_must_fit(monkeypatch):
    monkeypatch.setattr(_forest, "_MOST", 100)
    with pytest.raises(ExportError, match="at most 100 nodes. Got 155"):
        forest_of(some_trees(np.random.default_rng(0), 0, 2))


@pytest.mark.parametrize("has_sets", [False, True])
def test_the_walker_is_filled_in(has_sets):
    code = walker(has_sets)
    assert "$" not in code
    assert ("STACKENS_BIT" in code) == has_sets

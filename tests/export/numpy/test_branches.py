"""Tests for trees as Python text."""

import math

import pytest

from stackens.export.numpy._branches import condition, expression, statements
from stackens.export.numpy._forest_data import forest_of
from tests.export.numpy.grown import random_trees, rows_for_trees, sums_of


class OneNode:
    """A forest of one node that goes to the left for leaf 0."""

    missing_first = (1,)
    sets = ((0, (3, 5), False), (0, (3, 5), True), (0, (), False))
    left, right = (-1,), (-2,)

    def __init__(self, feature, threshold=0.5):
        self.feature, self.threshold = (feature,), (threshold,)


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        (0, "age <= 0.5"),
        (2, "not size > 0.5"),
        (3, "age in {3, 5}"),
        (4, "(age in {3, 5} or age != age)"),
        (5, "False"),
    ],
)
def test_condition(feature, text):
    assert condition(OneNode(feature), 0, ["age", "size"]) == text


def test_a_small_tree():
    tree = OneNode(0, math.inf)
    leaves = ["1.0", "2.0"]
    assert expression(tree, 0, ["a", "b"], leaves) == "(1.0 if a <= inf else 2.0)"
    assert expression(tree, -2, ["a", "b"], leaves) == "2.0"
    lines = statements(tree, 0, ["a", "b"], ["s += 1.0", "s += 2.0"], "    ")
    assert lines == [
        "    if a <= inf:",
        "        s += 1.0",
        "    else:",
        "        s += 2.0",
    ]


def test_both_forms_follow_the_trees():
    trees, x = random_trees(2, n_trees=1), rows_for_trees(2, n_rows=50)
    forest = forest_of(trees, 5).as_lists()
    names = list("abcde")
    leaves = [repr(leaf[0]) for leaf in forest.leaf]
    text = expression(forest, forest.root[0], names, leaves)
    lines = statements(forest, forest.root[0], names, [f"s = {leaf}" for leaf in leaves], "")
    for row, (wanted,) in zip(x.tolist(), sums_of(trees, x).tolist(), strict=True):
        scope = dict(zip(names, row, strict=True))
        assert forest.base[0] + eval(text, {}, scope) == wanted
        exec("\n".join(lines), {}, scope)
        assert forest.base[0] + scope["s"] == wanted

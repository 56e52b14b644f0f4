"""Tests for sums of trees: many rows, and single rows in all ways, agree to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from stackens.export.numpy import _forest
from stackens.export.numpy._forest_data import forest_of
from tests.export.numpy.grown import chain, random_trees, rows_for_trees, sums_of

SHAPES = [(1, 1), (3, 1), (3, 2), (4, 4)]


@pytest.mark.parametrize(("width", "leaf_width"), SHAPES)
@pytest.mark.parametrize("plain", [True, False])
def test_sums(width, leaf_width, plain):
    for seed in range(8):
        trees = random_trees(seed, width=width, leaf_width=leaf_width, plain=plain)
        x = rows_for_trees(seed)
        forest = forest_of(trees, x.shape[1])
        wanted = sums_of(trees, x)
        np.testing.assert_array_equal(forest.sums(x), wanted)
        answers = [forest.ask(*row) for row in x.tolist()]
        np.testing.assert_array_equal(answers, wanted)


@pytest.mark.parametrize(("width", "leaf_width"), SHAPES)
def test_large_forests_are_walked(width, leaf_width, monkeypatch):
    monkeypatch.setattr(_forest, "_COMPILED_LEAVES", 0)
    trees, x = random_trees(3, width=width, leaf_width=leaf_width), rows_for_trees(3)
    forest = forest_of(trees, x.shape[1])
    answers = [forest.ask(*row) for row in x.tolist()]
    assert forest._ask.__code__.co_filename != "<string>"
    np.testing.assert_array_equal(answers, sums_of(trees, x))


@pytest.mark.parametrize(("width", "leaf_width"), SHAPES)
def test_large_forests_of_many_trees_stay_arrays(width, leaf_width, monkeypatch):
    for name in ("_COMPILED_LEAVES", "_ARRAY_LEAVES", "_ARRAY_TREES"):
        monkeypatch.setattr(_forest, name, 0)
    trees, x = random_trees(3, width=width, leaf_width=leaf_width), rows_for_trees(3)
    forest = forest_of(trees, x.shape[1])
    answers = [forest.ask(*row) for row in x.tolist()]
    assert forest._ask == forest._summed
    np.testing.assert_array_equal(answers, sums_of(trees, x))


def test_what_is_asked_is_set_once_so_that_threads_may_meet():
    trees, x = random_trees(3), rows_for_trees(3)
    forest, found = forest_of(trees, x.shape[1]), []

    class Watched(_forest.Forest):
        def __setattr__(self, name, value):
            found.append((name, value))
            super().__setattr__(name, value)

    forest.__class__ = Watched
    forest.ask(*x[0].tolist())
    assert [value is None for name, value in found if name == "_ask"] == [False]


def test_small_forests_are_compiled():
    trees, x = random_trees(3), rows_for_trees(3)
    forest = forest_of(trees, x.shape[1])
    forest.ask(*x[0].tolist())
    assert forest._ask.__code__.co_filename == "<string>"


def without_sets(trees):
    return replace(trees, category_set=np.full_like(trees.category_set, -1), sets=())


@pytest.mark.parametrize(("width", "leaf_width"), SHAPES)
@pytest.mark.parametrize("n_trees", [1, 12, 200])
def test_many_small_trees_are_asked_by_masks(width, leaf_width, n_trees, monkeypatch):
    monkeypatch.setattr(_forest, "_COMPILED_SMALL", 0)
    for seed in range(6):  # some are single leaves
        grown = random_trees(seed, n_trees=n_trees, width=width, leaf_width=leaf_width)
        trees, x = without_sets(grown), rows_for_trees(seed)
        forest = forest_of(trees, x.shape[1])
        answers = [forest.ask(*row) for row in x.tolist()]
        assert "_masked" in forest._ask.__qualname__
        np.testing.assert_array_equal(answers, sums_of(trees, x))


def test_masks_have_a_bit_for_each_leaf(monkeypatch):
    monkeypatch.setattr(_forest, "_COMPILED_SMALL", 0)
    x = np.append(0.5 - np.arange(67.0), np.nan)
    for levels, ways in ((63, "_masked"), (64, "ask")):
        forest = forest_of(chain(levels), 1)
        assert [forest.ask(v)[0] for v in x.tolist()] == forest.sums(x[:, None])[:, 0].tolist()
        assert ways in forest._ask.__qualname__
    assert "_masked" not in forest._ask.__qualname__


def test_masks_of_trees_that_are_all_one_leaf(monkeypatch):
    monkeypatch.setattr(_forest, "_COMPILED_SMALL", 0)
    trees, x = random_trees(2, depth=0, width=2), rows_for_trees(2, n_rows=3)
    forest = forest_of(trees, x.shape[1])
    assert [forest.ask(*row) for row in x.tolist()] == sums_of(trees, x).tolist()


@pytest.mark.parametrize("levels", [1, 2, 59, 60, 61, 3000])
def test_deep_trees(levels):
    forest = forest_of(chain(levels), 1)
    x = np.array([[0.0], [-1.0], [-2.5], [-1e9], [np.nan]])
    wanted = [0.0, min(1, levels), min(2, levels), levels, 0.0]
    assert forest.sums(x)[:, 0].tolist() == wanted
    assert [forest.ask(value)[0] for value in x[:, 0].tolist()] == wanted


def test_no_trees_and_no_rows():
    trees = random_trees(0, n_trees=0, width=2)
    x = rows_for_trees(0, n_rows=3)
    forest = forest_of(trees, x.shape[1])
    assert forest.sums(x).tolist() == [trees.base.tolist()] * 3
    assert list(forest.ask(*x[0])) == trees.base.tolist()
    assert forest_of(random_trees(1), 5).sums(x[:0]).shape == (0, 1)


def test_parts_of_the_rows_join(monkeypatch):
    monkeypatch.setattr(_forest, "_PAIRS", 1)
    trees, x = random_trees(5), rows_for_trees(5, n_rows=150)
    np.testing.assert_array_equal(forest_of(trees, 5).sums(x), sums_of(trees, x))

"""Axes that must agree, are divided and put together."""

import pytest

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Value, factors_of, find


def roots(axis):
    return [find(factor.variable)[0] for factor in factors_of(axis)]


def sizes(axis):
    return [[factor.size for factor in run] for run in axis]


def resolved(axes, axis):
    return axes.resolved(Value((axis,))).axes[0]


def test_axes_that_agree_have_the_same_units_and_labels():
    axes = Axes()
    one, other = (axes.free(6, labelled=True) for _ in range(2))
    axes.unify(one, other)
    assert roots(one) == roots(other)
    assert axes.equations == [({0: 1, 1: -1}, True, True)]
    assert not axes.divided


def test_axes_that_are_summed_over_have_opposite_labels_and_matrices():
    axes = Axes()
    one, other = (axes.free(6, labelled=True) for _ in range(2))
    axes.unify(one, other, -1)
    assert axes.equations == [({0: 1, 1: 1}, True, True)]
    assert find(other[0][0].variable) == (roots(one)[0], -1)
    assert not roots(one)[0].orthogonal
    axes.unify(one, other)
    assert roots(one)[0].orthogonal


def test_units_joined_with_pinned_ones_are_pinned():
    axes = Axes()
    one = axes.free(6)
    axes.unify(one, axes.pinned(6))
    assert axes.is_pinned(one)


def test_products_that_are_divided_differently_are_divided_further():
    axes = Axes()
    one, other = axes.free(2, 6), axes.free(4, 3)
    axes.unify(one, other)
    assert axes.divided
    assert sizes(resolved(axes, one)) == sizes(resolved(axes, other)) == [[2, 2, 3]]
    assert roots(resolved(axes, one)) == roots(resolved(axes, other))


def test_products_that_do_not_fit_are_held():
    axes = Axes()
    one, other = axes.free(2, 3), axes.free(3, 2)
    axes.unify(one, other)
    assert axes.is_pinned(one)
    assert axes.is_pinned(other)
    assert axes.held


def test_nothing_is_divided_after_it_is_settled():
    axes = Axes(settled=True)
    one = axes.free(6)
    axes.unify(one, axes.free(2, 3))
    assert not axes.divided
    assert axes.is_pinned(one)


def test_runs_are_cut_where_others_end():
    axes = Axes()
    one = axes.free(6, labelled=True)
    other = axes.free(2)[:1] + axes.free(4)
    axes.unify(one, other)
    assert axes.divided
    assert sizes(resolved(axes, one)) == [[2], [4]]
    assert roots(resolved(axes, one)) == roots(other)


@pytest.mark.parametrize(("at", "expected"), [([6, 6], [[[2, 3]], [[2, 3]]]), ([4, 8], None)])
def test_a_product_is_cut_between_its_slowest_units(at, expected):
    axes = Axes()
    one = axes.free(4, 3)
    runs = axes.cut(one, at)
    assert [sum(map(sum, sizes(run))) > 0 for run in runs] == [True, True]
    if expected is None:
        assert axes.is_pinned(one)
    else:
        assert [sizes(run) for run in runs] == expected


def test_flattening_and_back():
    axes = Axes()
    heads, inside = axes.free(3), axes.free(4)
    flat = axes.product([heads, inside])
    assert sizes(flat) == [[3, 4]]
    assert [roots(axis) for axis in axes.quotient(flat, [3, 4])] == [roots(heads), roots(inside)]
    assert axes.quotient(flat, [4, 3]) is None
    assert axes.quotient(flat, [1, 12, 1]) == [((),), flat, ((),)]


def test_runs_behind_a_pinned_axis_are_repeated():
    axes = Axes()
    runs = axes.free(2) + axes.free(3)
    assert sizes(axes.product([axes.pinned(2), runs])) == [[2], [3], [2], [3]]
    assert not axes.held


def test_runs_behind_units_are_held():
    axes = Axes()
    units, runs = axes.free(4), axes.free(2) + axes.free(3)
    assert sizes(axes.product([units, runs])) == [[4, 5]]
    assert axes.is_pinned(runs)
    assert not axes.is_pinned(units)


def test_runs_of_one_length_become_a_choice():
    axes = Axes()
    runs = axes.free(6, labelled=True) + axes.free(6, labelled=True)
    choice, rows, columns = axes.quotient(runs, [2, 3, 2])
    assert factors_of(choice)[0].choice is factors_of(rows)[0].choice
    assert len(factors_of(columns)[0].options) == 2
    back = axes.product([choice, rows, columns])
    assert sizes(back) == [[3, 2], [3, 2]]
    one, other = back
    assert find(one[0].variable)[0] is not find(other[0].variable)[0]
    plain = axes.resolved(Value((choice, rows, columns)))
    assert [f.choice for axis in plain.axes for f in factors_of(axis)] == [None] * 3
    assert find(one[0].variable)[0] is find(other[0].variable)[0]


def test_blocks_of_neighbours():
    axes = Axes()
    whole, product = axes.free(12), axes.free(2, 6)
    runs = axes.free(4) + axes.free(8) + axes.free(2)
    for axis in (whole, product, runs):
        axes.keep_blocks(axis, 2)
    assert [root.blocks for root in roots(whole)] == [6]
    assert [root.blocks for root in roots(product)] == [1, 3]
    assert [root.blocks for root in roots(runs)] == [2, 4, 1]
    assert not axes.held
    axes.keep_blocks(whole, 3)
    assert axes.is_pinned(whole)


def test_runs_that_blocks_cut_apart_are_held():
    axes = Axes()
    runs = axes.free(3) + axes.free(5)
    axes.keep_blocks(runs, 4)
    assert [root.pinned for root in roots(runs)] == [False, True]


def test_units_of_which_all_entries_are_the_same_take_no_matrix():
    axes = Axes()
    assert roots(axes.free(3))[0].rigid
    assert not roots(axes.free(3, labelled=True))[0].rigid

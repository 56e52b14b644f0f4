"""Runs and factors of axes, and variables that were joined."""

from stackens.weight_averaging.alignment._factors import (
    Choice,
    Factor,
    Value,
    Variable,
    bounds_of,
    factors_of,
    find,
    leaves,
    length,
    product_of,
    strides_of,
    unlabelled,
)


def axis(*runs):
    return tuple(tuple(Factor(Variable(size), {size: 1}) for size in run) for run in runs)


def test_sizes_of_runs_and_axes():
    parts = axis((2, 3), (), (5,))
    assert length(parts) == 12
    assert [product_of(run) for run in parts] == [6, 1, 5]
    assert bounds_of(parts) == {6, 7, 12}
    assert strides_of(parts[0]) == {3, 6}
    assert Value((parts, axis((4,)))).shape == (12, 4)


def test_an_axis_without_labels_has_the_same_units():
    parts = axis((2, 3), (5,))
    plain = unlabelled(parts)
    assert [f.variable for f in factors_of(plain)] == [f.variable for f in factors_of(parts)]
    assert all(f.form == {} for f in factors_of(plain))


def test_powers_multiply_along_the_way_and_stay_when_it_is_shortened():
    root = Variable(3)
    chain = [root]
    for power in (-1, 1, -1, -1):
        chain.append(Variable(3, parent=chain[-1], power=power))
    expected = [(root, power) for power in (1, -1, -1, 1, -1)]
    for _ in range(2):
        assert [find(variable) for variable in chain[::-1]] == expected[::-1]
    assert all(variable.parent is root for variable in chain[1:])


def test_leaves_of_nested_choices():
    units = [Factor(Variable(3), {}) for _ in range(4)]
    inner = [Factor(pair[0].variable, {}, 1, Choice(2), pair) for pair in (units[:2], units[2:])]
    assert leaves(Factor(units[0].variable, {}, 1, Choice(2), tuple(inner))) == units
    assert leaves(units[0]) == units[:1]

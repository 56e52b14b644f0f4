"""Runs and factors of axes, and variables that were joined."""

from stackens.weight_averaging.alignment._factors import (
    Factor,
    Value,
    Variable,
    bounds_of,
    factors_of,
    find,
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

"""The table of rules, and what rules share."""

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Value
from stackens.weight_averaging.alignment.operators import rule_of
from stackens.weight_averaging.alignment.operators._rules import (
    Call,
    positions,
    replaced,
    values_in,
)


def test_operators_are_found_by_name():
    assert rule_of("linear") is not None
    assert rule_of("fft_fft") is None
    assert rule_of("view").moves_only
    assert not rule_of("tanh").moves_only


def test_arguments_that_only_some_forms_have():
    call = Call("sum", {"dim": [1]}, ((3, 4), (5,)))
    assert (call["dim"], call.get("keepdim", False), call.shape) == ([1], False, (3, 4))


def test_tensors_are_found_in_lists_and_dicts():
    a, b = Axes().constant((2,)), Axes().constant((3,))
    assert values_in({"tensors": [a, 1, (b,)], "dim": 0}) == [a, b]


def test_an_axis_is_replaced_by_none_or_several():
    axes = Axes()
    value = axes.constant((2, 3, 4))
    assert replaced(value, -1).shape == (2, 3)
    assert replaced(value, 1, axes.pinned(5), axes.pinned(6)).shape == (2, 5, 6, 4)
    assert isinstance(replaced(value, 0), Value)


def test_positions_count_from_either_end():
    assert positions(-1, 3) == [2]
    assert positions([0, -2], 3) == [0, 1]
    assert positions(None, 2) == positions([], 2) == [0, 1]

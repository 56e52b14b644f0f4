"""Linear equations of signs and scales, and what they leave free."""

import pytest

from stackens.weight_averaging.alignment._labels import Labels, free_forms, plus


def test_forms_are_added_without_zeros():
    assert plus({0: 1, 1: 2}, {1: -1, 2: 1}, 2) == {0: 1, 2: 2}
    assert plus({0: 1}, {}) == {0: 1}


def test_equations_are_noted_with_what_they_are_about():
    labels = Labels()
    one, other = labels.unknown("home"), labels.unknown("home")
    labels.is_zero(plus(one, other, -1))
    labels.is_zero(one, scale=False)
    labels.is_zero({})
    assert labels.equations == [({0: 1, 1: -1}, True, True), ({0: 1}, True, False)]
    assert labels.homes == ["home", "home"]


def test_the_oldest_unknowns_stay_free():
    equations = [{0: 1, 1: 1}, {1: 1, 2: -1}, {3: 2, 2: 2}]
    assert free_forms(equations, 4) == [{0: 1}, {0: -1}, {0: -1}, {0: 1}]
    assert free_forms(equations, 4, 2) == [{0: 1}, {0: 1}, {0: 1}, {3: 1}]


def test_a_product_has_both_factors():
    assert free_forms([{0: 1, 1: 1, 2: -1}], 3) == [{0: 1}, {1: 1}, {0: 1, 1: 1}]


def test_what_is_set_to_zero_later_is_zero_everywhere():
    equations = [{0: 1, 1: -1}, {1: 1, 2: -1}, {2: 1}]
    assert free_forms(equations, 3) == free_forms(equations, 3, 2) == [{}, {}, {}]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [({0: 2, 1: -3}, [{}, {}]), ({0: 2, 1: -4}, [{1: 2}, {1: 1}]), ({0: 3}, [{}])],
)
def test_scales_have_whole_powers(equation, expected):
    assert free_forms([equation], len(expected)) == expected

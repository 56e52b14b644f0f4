"""Rules by name."""

import pytest

from stackens.weight_averaging.rules import RULES, Dare, Rule, WeightedMean, rule_for

NAMES = ["dare", "fisher", "mean", "model_stock", "regmean", "slerp", "task_arithmetic", "ties"]


def test_names():
    assert sorted(RULES) == NAMES
    assert all(issubclass(kind, Rule) for kind in RULES.values())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"fisher", "regmean"}))
def test_a_name_stands_for_the_rule_with_its_defaults(name):
    assert rule_for(name) == RULES[name]()
    assert hash(rule_for(name)) == hash(RULES[name]())


def test_a_rule_is_returned_as_it_is():
    rule = Dare(0.5, random_state=3)
    assert rule_for(rule) is rule


@pytest.mark.parametrize("name", ["fisher", "regmean"])
def test_a_rule_that_needs_statistics_has_no_defaults(name):
    with pytest.raises(ValueError, match=rf"Give rules\.{RULES[name].__name__}\(statistics\)"):
        rule_for(name)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="must be one of .*Got 'soup'"):
        rule_for("soup")


@pytest.mark.parametrize("rule", [WeightedMean, None, lambda arrays, weights: arrays[0]])
def test_what_is_no_rule(rule):
    with pytest.raises(TypeError, match="must be a name or a rule"):
        rule_for(rule)


def test_names_of_other_libraries_are_translated():
    with pytest.raises(ValueError, match=r"Got 'linear'. Write 'mean'"):
        rule_for("linear")
    with pytest.raises(ValueError, match=r"Write rules.Dare\(then=rules.Ties\(\)\)"):
        rule_for("dare_ties")

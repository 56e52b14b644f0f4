"""Weights by regular expressions on names."""

from functools import partial

import numpy as np
import pytest

from stackens import schedules
from stackens.weight_averaging.rules import group_weights

NAMES = ["body.0.weight", "body.1.weight", "head.weight", "head.bias"]


@pytest.mark.parametrize("weights", ["linear", [1, 2, 3], partial(schedules.linear)])
def test_weights_without_expressions_hold_for_all_tensors(weights):
    groups = group_weights(weights, NAMES, 3)
    assert list(groups) == NAMES
    for value in groups.values():
        np.testing.assert_allclose(value, [1 / 6, 2 / 6, 3 / 6])


def test_the_first_expression_found_counts_and_others_take_the_default():
    weights = {r"head\.bias": [1, 0], "^head": [0, 1], r"\.0\.": "linear"}
    groups = group_weights(weights, NAMES, 2, default=[3, 1])
    np.testing.assert_allclose(groups["head.bias"], [1, 0])
    np.testing.assert_allclose(groups["head.weight"], [0, 1])
    np.testing.assert_allclose(groups["body.0.weight"], [1 / 3, 2 / 3])
    np.testing.assert_allclose(groups["body.1.weight"], [0.75, 0.25])
    assert list(groups) == NAMES
    assert list(weights) == [r"head\.bias", "^head", r"\.0\."]


def test_the_default_is_equal_weights_and_names_may_be_an_iterator():
    groups = group_weights({"head": [0, 1]}, iter(NAMES), 2)
    np.testing.assert_allclose(groups["body.0.weight"], 0.5)


def test_newest_first_turns_schedules_round():
    groups = group_weights({"head": "linear"}, NAMES, 2, default="linear", newest="first")
    for value in groups.values():
        np.testing.assert_allclose(value, [2 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ({"tail": [1, 0]}, r"Got \['tail'\], which no tensor is left for"),
        ({".*": [1, 0], "head": [0, 1]}, r"Got \['head'\], which no tensor is left for"),
        ({"(": [1, 0]}, r"regular expressions .*Got '\('"),
        ({3: [1, 0]}, "regular expressions .*Got 3"),
        ({"head": [1, 0, 0]}, r"shape \(2,\).*Got shape \(3,\)"),
        ({"head": "cubic"}, "Got 'cubic'"),
    ],
)
def test_bad_groups(weights, what):
    with pytest.raises(ValueError, match=what):
        group_weights(weights, NAMES, 2)

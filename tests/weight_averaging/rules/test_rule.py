"""The protocol: what a call checks, and how work is cut into blocks."""

from dataclasses import dataclass

import numpy as np
import pytest

from stackens.weight_averaging.rules import Rule, TaskArithmetic, Ties, WeightedMean
from stackens.weight_averaging.rules._arithmetic import BLOCK
from stackens.weight_averaging.rules._rule import check_statistics, require_no_negative

HALVES = [0.5, 0.5]


@dataclass(frozen=True)
class Spy(Rule):
    """Returns the places of the elements, and notes what it was called with."""

    calls: list

    def merge(self, arrays, weights, base, name, offset):
        self.calls.append(([a.shape for a in arrays], base, name, offset))
        return offset + np.arange(arrays[0].size, dtype=float)


@dataclass(frozen=True)
class WholeSpy(Spy):
    elementwise = False
    needs_base = True

    def merge(self, arrays, weights, base, name, offset):
        super().merge(arrays, weights, base, name, offset)
        return np.zeros(arrays[0].shape)


def test_an_elementwise_rule_gets_flat_blocks_and_their_offset():
    spy = Spy([])
    shape = (2, BLOCK)
    arrays = [np.zeros(shape, "f4")] * 2
    result = spy(arrays, HALVES, name="w", offset=100, base=np.ones(3))
    np.testing.assert_array_equal(result, 100 + np.arange(2.0 * BLOCK).reshape(shape))
    assert result.dtype == np.float64
    block = [(BLOCK,), (BLOCK,)]
    assert spy.calls == [(block, None, "w", 100), (block, None, "w", 100 + BLOCK)]


def test_another_rule_gets_whole_tensors_and_the_base():
    spy = WholeSpy([])
    base = np.ones((2, BLOCK))
    spy([np.zeros((2, BLOCK))], [1.0], base=base, name="w")
    [(shapes, got, name, offset)] = spy.calls
    assert (shapes, name, offset) == ([(2, BLOCK)], "w", 0)
    assert got is base


def test_defaults():
    rule = Spy([])
    assert rule.elementwise
    assert not rule.needs_base
    assert rule.bind([{}]) is rule


def test_scalars_and_empty_tensors():
    assert WeightedMean()([np.array(1.0), np.array(2.0)], HALVES).shape == ()
    assert WeightedMean()([np.zeros((0, 3))] * 2, HALVES).shape == (0, 3)


@pytest.mark.parametrize(
    ("arrays", "weights", "what"),
    [
        ([], [], r"one weight for each array\. Got 0 arrays"),
        ([np.zeros(2)] * 2, [1.0], r"Got 2 arrays and weights of shape \(1,\)"),
        ([np.zeros(2)] * 2, 1.0, r"Got 2 arrays and weights of shape \(\)"),
        ([np.zeros(2)] * 2, [0.5, 0.6], r"sum to one\. Got \[0\.5, 0\.6\]"),
        ([np.zeros(2)] * 2, [np.nan, 1], "sum to one"),
        ([np.zeros(2), np.zeros(3)], HALVES, r"one shape\. Got \[\(2,\), \(3,\)\]"),
    ],
)
def test_bad_calls(arrays, weights, what):
    with pytest.raises(ValueError, match=f"WeightedMean on tensor 'w' needs .*{what}"):
        WeightedMean()(arrays, weights, name="w")


def test_a_missing_or_ill_shaped_base():
    with pytest.raises(ValueError, match="Ties on tensor 'w' needs the model .*Got no base"):
        Ties()([np.zeros(2)], [1.0], name="w")
    with pytest.raises(ValueError, match=r"one shape\. Got \[\(2,\), \(3,\)\]"):
        TaskArithmetic()([np.zeros(2)], [1.0], base=np.zeros(3))


def test_integers_never_reach_a_rule():
    with pytest.raises(TypeError, match="floating and complex arrays. Got int64"):
        WeightedMean()([np.arange(3)], [1.0])


def test_negative_weights():
    require_no_negative(np.array([0.0, 1.0]), Ties())
    with pytest.raises(ValueError, match=r"Ties takes no negative weights. Got \[1\.5, -0\.5\]"):
        require_no_negative(np.array([1.5, -0.5]), Ties())


@pytest.mark.parametrize(
    ("statistics", "what"),
    [
        ([{"w": 1}], "of each model. Got 1 of them for 2 models"),
        ([{"w": 1}, {"w": 1, "b": 2}], r"from all models\. Got \['b'\] .* the models 0 and 1"),
        ([{"v": 1}] * 2, r"Got \['v'\], which the models do not have.*\['b', 'w'\]"),
    ],
)
def test_statistics_that_do_not_fit(statistics, what):
    states = [{"w": np.zeros(1), "b": np.zeros(1)}] * 2
    with pytest.raises(ValueError, match=f"WeightedMean needs statistics.*{what}"):
        check_statistics(statistics, states, WeightedMean())


def test_statistics_of_some_tensors_are_enough():
    check_statistics([{"w": 1}, {"w": 2}], [{"w": 0, "b": 0}] * 2, WeightedMean())

"""Coordinate descent: the objective never shrinks, and its bookkeeping is right."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment.matching._canonical import canonical, counted
from stackens.weight_averaging.alignment.matching._descent import Descent
from tests.weight_averaging.alignment.matching.networks import (
    attention,
    drawn,
    inner_product,
    largest_difference,
    mlp,
    recurrent,
)

RNG = np.random.default_rng(0)
SYMMETRIES = {
    "relu": mlp(4, 9, 8, 7, 3),
    "tanh": mlp(4, 9, 8, 7, 3, scales=False, signs=True),
    "lstm": recurrent(6, 3, 2, layers=2),
    "gru": recurrent(6, 3, 2, kind="gru"),
    "heads": attention(4, 3, 6, 5),
}


def prepared(name):
    symmetry = counted(SYMMETRIES[name])
    sides = [canonical(symmetry, drawn(symmetry, RNG))[0] for _ in range(2)]
    return symmetry, Descent(symmetry, sides[0]), sides[0], sides[1]


def is_consistent(symmetry, reference, model, state):
    """Whether a state's change leads to its arrays, and they to its objective."""
    moved = symmetry.apply(state.change, model)
    assert largest_difference(moved, state.arrays) < 1e-9
    return state.objective == pytest.approx(inner_product(reference, moved))


@pytest.mark.parametrize("name", SYMMETRIES)
def test_the_objective_grows_with_every_sweep(name):
    for _ in range(3):
        symmetry, descent, reference, model = prepared(name)
        state = descent.start(model)
        assert is_consistent(symmetry, reference, model, state)
        for _ in range(4):
            after, sweeps = descent.descend(state, RNG, 1, 0.0)
            assert sweeps == 1
            assert after.objective >= state.objective
            assert is_consistent(symmetry, reference, model, after)
            state = after


@pytest.mark.parametrize("name", SYMMETRIES)
def test_growing_leads_near(name):
    symmetry, descent, reference, model = prepared(name)
    grown = descent.grow(descent.start(model), RNG)
    assert is_consistent(symmetry, reference, model, grown)
    assert grown.objective > descent.start(model).objective


def test_it_stops_where_nothing_moves():
    _, descent, _, model = prepared("tanh")
    end, _ = descent.descend(descent.start(model), RNG, 100, 0.0)
    again, sweeps = descent.descend(end, RNG, 100, 0.0)
    assert again is end
    assert sweeps == 1


def test_a_shuffled_start_is_a_change_of_the_model():
    symmetry, descent, reference, model = prepared("lstm")
    shuffled = descent.shuffle(descent.start(model), symmetry.random(RNG))
    assert is_consistent(symmetry, reference, model, shuffled)
    assert largest_difference(shuffled.arrays, model) > 0.1


def test_a_descent_can_go_on_from_a_change():
    symmetry, descent, reference, model = prepared("gru")
    first, _ = descent.descend(descent.start(model), RNG, 1, 0.0)
    resumed = descent.start(first.arrays, first.change)
    end, _ = descent.descend(resumed, RNG, 100, 0.0)
    assert is_consistent(symmetry, reference, model, end)

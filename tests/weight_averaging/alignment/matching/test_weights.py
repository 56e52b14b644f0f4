"""Weight matching finds hidden copies, keeps the function, and beats plain coordinate descent."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation, Units
from stackens.weight_averaging.alignment.matching._canonical import canonical
from stackens.weight_averaging.alignment.matching._weights import cosine, match_weights
from tests.weight_averaging.alignment.matching.networks import (
    attention,
    attention_outputs,
    drawn,
    fixed,
    inner_product,
    largest_difference,
    mlp,
    mlp_outputs,
    noisy,
    normalised,
    recurrent,
)


def rng(seed=0):
    return np.random.default_rng(seed)


EXACT = {
    "relu": mlp(5, 12, 3),
    "deep relu": mlp(5, 20, 24, 20, 3),
    "tanh": mlp(5, 20, 24, 20, 3, scales=False, signs=True),
    "lstm": recurrent(32, 6, 4),
    "lstm of two layers": recurrent(12, 6, 4, layers=2),
    "gru": recurrent(16, 6, 4, kind="gru"),
    "tanh recurrent": recurrent(16, 6, 4, kind="rnn"),
    "heads": attention(6, 4, 12, 8),
    "normalised": normalised(15, 6, 4),
    "normalised in blocks": normalised(15, 6, 4, blocks=3),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_changed_copy_is_brought_back(name):
    symmetry = EXACT[name]
    original = drawn(symmetry, rng(1))
    copy = symmetry.apply(symmetry.random(rng(2)), original)
    assert largest_difference(copy, original) > 0.1
    match = match_weights(symmetry, original, copy, rng=rng(3))
    assert largest_difference(symmetry.apply(match.transformation, copy), original) < 1e-7
    assert match.objective == pytest.approx(1.0)
    assert match.objective_before < 0.5


@pytest.mark.parametrize("name", ["deep relu", "tanh", "lstm", "gru", "normalised in blocks"])
def test_a_changed_copy_with_noise_gets_its_order_back(name):
    symmetry = EXACT[name]
    original = drawn(symmetry, rng(4))
    hidden = symmetry.random(rng(5))
    copy = symmetry.apply(hidden, noisy(original, rng(6), 0.05))
    found = match_weights(symmetry, original, copy, rng=rng(7)).transformation
    for units, order in hidden.permutations.items():
        np.testing.assert_array_equal(found.permutations[units], np.argsort(order))
    for sign, values in hidden.signs.items():
        order = found.permutations[symmetry.signs[sign]]
        np.testing.assert_array_equal(found.signs[sign], values[order])


def test_functions_stay_and_the_reference_gives_the_scales():
    symmetry = mlp(5, 10, 9, 3)
    reference, model = drawn(symmetry, rng(1)), drawn(symmetry, rng(2))
    model = symmetry.apply(Transformation(scales={"c0": np.full(10, 9.0)}), model)
    match = match_weights(symmetry, reference, model, rng=rng())
    moved, x = symmetry.apply(match.transformation, model), rng(3).normal(size=(20, 5))
    np.testing.assert_allclose(mlp_outputs(moved, x), mlp_outputs(model, x), rtol=1e-9)
    scales = [canonical(symmetry, side)[1].scales for side in (moved, reference)]
    for name in symmetry.scales:
        np.testing.assert_allclose(scales[0][name], scales[1][name], rtol=1e-6)


def test_attention_keeps_its_function_and_comes_nearer():
    symmetry = attention(4, 3, 10, 6)
    reference, model = drawn(symmetry, rng(1)), drawn(symmetry, rng(2))
    match = match_weights(symmetry, reference, model, rng=rng())
    moved, x = symmetry.apply(match.transformation, model), rng(3).normal(size=(7, 10))
    np.testing.assert_allclose(
        attention_outputs(moved, x, 4), attention_outputs(model, x, 4), rtol=1e-7, atol=1e-10
    )
    assert match.objective > match.objective_before + 0.2


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("options", [{}, {"signed": False}, {"linear_only": True}], ids=str)
def test_never_farther_than_before(name, options):
    symmetry = EXACT[name]
    for seed in range(2):
        reference = drawn(symmetry, rng(seed))
        # near each other already, so that a fresh start might lose
        model = noisy(reference, rng(seed + 10), 0.02 if seed else 1.0)
        match = match_weights(symmetry, reference, model, rng=rng(), **options)
        assert match.objective >= match.objective_before


def plain_git_re_basin(symmetry, reference, model, seed):
    """Weight matching as published: coordinate descent, one assignment per layer."""
    hidden = len(symmetry.units)
    orders = {i: np.arange(symmetry.units[f"u{i}"].size) for i in range(hidden)}
    draw, is_moving = rng(seed), True
    while is_moving:
        is_moving = False
        for i in draw.permutation(hidden):
            below = model[f"w{i}"][:, orders[i - 1]] if i else model["w0"]
            above = model[f"w{i + 1}"]
            above = above[orders[i + 1]] if i + 1 < hidden else above
            gains = reference[f"w{i}"] @ below.T + reference[f"w{i + 1}"].T @ above
            gains += np.outer(reference[f"b{i}"], model[f"b{i}"])
            found, places = linear_sum_assignment(gains, maximize=True)[1], np.arange(len(gains))
            is_moving |= gains[places, found].sum() > gains[places, orders[i]].sum() + 1e-9
            orders[i] = found
    change = Transformation({f"u{i}": order for i, order in orders.items()})
    return inner_product(reference, symmetry.apply(change, model))


def test_at_least_as_near_as_git_re_basin():
    symmetry = mlp(6, 24, 24, 24, 4, scales=False)
    ours, theirs = [], []
    for seed in range(6):
        reference, model = drawn(symmetry, rng(seed)), drawn(symmetry, rng(seed + 100))
        match = match_weights(symmetry, reference, model, rng=rng(seed))
        ours.append(inner_product(reference, symmetry.apply(match.transformation, model)))
        theirs.append(plain_git_re_basin(symmetry, reference, model, seed))
    assert np.mean(ours) >= np.mean(theirs)


def test_restarts_do_not_make_it_worse():
    symmetry = mlp(6, 16, 16, 4)
    reference, model = drawn(symmetry, rng(1)), drawn(symmetry, rng(2))
    once = match_weights(symmetry, reference, model, rng=rng(3))
    often = match_weights(symmetry, reference, model, rng=rng(3), n_restarts=5)
    assert often.objective >= once.objective


def test_the_baselines_know_less():
    symmetry = recurrent(10, 4, 3)
    reference, model = drawn(symmetry, rng(1)), drawn(symmetry, rng(2))
    unsigned = match_weights(symmetry, reference, model, rng=rng(), signed=False)
    assert dict(unsigned.transformation.signs) == {}
    linear = match_weights(symmetry, reference, model, rng=rng(), linear_only=True)
    best = match_weights(symmetry, reference, model, rng=rng())
    scores = [
        inner_product(reference, symmetry.apply(match.transformation, model))
        for match in (best, unsigned, linear)
    ]
    assert scores[0] > max(scores[1:])


def test_ignored_tensors_move_along():
    units = (Part(5, units="c"),)
    symmetry = Symmetry({"w": (units, fixed(4)), "variance": (units,)}, {"c": Units(5)})
    reference = {"w": rng(1).normal(size=(5, 4)), "variance": 1e3 * np.arange(5.0)}
    model = {"w": reference["w"][::-1].copy(), "variance": 1e3 * np.arange(5.0)}
    match = match_weights(symmetry, reference, model, rng=rng(), ignore=["variance"])
    assert match.transformation.permutations["c"].tolist() == [4, 3, 2, 1, 0]
    moved = symmetry.apply(match.transformation, model)
    assert moved["variance"].tolist() == [4000, 3000, 2000, 1000, 0]


def test_a_match_says_what_moved():
    symmetry = mlp(4, 6, 3, scales=False, signs=True)
    arrays = drawn(symmetry, rng(1))
    signs = np.array([1.0, -1, 1, 1, -1, 1])
    change = Transformation({"u0": np.array([1, 0, 2, 3, 4, 5])}, {"s0": signs})
    match = match_weights(symmetry, arrays, symmetry.apply(change, arrays), rng=rng())
    found = match.transformation
    assert found.permutations["u0"].tolist() == [1, 0, 2, 3, 4, 5]
    assert np.count_nonzero(found.signs["s0"] < 0) == 2
    assert match.sweeps >= 1


def test_nothing_free_changes_nothing():
    symmetry = Symmetry({"w": (fixed(3),)}, {})
    match = match_weights(symmetry, {"w": np.ones(3)}, {"w": np.arange(3.0)}, rng=rng())
    assert match.transformation == Transformation()
    assert (match.objective, match.sweeps) == (1.0, 0)


def test_the_same_seed_gives_the_same_and_arguments_stay():
    symmetry = EXACT["lstm of two layers"]
    reference, model = drawn(symmetry, rng(1)), drawn(symmetry, rng(2))
    before = {name: array.copy() for name, array in model.items()}
    first, second = (match_weights(symmetry, reference, model, rng=rng(5)) for _ in range(2))
    for name, order in first.transformation.permutations.items():
        np.testing.assert_array_equal(order, second.transformation.permutations[name])
    assert largest_difference(model, before) == 0.0


def test_cosine():
    assert cosine({"a": np.array([3.0, 0.0])}, {"a": np.array([2.0, 0.0])}) == 1.0
    assert cosine({"a": np.array([3.0, 0.0])}, {"a": np.array([0.0, 2.0])}) == 0.0
    assert cosine({"a": np.zeros(2)}, {"a": np.ones(2)}) == 1.0

"""Many networks at once: hidden copies of one meet, and nobody ends farther away."""

import itertools

import numpy as np
import pytest

from stackens.weight_averaging.alignment.matching._barycentre import match_many
from stackens.weight_averaging.alignment.matching._canonical import canonical, counted
from tests.weight_averaging.alignment.matching.networks import (
    attention,
    drawn,
    inner_product,
    largest_difference,
    mlp,
    mlp_outputs,
    noisy,
    recurrent,
)

SYMMETRIES = {
    "relu": mlp(5, 16, 14, 3),
    "lstm": recurrent(10, 4, 3),
    "heads": attention(4, 3, 10, 6),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def hidden_copies(symmetry, n, noise=0.0):
    original = drawn(symmetry, rng(1))
    draw = rng(2)
    return [symmetry.apply(symmetry.random(draw), noisy(original, draw, noise)) for _ in range(n)]


def aligned(symmetry, models, matches):
    return [
        symmetry.apply(match.transformation, model)
        for model, match in zip(models, matches, strict=True)
    ]


def pairs_total(symmetry, models):
    """Sum of inner products of all pairs, in their smallest forms."""
    part = counted(symmetry)
    smallest = [canonical(part, model)[0] for model in models]
    return sum(inner_product(a, b) for a, b in itertools.combinations(smallest, 2))


@pytest.mark.parametrize("reference", ["barycentre", 0, 2])
@pytest.mark.parametrize("name", SYMMETRIES)
def test_hidden_copies_meet(name, reference):
    symmetry = SYMMETRIES[name]
    models = hidden_copies(symmetry, 4)
    matches = match_many(symmetry, models, reference, rng=rng())
    moved = aligned(symmetry, models, matches)
    for network in moved[1:]:
        assert largest_difference(network, moved[0]) < 1e-6
    assert [match.objective for match in matches] == pytest.approx([1.0] * 4)


def test_the_reference_stays_to_the_last_bit():
    symmetry = SYMMETRIES["relu"]
    models = [drawn(symmetry, rng(seed)) for seed in range(3)]
    matches = match_many(symmetry, models, 1, rng=rng())
    assert largest_difference(aligned(symmetry, models, matches)[1], models[1]) == 0.0
    assert all(match.objective > match.objective_before for match in (matches[0], matches[2]))


@pytest.mark.parametrize("n_models", [2, 3, 5])
def test_functions_stay_and_networks_come_nearer(n_models):
    symmetry = SYMMETRIES["relu"]
    models = [drawn(symmetry, rng(seed)) for seed in range(n_models)]
    matches = match_many(symmetry, models, rng=rng())
    moved, x = aligned(symmetry, models, matches), rng(9).normal(size=(20, 5))
    for before, after in zip(models, moved, strict=True):
        np.testing.assert_allclose(mlp_outputs(after, x), mlp_outputs(before, x), rtol=1e-9)
    assert pairs_total(symmetry, moved) > pairs_total(symmetry, models)
    # all are in their smallest form, so that their scales are comparable
    for network in moved:
        assert largest_difference(canonical(counted(symmetry), network)[0], network) < 1e-6


@pytest.mark.parametrize("name", ["relu", "lstm"])
def test_more_rounds_bring_all_pairs_nearer(name):
    symmetry = SYMMETRIES[name]
    models = hidden_copies(symmetry, 4, noise=0.3)
    totals = []
    for max_rounds in (0, 1, 2, 20):
        matches = match_many(symmetry, models, rng=rng(), max_rounds=max_rounds)
        totals.append(pairs_total(symmetry, aligned(symmetry, models, matches)))
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(totals))


def test_one_network_stays_and_none_is_an_error():
    symmetry = SYMMETRIES["lstm"]
    model = drawn(symmetry, rng())
    (match,) = match_many(symmetry, [model], rng=rng())
    assert largest_difference(symmetry.apply(match.transformation, model), model) == 0.0
    with pytest.raises(ValueError, match="at least one network"):
        match_many(symmetry, [], rng=rng())


@pytest.mark.parametrize("reference", [-1, 2, "mean", 0.5])
def test_the_reference_must_be_one_of_them(reference):
    symmetry = SYMMETRIES["lstm"]
    models = [drawn(symmetry, rng(seed)) for seed in range(2)]
    with pytest.raises(ValueError, match="with 2 networks. Count from 0"):
        match_many(symmetry, models, reference, rng=rng())

"""Quadratic matching: never worse than before, the best of all where all can be tried."""

import itertools

import numpy as np
import pytest

from stackens.weight_averaging.alignment.matching._quadratic import Vertex, match_quadratic
from stackens.weight_averaging.alignment.matching._similarity import Pair

RNG = np.random.default_rng(0)
FREE, SIGNED = frozenset(), frozenset({"s"})


def problem(size, rng=RNG):
    """The shape of an LSTM: gates without sign and with sign, columns with sign."""
    linear = {FREE: rng.normal(size=(size, size)), SIGNED: rng.normal(size=(size, size))}
    shapes = {(FREE, SIGNED): 3, (SIGNED, SIGNED): 1, (FREE, FREE): 2}
    pairs = [
        Pair(*key, rng.normal(size=(size, size, n)), rng.normal(size=(size, size, n)))
        for key, n in shapes.items()
    ]
    return linear, pairs


def value(linear, pairs, vertex):
    order, places = vertex.permutation, np.arange(len(vertex.permutation))
    total = sum(vertex.sign(names) @ part[places, order] for names, part in linear.items())
    for pair in pairs:
        signs = np.outer(vertex.sign(pair.rows), vertex.sign(pair.columns))
        moved = pair.model[np.ix_(order, order)] * signs[:, :, None]
        total += np.vdot(pair.reference, moved)
    return total


def still(size):
    return Vertex(np.arange(size), {"s": np.ones(size)})


def test_small_problems_are_solved():
    n_best = 0
    for _ in range(5):
        linear, pairs = problem(4)
        best = max(
            value(linear, pairs, Vertex(np.array(order), {"s": np.array(signs)}))
            for order in itertools.permutations(range(4))
            for signs in itertools.product([1.0, -1.0], repeat=4)
        )
        found = value(linear, pairs, match_quadratic(linear, pairs, RNG, n_starts=12))
        assert found <= best + 1e-9
        n_best += found == pytest.approx(best)
    assert n_best >= 4


@pytest.mark.parametrize("n_starts", [1, 3, 6])
@pytest.mark.parametrize("size", [1, 2, 7, 20])
def test_never_worse_than_no_change(size, n_starts):
    linear, pairs = problem(size)
    found = match_quadratic(linear, pairs, RNG, n_starts=n_starts)
    assert sorted(found.permutation) == list(range(size))
    assert set(np.abs(found.signs["s"])) == {1.0}
    assert value(linear, pairs, found) >= value(linear, pairs, still(size)) - 1e-9


def test_no_swap_and_no_flip_helps_afterwards():
    size = 9
    linear, pairs = problem(size)
    found = match_quadratic(linear, pairs, RNG)
    best = value(linear, pairs, found)
    for i, j in itertools.combinations_with_replacement(range(size), 2):
        order, signs = found.permutation.copy(), found.signs["s"].copy()
        if i == j:
            signs[i] *= -1
        else:
            order[[i, j]], signs[[i, j]] = order[[j, i]], signs[[j, i]]
        assert value(linear, pairs, Vertex(order, {"s": signs})) <= best + 1e-9


def test_a_hidden_copy_is_found_from_its_pairs_alone():
    size = 24
    _, pairs = problem(size)
    order, signs = RNG.permutation(size), RNG.choice([-1.0, 1.0], size=size)
    hidden = Vertex(order, {"s": signs})
    inverse = np.argsort(order)
    copies = []
    for pair in pairs:
        factor = np.outer(hidden.sign(pair.rows), hidden.sign(pair.columns))[:, :, None]
        model = (pair.reference * factor)[np.ix_(inverse, inverse)]
        copies.append(Pair(pair.rows, pair.columns, pair.reference, model))
    # a faint hint, as the input weights give
    hint = {FREE: 2.0 * (np.arange(size) == order[:, None]) + RNG.normal(size=(size, size))}
    found = match_quadratic(hint, copies, np.random.default_rng(1))
    np.testing.assert_array_equal(found.permutation, order)
    np.testing.assert_array_equal(found.signs["s"], signs)


def test_units_stay_in_their_blocks_or_places():
    linear, pairs = problem(12)
    found = match_quadratic(linear, pairs, RNG, blocks=3)
    blocks = found.permutation.reshape(3, 4) // 4
    assert (blocks == blocks[:, :1]).all()
    held = match_quadratic(linear, pairs, RNG, is_movable=False)
    np.testing.assert_array_equal(held.permutation, np.arange(12))
    assert value(linear, pairs, held) > value(linear, pairs, still(12))


def test_the_same_seed_gives_the_same():
    linear, pairs = problem(15)
    first, second = (match_quadratic(linear, pairs, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.permutation, second.permutation)
    np.testing.assert_array_equal(first.signs["s"], second.signs["s"])

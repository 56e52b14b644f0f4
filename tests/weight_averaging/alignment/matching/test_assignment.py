"""Assignments with signs and blocks are the best of all, by trying all."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from stackens.weight_averaging.alignment.matching._assignment import (
    assign,
    assign_signed,
    best_signs,
)

RNG = np.random.default_rng(0)


def sets(*names):
    return [frozenset(name.split()) for name in names]


def by_trying(parts):
    """Largest sum over all signs."""
    names = sorted(set().union(*parts))
    sums = []
    for values in itertools.product([1.0, -1.0], repeat=len(names)):
        sign = dict(zip(names, values, strict=True))
        sums.append(
            sum(np.prod([sign[n] for n in sorted(key)]) * part for key, part in parts.items())
        )
    return np.max(sums, axis=0)


@pytest.mark.parametrize(
    "keys",
    [
        sets(""),
        sets("", "s"),
        sets("s"),
        sets("", "before", "after", "before after"),
        sets("before after"),
        sets("", "hub", "a", "a hub", "b", "b hub", "c", "c hub"),
        sets("a b", "b c", "a b c", "d"),
    ],
)
def test_signs_are_the_best(keys):
    parts = {key: RNG.normal(size=(5, 7)) for key in keys}
    score, signs = best_signs(parts)
    np.testing.assert_allclose(score, by_trying(parts))
    reached = sum(
        np.prod([signs[name] for name in sorted(key)], axis=0) * part for key, part in parts.items()
    )
    np.testing.assert_allclose(reached, score)
    assert set(signs) == set().union(*keys)


def test_a_chain_of_many_signs_takes_no_time():
    # 2^40 combinations, if they were tried
    keys = sets("", "stream", *(f"block{i}" for i in range(40)))
    keys += [frozenset({"stream", f"block{i}"}) for i in range(40)]
    parts = {key: RNG.normal(size=4) for key in keys}
    score, _ = best_signs(parts)
    base, stream = parts[frozenset()], parts[frozenset({"stream"})]
    either = [
        base
        + sign * stream
        + sum(
            np.abs(
                parts[frozenset({f"block{i}"})] + sign * parts[frozenset({"stream", f"block{i}"})]
            )
            for i in range(40)
        )
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(score, np.maximum(*either))


def permutations(size, blocks):
    inside = size // blocks
    for outer in itertools.permutations(range(blocks)):
        for inner in itertools.product(itertools.permutations(range(inside)), repeat=blocks):
            yield [
                block * inside + i for block, order in zip(outer, inner, strict=True) for i in order
            ]


@pytest.mark.parametrize(("size", "blocks"), [(6, 1), (6, 2), (6, 3), (6, 6)])
def test_places_are_the_best(size, blocks):
    scores = RNG.normal(size=(size, size))
    places = np.arange(size)
    best = max(scores[places, order].sum() for order in permutations(size, blocks))
    found = assign(scores, blocks)
    assert list(found) in list(permutations(size, blocks))
    assert scores[places, found].sum() == pytest.approx(best)


@pytest.mark.parametrize("n_moved", [0, 2, 60])
def test_units_that_are_nearly_in_place_are_placed_as_by_scipy(n_moved):
    scores = RNG.normal(size=(60, 60)) + 3.0 * np.eye(60)
    order = np.arange(60)
    order[:n_moved] = RNG.permutation(n_moved)
    scores = scores[:, order]
    found, (places, best) = assign(scores), linear_sum_assignment(scores, maximize=True)
    assert sorted(found) == list(range(60))
    assert scores[places, found].sum() == pytest.approx(scores[places, best].sum())


def test_signed_assignment_is_the_best():
    parts = {key: RNG.normal(size=(5, 5)) for key in sets("", "a", "a b")}
    order, signs = assign_signed(parts)
    places = np.arange(5)
    reached = sum(
        np.prod([signs[name] for name in sorted(key)], axis=0) * part[places, order]
        for key, part in parts.items()
    ).sum()
    best = max(by_trying(parts)[places, p].sum() for p in permutations(5, 1))
    assert reached == pytest.approx(best)


def test_units_that_may_not_move_only_change_sign():
    parts = {frozenset({"s"}): -np.ones((3, 3)) - np.eye(3)[::-1]}
    order, signs = assign_signed(parts, is_movable=False)
    assert order.tolist() == [0, 1, 2]
    assert signs["s"].tolist() == [-1, -1, -1]

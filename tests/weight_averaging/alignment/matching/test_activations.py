"""Activation matching: from answers alone, with signs, or together with the weights."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation, Units
from stackens.weight_averaging.alignment.matching._activations import (
    Activations,
    match_activations,
)
from tests.weight_averaging.alignment.matching.networks import (
    drawn,
    fixed,
    largest_difference,
    mlp,
    noisy,
)


def rng(seed=0):
    return np.random.default_rng(seed)


TANH = mlp(5, 12, 10, 3, scales=False, signs=True)
RELU = mlp(5, 12, 10, 3)


def hidden(arrays, x, activation):
    """Activations of both hidden layers."""
    first = activation(x @ arrays["w0"].T + arrays["b0"])
    return [first, activation(first @ arrays["w1"].T + arrays["b1"])]


def answers(symmetry, reference, model, activation):
    x = rng(8).normal(size=(200, 5))
    sides = zip(hidden(reference, x, activation), hidden(model, x, activation), strict=True)
    return {
        f"layer {i}": Activations(symmetry.layout[f"w{i}"][0], tables)
        for i, tables in enumerate(sides)
    }


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
@pytest.mark.parametrize(
    ("symmetry", "activation"),
    [(TANH, np.tanh), (RELU, lambda x: np.maximum(x, 0))],
    ids=["tanh", "relu"],
)
def test_a_changed_copy_is_brought_back(symmetry, activation, share):
    original = drawn(symmetry, rng(1))
    copy = symmetry.apply(symmetry.random(rng(2)), original)
    places = answers(symmetry, original, copy, activation)
    stays, match = match_activations(symmetry, places, [original, copy], 0, rng=rng(), share=share)
    assert stays.transformation == Transformation()
    assert largest_difference(symmetry.apply(match.transformation, copy), original) < 1e-9
    assert match.objective == pytest.approx(1.0, abs=0.1)  # dead units answer nothing
    assert match.objective_before < 0.6


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_many_copies_meet_in_one_order(share):
    original = drawn(TANH, rng(1))
    copies = [original, *(TANH.apply(TANH.random(rng(seed)), original) for seed in (2, 3))]
    x = rng(8).normal(size=(200, 5))
    seen = zip(*(hidden(copy, x, np.tanh) for copy in copies), strict=True)
    places = {
        f"layer {i}": Activations(TANH.layout[f"w{i}"][0], tables) for i, tables in enumerate(seen)
    }
    matches = match_activations(TANH, places, copies, rng=rng(), share=share)
    first, *others = (
        TANH.apply(match.transformation, copy) for match, copy in zip(matches, copies, strict=True)
    )
    assert all(largest_difference(first, other) < 1e-9 for other in others)
    assert all(match.objective == pytest.approx(1.0) for match in matches)


def test_answers_are_matched_even_where_weights_say_otherwise():
    original = drawn(TANH, rng(1))
    copy = TANH.apply(TANH.random(rng(2)), original)
    places = answers(TANH, original, copy, np.tanh)
    misleading = noisy(drawn(TANH, rng(3)), rng(4), 1.0)
    match = match_activations(TANH, places, [original, misleading], 0, rng=rng())[1]
    assert largest_difference(TANH.apply(match.transformation, copy), original) < 1e-9


def test_weights_decide_what_answers_do_not_show():
    original = drawn(TANH, rng(1))
    copy = TANH.apply(TANH.random(rng(2)), original)
    places = answers(TANH, original, copy, np.tanh)
    parts = (Part(12, units="u0"),)  # one layer, and without its signs: only sizes of answers
    place = places["layer 0"]
    shown = Activations(parts, [np.abs(table) for table in place.tables])
    match = match_activations(TANH, {"layer 0": shown}, [original, copy], 0, rng=rng())[1]
    assert largest_difference(TANH.apply(match.transformation, copy), original) < 1e-9


def test_channels_of_images_in_columns():
    part = Part(4, inner=3, units="c")
    symmetry = Symmetry({"w": (fixed(2), (part,))}, {"c": Units(4)})
    table = rng(1).normal(size=(50, 4, 3))
    order = np.array([2, 0, 3, 1])
    moved = (5.0 * table[:, order] + 1.0).reshape(50, 12)  # other scales and means
    arrays = {"w": rng(2).normal(size=(2, 12))}
    place = Activations((part,), [table.reshape(50, 12), moved])
    match = match_activations(symmetry, {"conv": place}, [arrays, arrays], 0, rng=rng())[1]
    assert match.transformation.permutations["c"].tolist() == np.argsort(order).tolist()
    assert match.objective == pytest.approx(1.0)


def test_signs_can_be_left_alone():
    original = drawn(TANH, rng(1))
    places = answers(TANH, original, drawn(TANH, rng(2)), np.tanh)
    for match in match_activations(TANH, places, [original] * 2, rng=rng(), signed=False):
        assert dict(match.transformation.signs) == {}


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_the_share_is_checked(share):
    arrays = drawn(TANH, rng())
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        match_activations(TANH, {}, [arrays, arrays], rng=rng(), share=share)


@pytest.mark.parametrize("shape", [(7, 12), (8, 11)])
def test_tables_are_checked(shape):
    arrays = drawn(TANH, rng())
    places = {"layer": Activations(TANH.layout["w0"][0], [np.ones((8, 12)), np.ones(shape)])}
    with pytest.raises(ValueError, match="2 tables of one shape, with 12 columns"):
        match_activations(TANH, places, [arrays, arrays], rng=rng())

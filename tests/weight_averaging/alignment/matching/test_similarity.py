"""Similarities are what the objective gains, for every kind of occurrence."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation, Units
from stackens.weight_averaging.alignment.matching._groups import groups_of
from stackens.weight_averaging.alignment.matching._similarity import (
    Memory,
    cross_products,
    pairs,
    similarity,
)
from tests.weight_averaging.alignment.matching.networks import (
    attention,
    drawn,
    fixed,
    inner_product,
    mlp,
    recurrent,
)

RNG = np.random.default_rng(0)


def images(size):
    """A convolution before a flattening, with units in blocks and far apart, beside others."""
    first = (Part(2), Part(size, inner=3, units="c", signs=("s",)))
    second = (Part(size, outer=2, units="c", signs=("s", "t")), Part(1))
    kernel = (fixed(2), (Part(size, units="c"),), fixed(3), fixed(3))
    layout = {"kernel": kernel, "dense": (first, fixed(4)), "other": (fixed(3), second)}
    return Symmetry(layout, {"c": Units(size)}, signs={"s": "c", "t": "c"})


def predicted(group, reference, model, change):
    """The objective according to the similarities."""
    order = change.permutations[group.name]
    places = np.arange(group.size)

    def sign(names):
        return np.prod([np.ones(group.size), *(change.signs[name] for name in names)], axis=0)

    parts = similarity(group, reference, model, group.tensors)
    total = sum(sign(names) @ part[places, order] for names, part in parts.items())
    for pair in pairs(group, reference, model, group.tensors):
        moved = pair.model[np.ix_(order, order)]
        moved = moved * np.outer(sign(pair.rows), sign(pair.columns))[:, :, None]
        total += np.vdot(pair.reference, moved)
    return total


def unchanged(symmetry):
    sizes = {name: units.size for name, units in symmetry.units.items()}
    return Transformation(
        {name: np.arange(size) for name, size in sizes.items()},
        {name: np.ones(sizes[owner]) for name, owner in symmetry.signs.items()},
    )


@pytest.mark.parametrize(
    "symmetry",
    [
        mlp(3, 6, 2, scales=False, signs=True),
        images(5),
        recurrent(5, 3, 2),
        recurrent(5, 3, 2, kind="gru"),
    ],
    ids=["mlp", "images", "lstm", "gru"],
)
def test_similarities_predict_the_objective(symmetry):
    reference, model = drawn(symmetry, RNG), drawn(symmetry, RNG)
    (group,) = groups_of(symmetry)
    change, none = symmetry.random(RNG), unchanged(symmetry)
    gain = predicted(group, reference, model, change) - predicted(group, reference, model, none)
    moved = symmetry.apply(change, model)
    assert gain == pytest.approx(inner_product(reference, moved) - inner_product(reference, model))


def test_units_along_both_axes_beside_others():
    both = (Part(4, units="h", signs=("s",)), Part(3))
    symmetry = Symmetry({"w": (both, both)}, {"h": Units(4)}, signs={"s": "h"})
    reference, model = drawn(symmetry, RNG), drawn(symmetry, RNG)
    (group,) = groups_of(symmetry)
    change = symmetry.random(RNG)
    moved = symmetry.apply(change, model)
    fixed_corner = np.vdot(reference["w"][4:, 4:], model["w"][4:, 4:])
    assert predicted(group, reference, model, change) + fixed_corner == pytest.approx(
        inner_product(reference, moved)
    )


def test_only_the_tensors_asked_for_count():
    symmetry = mlp(3, 6, 2)
    reference, model = drawn(symmetry, RNG), drawn(symmetry, RNG)
    (group,) = groups_of(symmetry)
    parts = similarity(group, reference, model, ["w1"])
    np.testing.assert_allclose(parts[frozenset()], reference["w1"].T @ model["w1"])


def test_cross_products_of_heads():
    symmetry = attention(3, 2, 5, 4)
    reference, model = drawn(symmetry, RNG), drawn(symmetry, RNG)
    (group,) = groups_of(symmetry)
    products = cross_products(group, reference, model, group.tensors)
    turn = np.linalg.qr(RNG.normal(size=(3, 2, 2))).Q
    order = np.array([2, 0, 1])
    change = Transformation({"heads": order}, matrices={"qk": turn, "vo": turn})
    actual = inner_product(reference, symmetry.apply(change, model))
    predicted = sum(np.vdot(turn, cross[np.arange(3), order]) for cross in products.values())
    assert predicted == pytest.approx(actual)


def test_what_is_remembered_is_what_would_be_computed():
    symmetry = mlp(3, 40, 40, 40, 2, scales=False, signs=True)
    reference, model = drawn(symmetry, RNG), drawn(symmetry, RNG)
    groups, memory = groups_of(symmetry), Memory()
    for n_moved in (40, 6, 3, 0, 40):  # all units of the neighbours, then few
        for group in groups:
            order = np.arange(40)
            order[:n_moved] = RNG.permutation(n_moved)
            sign = np.where(order == np.arange(40), 1.0, -1.0)
            name = group.name
            change = Transformation({name: order}, {f"s{name[1:]}": sign})
            model = symmetry.apply(change, model)
            memory.follow(group, change)
            for other in groups:
                fresh = similarity(other, reference, model, other.tensors)
                known = similarity(other, reference, model, other.tensors, memory)
                for names, part in fresh.items():
                    np.testing.assert_allclose(known[names], part, atol=1e-12)

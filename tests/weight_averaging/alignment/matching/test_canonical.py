"""The smallest form of a network: the same function, one form for all equal networks."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation, UnitMatrix
from stackens.weight_averaging.alignment.matching._canonical import (
    canonical,
    carried_back,
    counted,
)
from tests.weight_averaging.alignment.matching.networks import (
    attention,
    attention_outputs,
    drawn,
    fixed,
    largest_difference,
    mlp,
    mlp_outputs,
    recurrent,
)

RNG = np.random.default_rng(0)


def only(change, kind):
    return Transformation(**{kind: getattr(change, kind)})


def size(arrays):
    return sum(np.vdot(array, array) for array in arrays.values())


def test_scales_keep_the_function_and_balance_the_norms():
    symmetry = mlp(4, 9, 8, 7, 3)
    arrays, x = drawn(symmetry, RNG), RNG.normal(size=(6, 4))
    smallest, change = canonical(symmetry, arrays)
    np.testing.assert_allclose(mlp_outputs(smallest, x), mlp_outputs(arrays, x), rtol=1e-9)
    for layer in range(3):
        into = (smallest[f"w{layer}"] ** 2).sum(axis=1) + smallest[f"b{layer}"] ** 2
        out = (smallest[f"w{layer + 1}"] ** 2).sum(axis=0)
        np.testing.assert_allclose(into, out, rtol=1e-9)
    for _ in range(5):
        other = symmetry.apply(only(symmetry.random(RNG), "scales"), smallest)
        assert size(other) > size(smallest)
    assert largest_difference(symmetry.apply(change, arrays), smallest) < 1e-12


@pytest.mark.parametrize("kind", ["mlp", "relu recurrent"])
def test_equal_networks_have_one_form(kind):
    if kind == "mlp":
        symmetry = mlp(4, 9, 8, 3)
    else:  # scales along both axes of the hidden weights
        rows, columns = (Part(6, units="h", scales=(("c", power),)) for power in (1, -1))
        layout = {
            "ih": ((rows,), fixed(3)),
            "hh": ((rows,), (columns,)),
            "o": (fixed(2), (columns,)),
        }
        symmetry = Symmetry(layout, {}, scales={"c": "h"})
    arrays = drawn(symmetry, RNG)
    copy = symmetry.apply(only(symmetry.random(RNG), "scales"), arrays)
    assert largest_difference(arrays, copy) > 0.1
    first, second = canonical(symmetry, arrays)[0], canonical(symmetry, copy)[0]
    assert largest_difference(first, second) < 1e-9


def test_dead_units_are_left_finite():
    symmetry = mlp(4, 5, 3)
    arrays = drawn(symmetry, RNG)
    arrays["w0"][0] = arrays["b0"][0] = 0.0  # nothing comes in
    arrays["w1"][:, 1] = 0.0  # nothing goes out
    arrays["w0"][2] = arrays["b0"][2] = arrays["w1"][:, 2] = 0.0  # neither
    smallest, change = canonical(symmetry, arrays)
    assert np.isfinite(change.scales["c0"]).all()
    assert (change.scales["c0"] > 0).all()
    assert change.scales["c0"][2] == 1.0
    np.testing.assert_allclose(np.linalg.norm(smallest["w1"][:, 0]), 1.0)


def test_units_that_are_nearly_dead_stay_within_single_precision():
    symmetry = mlp(4, 5, 3)
    arrays = drawn(symmetry, RNG)
    arrays["w1"][:, 0] *= 1e-40
    smallest, change = canonical(symmetry, arrays)
    assert change.scales["c0"].min() >= 0.99e-9
    x = RNG.normal(size=(6, 4))
    np.testing.assert_allclose(mlp_outputs(smallest, x), mlp_outputs(arrays, x), rtol=1e-9)


def test_convolutions_and_flattened_units():
    filters = Part(3, units="c", scales=(("k", 1),))
    flat = Part(3, inner=4, units="c", scales=(("k", -1),))
    layout = {"conv": ((filters,), fixed(2), fixed(2)), "dense": (fixed(5), (flat, Part(2)))}
    symmetry = Symmetry(layout, {}, scales={"k": "c"})
    smallest, _ = canonical(symmetry, drawn(symmetry, RNG))
    into = (smallest["conv"] ** 2).sum(axis=(1, 2))
    out = (smallest["dense"][:, :12].reshape(5, 3, 4) ** 2).sum(axis=(0, 2))
    np.testing.assert_allclose(into, out, rtol=1e-9)


def test_matrices_of_heads():
    symmetry = attention(3, 4, 10, 6)
    arrays, x = drawn(symmetry, RNG), RNG.normal(size=(7, 10))
    smallest, change = canonical(symmetry, arrays)
    np.testing.assert_allclose(
        attention_outputs(smallest, x, 3), attention_outputs(arrays, x, 3), rtol=1e-9, atol=1e-12
    )
    q, k = (smallest[name].reshape(3, 4, 10) for name in "qk")
    np.testing.assert_allclose(q @ q.swapaxes(1, 2), k @ k.swapaxes(1, 2), rtol=1e-6, atol=1e-8)
    assert set(change.matrices) == {"qk", "vo"}
    # Another basis leads to the same form but for a rotation, so to the same Gram matrices.
    copy = symmetry.apply(only(symmetry.random(RNG), "matrices"), arrays)
    again, _ = canonical(symmetry, copy)
    norms = (np.linalg.norm(side["q"].reshape(3, 4, 10), axis=(1, 2)) for side in (smallest, again))
    np.testing.assert_allclose(*norms, rtol=1e-6)


def test_an_embedding_and_the_layer_that_reads_it():
    rows = (Part(1, inner=4, matrix=("m", 1)),)
    columns = (Part(1, inner=4, matrix=("m", -1)),)
    symmetry = Symmetry(
        {"table": (fixed(9), rows), "ih": (fixed(8), columns)},
        {},
        matrices={"m": UnitMatrix(None, 1, 4)},
    )
    arrays = drawn(symmetry, RNG)
    smallest, _ = canonical(symmetry, arrays)
    table, reader = smallest["table"], smallest["ih"]
    np.testing.assert_allclose(table @ reader.T, arrays["table"] @ arrays["ih"].T, atol=1e-9)
    np.testing.assert_allclose(table.T @ table, reader.T @ reader, rtol=1e-6, atol=1e-9)


def test_rows_that_depend_on_each_other_do_no_harm():
    symmetry = attention(2, 4, 3, 3)  # four rows of three columns
    arrays, x = drawn(symmetry, RNG), RNG.normal(size=(5, 3))
    smallest, _ = canonical(symmetry, arrays)
    np.testing.assert_allclose(
        attention_outputs(smallest, x, 2), attention_outputs(arrays, x, 2), rtol=1e-6, atol=1e-8
    )


def test_only_sums_of_biases_are_compared():
    symmetry = recurrent(3, 2, 2, kind="gru")
    arrays = drawn(symmetry, RNG)
    smallest, change = canonical(symmetry, arrays)
    total = arrays["bias_ih0"] + arrays["bias_hh0"]
    np.testing.assert_allclose(smallest["bias_ih0"][:6], total[:6])
    assert (smallest["bias_hh0"][:6] == 0).all()
    np.testing.assert_array_equal(smallest["bias_hh0"][6:], arrays["bias_hh0"][6:])
    assert dict(change.scales) == {}


@pytest.mark.parametrize("to_reference", [True, False])
def test_changes_are_carried_back_to_the_networks_given(to_reference):
    for symmetry in (mlp(4, 6, 5, 3), attention(3, 4, 10, 6)):
        model, reference = drawn(symmetry, RNG), drawn(symmetry, RNG)
        smallest, model_change = canonical(symmetry, model)
        _, reference_change = canonical(symmetry, reference)
        found = symmetry.random(RNG)
        found = Transformation(found.permutations, found.signs, matrices=found.matrices)
        back = carried_back(
            symmetry, found, model_change, reference_change if to_reference else None
        )
        expected = symmetry.apply(found, smallest)
        if to_reference:  # the other way round, in the reference's units
            undo = Transformation(
                scales={name: 1 / scale for name, scale in reference_change.scales.items()},
                matrices={n: np.linalg.inv(m) for n, m in reference_change.matrices.items()},
            )
            expected = symmetry.apply(undo, expected)
        actual = symmetry.apply(back, model)
        assert largest_difference(actual, expected) < 1e-6


def test_what_counts():
    symmetry = mlp(4, 6, 5, 3)
    assert set(counted(symmetry).layout) == {"w0", "b0", "w1", "b1", "w2"}
    assert set(counted(symmetry, ["w1"]).layout) == {"w0", "b0", "b1", "w2"}
    assert set(counted(symmetry.without(["u0", "c0"])).layout) == {"w1", "b1", "w2"}

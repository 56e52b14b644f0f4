"""What a symmetry allows leaves the function of a network as it is, and changes its tensors."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import (
    Part,
    Symmetry,
    Transformation,
    UnitMatrix,
    Units,
)

RNG = np.random.default_rng(0)


def pinned(size):
    return (Part(size),)


def mlp_symmetry(scales=None, signs=None):
    power = (lambda k: (("c", k),)) if scales else (lambda k: ())
    sign = ("s",) if signs else ()
    rows = Part(6, units="hidden", signs=sign, scales=power(1))
    columns = Part(6, units="hidden", signs=sign, scales=power(-1))
    return Symmetry(
        {"w1": ((rows,), pinned(3)), "b1": ((rows,),), "w2": (pinned(2), (columns,))},
        {"hidden": Units(6)},
        signs={"s": "hidden"} if signs else {},
        scales={"c": "hidden"} if scales else {},
    )


def mlp():
    return {"w1": RNG.normal(size=(6, 3)), "b1": RNG.normal(size=6), "w2": RNG.normal(size=(2, 6))}


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("activation", "options"), [(relu, {"scales": True}), (np.tanh, {"signs": True}), (np.exp, {})]
)
def test_the_function_stays_and_the_weights_change(activation, options):
    def outputs(p):
        return activation(x @ p["w1"].T + p["b1"]) @ p["w2"].T

    symmetry, arrays, x = mlp_symmetry(**options), mlp(), RNG.normal(size=(5, 3))
    changed = symmetry.apply(symmetry.random(RNG), arrays)
    assert not np.allclose(changed["w1"], arrays["w1"])
    np.testing.assert_allclose(outputs(changed), outputs(arrays), rtol=1e-12, atol=1e-12)


def test_flattened_images_move_in_blocks():
    channels_first, channels_last = Part(4, inner=9, units="c"), Part(4, outer=9, units="c")
    w = np.arange(36.0)[None]
    for part in (channels_first, channels_last):
        symmetry = Symmetry({"w": (pinned(1), (part,))}, {"c": Units(4)})
        order = np.array([2, 0, 3, 1])
        moved = symmetry.apply(Transformation({"c": order}), {"w": w})["w"]
        images = w.reshape((4, 9) if part is channels_first else (9, 4))
        axis = 0 if part is channels_first else 1
        np.testing.assert_array_equal(moved.ravel(), images.take(order, axis).ravel())


def test_parts_of_an_axis_change_on_their_own():
    gates = (Part(3, units="h"), Part(3, units="h", signs=("s",)), Part(2))
    symmetry = Symmetry({"b": (gates,)}, {"h": Units(3)}, signs={"s": "h"})
    change = Transformation({"h": np.array([1, 2, 0])}, {"s": np.array([1.0, -1.0, 1.0])})
    moved = symmetry.apply(change, {"b": np.arange(8.0)})["b"]
    assert moved.tolist() == [1, 2, 0, 4, -5, 3, 6, 7]


def test_matrices_of_heads_leave_products_as_they_are():
    heads, width = 3, 4
    rows = Part(heads, inner=width, units="heads", matrix=("qk", 1))
    keys = Part(heads, inner=width, units="heads", matrix=("qk", -1))
    symmetry = Symmetry(
        {"q": ((rows,), pinned(5)), "k": ((keys,), pinned(5))},
        {"heads": Units(heads)},
        matrices={"qk": UnitMatrix("heads", heads, width)},
    )
    arrays = {"q": RNG.normal(size=(12, 5)), "k": RNG.normal(size=(12, 5))}
    change = symmetry.random(RNG)
    moved = symmetry.apply(change, arrays)

    def products(p):
        return np.einsum("hia,hib->hab", p["q"].reshape(3, 4, 5), p["k"].reshape(3, 4, 5))

    order = change.permutations["heads"]
    np.testing.assert_allclose(products(moved), products(arrays)[order], rtol=1e-9, atol=1e-9)


def test_blocks_keep_their_units_together():
    symmetry = Symmetry({"w": ((Part(12, units="c"),),)}, {"c": Units(12, blocks=3)})
    order = symmetry.random(np.random.default_rng(3)).permutations["c"]
    blocks = order.reshape(3, 4) // 4
    assert (blocks == blocks[:, :1]).all()
    assert sorted(order) == list(range(12))
    assert not np.array_equal(order, np.arange(12))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_permutations_and_signs_are_exact_in_every_type(dtype):
    symmetry = mlp_symmetry(signs=True)
    arrays = {name: array.astype(dtype) for name, array in mlp().items()}
    change = symmetry.random(RNG)
    moved = symmetry.apply(change, arrays)
    expected = change.signs["s"][:, None] * arrays["w1"][change.permutations["hidden"]]
    assert moved["w1"].dtype == dtype
    np.testing.assert_array_equal(moved["w1"], expected)


def test_other_tensors_and_the_arguments_are_left_alone():
    symmetry, arrays = mlp_symmetry(), {**mlp(), "steps": np.array(7)}
    before = {name: array.copy() for name, array in arrays.items()}
    moved = symmetry.apply(symmetry.random(RNG), arrays)
    assert moved["steps"] is arrays["steps"]
    for name, array in before.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_variables_can_be_held_where_they_are():
    symmetry = mlp_symmetry(signs=True)
    assert symmetry.variables == ["hidden", "s"]
    held = symmetry.without(["hidden"], "the layer is sorted")
    assert held.variables == ["s"]
    assert held.notes == ("the layer is sorted",)
    change = held.random(RNG)
    assert change.permutations == {}
    assert change.signs["s"].shape == (6,)


def test_other_shapes_are_listed():
    arrays = {**mlp(), "w1": np.ones((6, 4))}
    del arrays["b1"]
    with pytest.raises(ValueError, match=r"'w1' has shape \(6, 4\).*'b1' is missing.*same arch"):
        mlp_symmetry().apply(Transformation(), arrays)

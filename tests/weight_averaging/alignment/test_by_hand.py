"""Symmetries in the form of Git Re-Basin, with signs, blocks and runs."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._by_hand import symmetry_from
from stackens.weight_averaging.alignment._symmetry import Part, Units


def test_a_multi_layer_perceptron_as_git_re_basin_writes_it():
    spec = {"w0": ("P0", None), "b0": ("P0",), "w1": (None, "P0"), "b1": (None,)}
    shapes = {"w0": (6, 3), "b0": (6,), "w1": (2, 6), "b1": (2,), "steps": ()}
    symmetry = symmetry_from(spec, shapes)
    hidden = (Part(6, units="P0"),)
    assert symmetry.units == {"P0": Units(6)}
    assert symmetry.signs == {}
    assert symmetry.layout == {
        "w0": (hidden, (Part(3),)),
        "b0": (hidden,),
        "w1": ((Part(2),), hidden),
        "b1": ((Part(2),),),
    }


def test_flattened_images_channels_first_and_last():
    shapes = {"conv": (4, 1, 3, 3), "first": (2, 36), "last": (2, 36)}
    conv, first, last = ("P", None, None, None), (None, ("P", 9)), (None, (9, "P"))
    symmetry = symmetry_from({"conv": conv, "first": first, "last": last}, shapes)
    assert symmetry.layout["first"][1] == (Part(4, inner=9, units="P"),)
    assert symmetry.layout["last"][1] == (Part(4, outer=9, units="P"),)
    assert symmetry_from({"first": first}, shapes).units == {"P": Units(4)}


def test_an_lstm_behind_two_layers_side_by_side(preserved):
    rng = np.random.default_rng(0)
    gates = ["H", "H", "-H", "H"]
    spec = {
        "a": (None, "-A"),
        "b": (None, "B"),
        "w": (["-A", "B", 2], gates),
        "u": ("-H", gates),
        "bias": (gates,),
        "head": ("-H", None),
    }
    shapes = {"a": (3, 5), "b": (3, 4), "w": (11, 24), "u": (6, 24), "bias": (24,), "head": (6, 2)}
    x = rng.normal(size=(4, 5, 3))

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def outputs(p):
        h = c = np.zeros((4, 6))
        for step in range(5):
            now = x[:, step]
            inputs = [np.tanh(now @ p["a"]), np.cos(now @ p["b"]), now[:, :2]]
            z = np.concatenate(inputs, axis=1) @ p["w"] + h @ p["u"] + p["bias"]
            i, f, g, o = np.split(z, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        return [h @ p["head"]]

    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    symmetry = preserved(symmetry_from(spec, shapes), arrays, outputs)
    assert symmetry.units == {"A": Units(5), "B": Units(4), "H": Units(6)}
    assert symmetry.signs == {"signs of A": "A", "signs of H": "H"}


def test_all_that_does_not_fit_is_listed():
    spec = {
        "w0": ("P0", None),
        "w1": (None, "P0"),
        "w2": ("P1",),
        "w3": (["P2", "P3"],),
        "w4": ("P4", None),
        "w5": ((9, "P5"),),
    }
    shapes = {"w0": (6, 3), "w1": (2, 5), "w2": (2, 2), "w3": (7,), "w5": (20,)}
    with pytest.raises(ValueError, match="must fit the tensors") as caught:
        symmetry_from(spec, shapes)
    for part in (
        "axis 1 of 'w1' has length 5, not 6",
        "'w2' has shape (2, 2) and the entry ('P1',)",
        "the size of P2, P3 does not follow",
        "no tensor 'w4'",
        "the size of P5 does not follow",
    ):
        assert part in str(caught.value)


def test_text_in_the_place_of_axes_is_refused():
    with pytest.raises(ValueError, match="the entry 'P0'"):
        symmetry_from({"w0": "P0"}, {"w0": (6, 3)})


@pytest.mark.parametrize("entry", [1.5, ("P", "Q"), ("P", 2, 3), [None]])
def test_what_describes_no_axis_is_refused(entry):
    with pytest.raises(TypeError, match="An axis must be described by None"):
        symmetry_from({"w0": (entry,)}, {"w0": (6,)})

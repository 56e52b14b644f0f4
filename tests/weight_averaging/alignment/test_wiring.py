"""Axes are tied, held and resolved."""

from dataclasses import replace

from stackens.weight_averaging.alignment._symmetry import Part, Units
from stackens.weight_averaging.alignment._wiring import Wiring, read_by


def layer(wiring, name, size=4):
    return wiring.new(name, size)


def test_a_layer_and_what_reads_it():
    wiring = Wiring()
    hidden = layer(wiring, "a")
    wiring.tensor("w1", (Part(3),), hidden)
    wiring.tensor("w2", read_by(hidden), (Part(2),))
    symmetry = wiring.symmetry()
    assert symmetry.units == {"a": Units(4)}
    assert symmetry.signs == {"signs of a": "a"}
    assert symmetry.scales == {"scales of a": "a"}
    assert symmetry.layout["w1"][1][0].scales == (("scales of a", 1),)
    assert symmetry.layout["w2"][0][0].scales == (("scales of a", -1),)
    assert symmetry.layout["w2"][1] == (Part(2),)


def test_what_is_tied_has_one_name():
    wiring = Wiring()
    a, b = layer(wiring, "a"), layer(wiring, "b")
    wiring.tensor("w1", a)
    wiring.tensor("w2", b)
    wiring.tie(a, b)
    symmetry = wiring.symmetry()
    assert symmetry.layout["w1"] == symmetry.layout["w2"]
    assert symmetry.variables == ["a", "signs of a", "scales of a"]


def test_what_is_held_stays_held_when_it_is_tied_before_or_after():
    for before in (True, False):
        wiring = Wiring()
        a, b = layer(wiring, "a"), layer(wiring, "b")
        wiring.tensor("w", a)
        if before:
            wiring.hold(b)
        wiring.tie(a, b)
        if not before:
            wiring.hold(b)
        assert wiring.symmetry().variables == []
        assert wiring.symmetry().layout["w"] == ((Part(4),),)


def test_what_does_not_fit_is_held():
    wiring = Wiring()
    a, b, c = (layer(wiring, name) for name in "abc")
    for name, parts in (("wa", a), ("wb", b), ("wc", c)):
        wiring.tensor(name, parts)
    wiring.tie(a, (replace(b[0], size=2, inner=2),))
    assert wiring.symmetry().units == {"c": Units(4)}
    wiring.tie(c, (Part(4),))
    assert wiring.symmetry().variables == []


def test_signs_and_scales_are_held_alone():
    wiring = Wiring()
    a = layer(wiring, "a")
    wiring.tensor("w", a)
    wiring.hold_signs(a)
    assert wiring.symmetry().variables == ["a", "scales of a"]
    wiring.hold_scales(a)
    assert wiring.symmetry().variables == ["a"]


def test_signs_of_units_that_stay():
    wiring = Wiring()
    a = layer(wiring, "a")
    after = wiring.rescaled(a, "norm")
    wiring.tensor("w", a)
    wiring.hold(after)
    symmetry = wiring.symmetry()
    assert symmetry.units == {}
    assert symmetry.signs == {"signs of a": "a"}
    assert symmetry.layout["w"][0][0].units == "a"
    assert symmetry.size("a") == 4


def test_a_product_of_signs_cancels_and_cannot_be_one_sign():
    wiring = Wiring()
    a, b = layer(wiring, "a"), layer(wiring, "b")
    wiring.tensor("wa", a)
    wiring.tensor("wb", b)
    square = (replace(a[0], signs=a[0].signs * 2, scales=a[0].scales * 2),)
    wiring.tensor("square", square)
    assert wiring.symmetry().layout["square"][0][0].signs == ()
    assert wiring.symmetry().layout["square"][0][0].scales == (("scales of a", 2),)
    wiring.tie(a, b)
    wiring.tie(square, a)
    assert wiring.symmetry().variables == ["a"]


def test_a_tensor_that_is_used_twice_changes_in_one_way():
    wiring = Wiring()
    a, b = layer(wiring, "a"), layer(wiring, "b")
    wiring.tensor("w", a, (Part(3),))
    wiring.tensor("w", b, (Part(3),))
    wiring.tensor("v", b)
    assert wiring.symmetry().units == {"a": Units(4)}


def test_blocks():
    wiring = Wiring()
    a = layer(wiring, "a")
    wiring.tensor("w", a)
    wiring.blocks(a, 2)
    wiring.blocks(a, 2)
    assert wiring.symmetry().units == {"a": Units(4, blocks=2)}
    wiring.blocks(a, 4)
    assert wiring.symmetry().units == {}
    b = layer(wiring, "b")
    wiring.tensor("v", (replace(b[0], inner=3),))
    wiring.blocks((replace(b[0], inner=3),), 2)
    assert "b" not in wiring.symmetry().units


def test_notes_are_kept_once():
    wiring = Wiring()
    for _ in range(2):
        wiring.note("a sort")
    assert wiring.symmetry().notes == ("a sort",)

"""Where the units of a group stand, and which of them are free."""

import numpy as np

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, UnitMatrix, Units
from stackens.weight_averaging.alignment.matching._groups import groups_of
from tests.weight_averaging.alignment.matching.networks import attention, fixed, mlp, recurrent


def test_layers_of_an_mlp():
    first, second = groups_of(mlp(3, 5, 4, 2))
    assert (first.name, first.size, first.is_movable) == ("u0", 5, True)
    assert first.tensors == ["w0", "b0", "w1"]
    assert second.tensors == ["w1", "b1", "w2"]
    assert [(place.tensor, place.axis) for place in second.occurrences] == [
        ("w1", 0),
        ("b1", 0),
        ("w2", 1),
    ]
    assert groups_of(mlp(3, 5, 4, 2), ignore=["w1"])[0].tensors == ["w0", "b0"]


def test_recurrent_units_stand_along_two_axes():
    (group,) = groups_of(recurrent(4, 2, 3))
    assert group.quadratic == ["weight_hh0"]
    runs = [place for place in group.occurrences if place.tensor == "bias_ih0"]
    assert [place.start for place in runs] == [0, 4, 8, 12]
    assert [sorted(place.signs) for place in runs] == [[], [], ["s0"], []]


def test_what_is_held_is_not_free():
    symmetry = recurrent(4, 2, 3)
    (held,) = groups_of(symmetry.without(["h0"]))
    assert not held.is_movable
    assert {name for place in held.occurrences for name in place.signs} == {"s0"}
    assert {
        n for place in groups_of(symmetry.without(["s0"]))[0].occurrences for n in place.signs
    } == set()
    assert groups_of(symmetry.without(["h0", "s0"])) == []


def test_matrices_of_heads_and_of_no_units():
    (heads,) = groups_of(attention(3, 2, 5, 5))
    assert heads.matrices == ("qk", "vo")
    table = Symmetry(
        {"e": (fixed(7), (Part(1, inner=4, matrix=("m", 1)),))},
        {},
        matrices={"m": UnitMatrix(None, 1, 4)},
    )
    (alone,) = groups_of(table)
    assert (alone.name, alone.size, alone.is_movable) == ("m", 1, False)


def test_a_matrix_contains_the_signs_of_its_rows():
    rows = Part(2, inner=3, units="h", signs=("s",), matrix=("m", 1))
    symmetry = Symmetry(
        {"q": ((rows,),), "g": ((Part(2, units="h", signs=("s",)),),)},
        {"h": Units(2)},
        signs={"s": "h"},
        matrices={"m": UnitMatrix("h", 2, 3)},
    )
    (group,) = groups_of(symmetry)
    assert not any(place.signs for place in group.occurrences)


def test_rows_of_units_with_factors_around_them():
    for part in (Part(3, outer=2, units="c"), Part(3, inner=2, units="c")):
        symmetry = Symmetry({"w": (fixed(4), (Part(1), part))}, {"c": Units(3)})
        (place,) = groups_of(symmetry)[0].occurrences
        array = np.arange(28.0).reshape(4, 7)
        rows = place.rows(array)
        assert rows.shape == (3, 8)
        columns = [1, 4] if part.outer == 2 else [1, 2]
        assert sorted(rows[0]) == sorted(array[:, columns].ravel())
        assert place.rows_inside(array).shape == (3, part.inner, 4 * part.outer)

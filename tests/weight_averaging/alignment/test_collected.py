"""The symmetry of parameters, from what is known of their axes."""

import pytest

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._collected import collected
from stackens.weight_averaging.alignment._factors import Factor, Value, factors_of, find
from stackens.weight_averaging.alignment._symmetry import Part, UnitMatrix, Units


@pytest.fixture
def axes():
    return Axes()


def parameter(axes, *shapes):
    return Value(tuple(axes.free(*sizes, labelled=True) for sizes in shapes))


def perceptron(axes):
    values = {
        "in": parameter(axes, (5,), (3,)),
        "bias": parameter(axes, (5,)),
        "out": parameter(axes, (2,), (5,)),
    }
    axes.unify(values["in"].axes[0], values["bias"].axes[0])
    axes.unify(values["in"].axes[0], values["out"].axes[1], -1)
    for axis in (values["in"].axes[1], values["out"].axes[0]):
        axes.pin(axis)
    return values


def test_units_are_named_after_the_first_weight(axes):
    values = perceptron(axes)
    axes.rigid(values["in"].axes[0])
    values = {"bias": values["bias"], **values}
    symmetry = collected(axes, values)
    assert symmetry.units == {"in": Units(5)}
    assert symmetry.signs == {"in sign": "in"}
    assert set(symmetry.layout) == {"in", "bias", "out"}
    (columns,) = symmetry.layout["out"][1]
    assert columns.scales == (("in scale", -1),)


def test_units_that_anything_may_mix_have_a_matrix(axes):
    symmetry = collected(axes, perceptron(axes))
    assert symmetry.units == symmetry.signs == symmetry.scales == {}
    assert symmetry.matrices == {"in matrix": UnitMatrix(None, 1, 5)}
    assert symmetry.layout["out"][1] == (Part(1, inner=5, matrix=("in matrix", -1)),)
    assert symmetry.layout["bias"][0] == (Part(1, inner=5, matrix=("in matrix", 1)),)


def test_pinned_parameters_are_left_out_and_pinned_runs_joined(axes):
    values = perceptron(axes)
    runs = axes.free(2, labelled=True) + axes.free(3, labelled=True) + axes.free(4, labelled=True)
    values["runs"] = Value((runs,))
    axes.rigid(runs)
    axes.pin(runs[:2])
    values["other"] = axes.constant((4, 4))
    symmetry = collected(axes, values)
    assert "other" not in symmetry.layout
    assert symmetry.layout["runs"] == (
        (Part(5), Part(4, units="runs", signs=("runs sign",), scales=(("runs scale", 1),))),
    )


def heads(axes):
    values = {
        "query": parameter(axes, (3, 4), (7,)),
        "key": parameter(axes, (3, 4), (7,)),
    }
    (unit, inside), (other, beside) = (factors_of(value.axes[0]) for value in values.values())
    axes.move_alike(((unit,),), ((other,),))
    axes.rigid(((unit,),))
    axes.move_alike(((inside,),), ((beside,),), -1)
    for value in values.values():
        axes.pin(value.axes[1])
    return values, find(unit.variable)[0], find(inside.variable)[0]


def test_heads_have_a_matrix_each(axes):
    values, _, _ = heads(axes)
    symmetry = collected(axes, values)
    assert symmetry.units == {"query": Units(3)}
    assert symmetry.signs == {}  # matrices do that too
    assert symmetry.matrices == {"query matrix": UnitMatrix("query", 3, 4)}
    expected = Part(3, inner=4, units="query", matrix=("query matrix", -1))
    assert symmetry.layout["key"][0] == (expected,)


def test_heads_that_are_summed_have_none_of_their_own(axes):
    values, unit, inside = heads(axes)
    axes.mixed.append((unit, inside))
    unit.leads = True
    symmetry = collected(axes, values)
    assert symmetry.units == {"query": Units(3)}
    assert symmetry.matrices == {}
    assert symmetry.notes == ("axis 0 of query: units are 3 x 4, of which one factor can move",)


def test_of_two_factors_the_larger_one_moves(axes):
    values = {"w": parameter(axes, (2, 5), (3,))}
    axes.rigid(*values["w"].axes)
    axes.pin(values["w"].axes[1])
    symmetry = collected(axes, values)
    assert symmetry.units == {"w": Units(5)}
    assert symmetry.layout["w"][0][0].outer == 2


def test_several_units_of_one_parameter_have_different_names(axes):
    runs = axes.free(2, labelled=True) + axes.free(3, labelled=True)
    values = {"w": Value((runs, axes.free(4, labelled=True)))}
    axes.rigid(*values["w"].axes)
    symmetry = collected(axes, values)
    assert symmetry.units == {"w": Units(2), "w[2:5]": Units(3), "w axis 1": Units(4)}
    assert set(symmetry.signs.values()) == set(symmetry.units)
    assert len(symmetry.signs) == 3


def test_hints_are_preferred_and_blocks_are_kept(axes):
    values = {"w": parameter(axes, (6,))}
    axes.rigid(values["w"].axes[0])
    axes.keep_blocks(values["w"].axes[0], 3)
    find(factors_of(values["w"].axes[0])[0].variable)[0].hint = "lstm.l0"
    symmetry = collected(axes, values)
    assert symmetry.units == {"lstm.l0": Units(6, 2)}
    assert symmetry.signs == {"lstm.l0 sign": "lstm.l0"}


def test_computed_tensors_are_written_in_the_units_of_parameters_and_settle_nothing(axes):
    values = perceptron(axes)
    units = values["in"].axes[0]
    axes.rigid(units)
    (factor,) = factors_of(units)
    alone = collected(axes, values)
    twice = Factor(factor.variable, dict.fromkeys(factor.form, 2))
    unnamed = Factor(factor.variable, axes.unknown(factor.variable))
    others = {
        "answer": Value((axes.pinned(7), units)),
        "square": Value((axes.pinned(7), ((twice,),))),
        "outer product": Value((((factor, factor),),)),
        "unnamed": Value((((unnamed,),),)),
        "input": axes.constant((7, 3)),
    }
    symmetry = collected(axes, values, others)
    found = {name: symmetry.layout[name] for name in symmetry.layout if name not in values}
    assert set(found) == {"answer", "square"}
    assert found["answer"] == ((Part(7),), alone.layout["bias"][0])
    (part,) = found["square"][1]
    assert (part.signs, part.scales) == ((), (("in scale", 2),))
    assert symmetry.units == alone.units
    assert symmetry.signs == alone.signs
    assert {name: symmetry.layout[name] for name in alone.layout} == alone.layout


def test_units_that_stand_twice_in_a_run_stay(axes):
    (factor,) = factors_of(axes.free(3, labelled=True))
    axes.rigid(((factor,),))
    values = {"square": Value((((factor, factor),),)), "bias": Value((((factor,),),))}
    symmetry = collected(axes, values)
    assert not symmetry.variables
    assert not symmetry.layout
    assert "3 x 3" in symmetry.notes[0]

"""What the rules for Keras's layers share."""

import pytest

from stackens.weight_averaging.alignment._symmetry import Part
from stackens.weight_averaging.alignment.keras_layers._network import (
    Network,
    Signal,
    bare,
    gained,
    parity,
)

keras = pytest.importorskip("keras")


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (None, (True, True)),
        (keras.activations.linear, (True, True)),
        (keras.activations.relu, (False, True)),
        (keras.activations.tanh, (True, False)),
        (keras.activations.gelu, (False, False)),
        (keras.activations.softmax, (False, False)),
        (keras.activations.glu, None),  # halves the units
        (keras.ops.tanh, (True, False)),
        (keras.ops.cumsum, None),
        (keras.layers.LeakyReLU(0.2), (False, True)),
        (keras.layers.ReLU(max_value=2.0), (False, False)),
        (keras.layers.Dense(3), None),
        (max, None),
    ],
)
def test_what_an_activation_lets_pass(activation, expected):
    assert parity(activation) == expected


def relu(x):
    return x


def test_a_function_of_the_users_own_is_unknown_whatever_its_name():
    assert parity(relu) is None


def test_tensors_have_the_names_of_the_adapter():
    kernel, alone = object(), object()
    net = Network({id(kernel): "block/dense/kernel", id(alone): "scale"})
    assert net.name(kernel) == "block/dense"
    assert net.name(alone) == "scale"
    net.tensor(kernel, (Part(2),))
    net.tensor(None, (Part(2),))  # a bias that there is not
    assert list(net.wiring.symmetry().layout) == ["block/dense/kernel"]


def test_units_that_are_read_along_another_axis_are_held():
    net = Network({})
    units = net.wiring.new("a", 4)
    net.wiring.tensor("w", units)
    signal = Signal((None, 3, 4), 2, units)
    assert net.read(signal, -1) == units
    assert net.read(signal, 1) == (Part(3),)
    assert net.wiring.symmetry().variables == []


def test_a_layer_without_a_rule_is_named_only_if_it_matters():
    net, layer = Network({}), keras.layers.Lambda(lambda x: x, name="own")
    assert net.unknown(layer, [Signal((None, 3))], [(None, 5)]) == [Signal((None, 5))]
    assert net.wiring.symmetry().notes == ()
    net.unknown(layer, [Signal((None, 4), 1, net.wiring.new("a", 4))], [(None, 5)])
    assert net.wiring.symmetry().notes[0].startswith("Lambda 'own': it has no rule")


def test_a_gain_takes_back_what_was_and_puts_on_what_comes():
    old = (Part(4, units="u", signs=("s",), scales=(("c", 1),)),)
    new = (Part(4, units="u", signs=("t",), scales=(("d", 1),)),)
    (part,) = gained(old, new)
    assert part.signs == ("s", "t")
    assert part.scales == (("c", -1), ("d", 1))
    assert bare(old) == (Part(4, units="u"),)

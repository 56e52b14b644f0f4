"""Recurrent layers of Keras, in one direction and in both."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(2, 3, 5))


def network(*between):
    return keras.Sequential([keras.Input((3, 5)), *between, layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (lambda: layers.SimpleRNN(6), "signs"),
        (lambda: layers.SimpleRNN(6, activation="relu"), "scales"),
        (lambda: layers.LSTM(6), "signs"),
        (lambda: layers.LSTM(6, activation="relu"), "scales"),
        (lambda: layers.LSTM(6, activation="softplus", use_bias=False), ""),
        (lambda: layers.LSTM(6, recurrent_activation="hard_sigmoid", go_backwards=True), "signs"),
        (lambda: layers.GRU(6), "signs"),
        (lambda: layers.GRU(6, reset_after=False), "signs"),
        (lambda: layers.GRU(6, use_bias=False, implementation=1), "signs"),
        (lambda: layers.RNN(layers.GRUCell(6)), "signs"),
    ],
)
def test_cells(make, kinds, keras_preserved):
    symmetry = keras_preserved(network(make()), SERIES)
    (name,) = symmetry.units
    assert symmetry.units == {name: Units(6)}
    assert symmetry.signs == ({f"signs of {name}": name} if kinds == "signs" else {})
    assert symmetry.scales == ({f"scales of {name}": name} if kinds == "scales" else {})


def test_only_the_gate_that_writes_the_state_changes_signs(keras_preserved):
    layout = keras_preserved(network(layers.LSTM(6)), SERIES).layout
    signs = [bool(part.signs) for part in layout["lstm/kernel"][1]]
    assert signs == [False, False, True, False]
    assert [part.signs for part in layout["lstm/recurrent_kernel"][0]] == [("signs of lstm",)]


@pytest.mark.parametrize(("mode", "units"), [("concat", 2), ("sum", 1), ("ave", 1), ("mul", 1)])
def test_both_directions_stacked(mode, units, keras_preserved):
    model = network(
        layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode=mode),
        layers.Bidirectional(layers.GRU(4)),
    )
    symmetry = keras_preserved(model, SERIES)
    first = [name for name in symmetry.units if name.startswith("bidirectional ")]
    assert len(first) == units
    assert {"bidirectional_1 forward", "bidirectional_1 backward"} < set(symmetry.units)


def test_two_outputs_of_both_directions(keras_preserved):
    x = keras.Input((3, 5))
    forward, backward = layers.Bidirectional(layers.LSTM(4), merge_mode=None)(x)
    h = layers.Concatenate()([layers.Dense(3)(forward), layers.Dense(2)(backward)])
    symmetry = keras_preserved(keras.Model(x, layers.Dense(2)(h)), SERIES)
    assert set(symmetry.units) == {
        "bidirectional forward",
        "bidirectional backward",
        "dense",
        "dense_1",
    }


def test_embedded_text_with_masks(keras_preserved):
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(5, return_sequences=True),
            layers.TimeDistributed(layers.Dense(3, activation="relu")),
            layers.GRU(4),
            layers.Dense(2),
        ]
    )
    tokens = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 1, 0]])
    assert set(keras_preserved(model, tokens).units) == {
        "embedding",
        "lstm",
        "time_distributed",
        "gru",
    }


def test_states_that_are_handed_on_tie_two_layers(keras_preserved):
    x, y = keras.Input((3, 5)), keras.Input((3, 5))
    _, hidden, cell = layers.LSTM(6, return_state=True)(x)
    h = layers.LSTM(6)(y, initial_state=[hidden, cell])
    symmetry = keras_preserved(keras.Model([x, y], layers.Dense(2)(h)), [SERIES, -SERIES])
    assert symmetry.variables == ["lstm", "signs of lstm"]
    _, *states = layers.Bidirectional(layers.GRU(4, return_state=True))(x)
    h = layers.Bidirectional(layers.GRU(4))(y, initial_state=states)
    symmetry = keras_preserved(keras.Model([x, y], layers.Dense(2)(h)), [SERIES, -SERIES])
    assert list(symmetry.units) == ["bidirectional forward", "bidirectional backward"]


def test_a_state_that_is_an_input_holds_the_units(keras_preserved):
    x, state = keras.Input((3, 5)), keras.Input((6,))
    model = keras.Model([x, state], layers.Dense(2)(layers.GRU(6)(x, initial_state=state)))
    assert keras_preserved(model, [SERIES, RNG.normal(size=(2, 6))]).variables == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RNN(layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(3)])),
        lambda: layers.LSTM(4, recurrent_activation=lambda x: x),
    ],
)
def test_cells_without_a_rule_are_held_and_named(make, keras_preserved):
    symmetry = keras_preserved(network(layers.Conv1D(4, 1), make()), SERIES)
    assert symmetry.variables == []
    assert "such a cell has no rule" in symmetry.notes[0]


def test_layers_that_remember_are_held(keras_preserved):
    x = keras.Input(batch_shape=(2, 3, 5))
    model = keras.Model(x, layers.Dense(2)(layers.GRU(6, stateful=True)(x)))
    assert keras_preserved(model, SERIES).variables == []

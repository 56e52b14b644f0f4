"""Multi-head attention of Keras."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._keras import keras_symmetry
from stackens.weight_averaging.alignment._symmetry import Units

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(0)
X, MEMORY = RNG.normal(size=(3, 5, 6)), RNG.normal(size=(3, 4, 3))


def test_heads_move_and_so_do_residual_units(keras_preserved):
    inputs = keras.Input((5, 6))
    stream = layers.Dense(8)(inputs)
    attended = layers.MultiHeadAttention(3, 4)(stream, stream)
    outputs = layers.Dense(2)(layers.LayerNormalization()(layers.Add()([stream, attended])))
    # The bias of keys has no effect.
    symmetry = keras_preserved(keras.Model(inputs, outputs), X, necessary=any)
    assert symmetry.units == {"dense": Units(8), "multi_head_attention": Units(3)}
    assert sorted(symmetry.signs.values()).count("multi_head_attention") == 2
    assert sorted(symmetry.scales.values()).count("multi_head_attention") == 2


def test_queries_keys_and_values_of_their_own(keras_preserved):
    inputs, memory = keras.Input((5, 6)), keras.Input((4, 3))
    query, key = layers.Dense(8)(inputs), layers.Dense(6, use_bias=False)(memory)
    value = layers.Dense(7, activation="relu")(memory)
    attention = layers.MultiHeadAttention(3, 4, value_dim=5, use_bias=False, output_shape=9)
    attended = attention(query, key=key, value=value, use_causal_mask=True)
    model = keras.Model([inputs, memory], layers.Dense(2)(attended))
    symmetry = keras_preserved(model, [X, MEMORY])
    assert sorted(units.size for units in symmetry.units.values()) == [3, 6, 7, 8, 9]


def test_a_mask_that_is_computed_stays_as_it_is():
    inputs = keras.Input((5, 6))
    mask = layers.Dense(5, name="mask", activation="relu")(inputs)
    attended = layers.MultiHeadAttention(3, 4)(inputs, inputs, attention_mask=mask)
    symmetry = keras_symmetry(keras.Model(inputs, layers.Dense(2)(attended)))
    assert sorted(units.size for units in symmetry.units.values()) == [3, 6]


def test_scores_as_outputs_keep_all_in_its_place(keras_preserved):
    inputs = keras.Input((5, 6))
    outputs = layers.MultiHeadAttention(3, 4)(inputs, inputs, return_attention_scores=True)
    symmetry = keras_preserved(keras.Model(inputs, outputs), X)
    assert not symmetry.variables
    assert "attention of this form" in symmetry.notes[0]

"""Synthetic and public inputs: fresh ones, and those held back."""

import numpy as np
import pytest
import torch

from stackens.weight_averaging.one_shot import InputSchema
from stackens.weight_averaging.one_shot._inputs import as_tensors, input_source
from stackens.weight_averaging.one_shot._schemas import as_schemas

SCHEMA = InputSchema(shape=(3, 2), low=0, high=1)


def source(schema=None, data=None, seed=0):
    declared = None if schema is None else [(1.0, as_schemas(schema))]
    return input_source(declared, data, np.random.default_rng(seed))


def test_fresh_rows_are_drawn_from_the_schema():
    draw, held_back = source(SCHEMA)
    assert held_back[0].shape == (1024, 3, 2)
    first, second = draw(5)[0], draw(5)[0]
    assert first.shape == (5, 3, 2)
    assert (first != second).all()


def test_several_inputs():
    draw, held_back = source([SCHEMA, InputSchema(shape=(4,), vocabulary=5)])
    assert [part.shape for part in draw(7)] == [(7, 3, 2), (7, 4)]
    assert len(held_back) == 2


def test_public_rows_are_drawn_but_for_those_held_back():
    rows = np.arange(100)[:, None]
    draw, held_back = source(data=rows)
    assert len(held_back[0]) == 10
    drawn = set(draw(5000)[0].ravel())
    assert drawn | set(held_back[0].ravel()) == set(range(100))
    assert not drawn & set(held_back[0].ravel())


def test_rows_of_several_inputs_stay_together():
    rows = torch.arange(50.0)[:, None]
    draw, _ = source(data=(rows, -rows.numpy()))
    first, second = draw(20)
    assert (first == -second).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either 'input_schema' or 'data'. Got none"),
        ({"schema": SCHEMA, "data": np.zeros((50, 2))}, "Got both"),
        ({"data": np.zeros((3, 2))}, "at least 10 public rows"),
        ({"data": (np.zeros((30, 2)), np.zeros((20, 2)))}, "as many of each input"),
        ({"data": np.full((30, 2), np.nan)}, "finite numbers"),
        ({"data": np.array(["a"] * 30)}, "finite numbers"),
    ],
)
def test_inputs_that_cannot_be_drawn_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        source(**given)


def test_tensors_are_as_the_network_takes_them():
    network = torch.nn.Linear(2, 1).double()
    numbers, tokens = as_tensors(
        [np.zeros((2, 2), np.float32), np.array([[1, 2]], np.int32)], network
    )
    assert numbers.dtype == torch.float64
    assert tokens.dtype == torch.int64


def test_of_few_rows_enough_for_a_deviation_are_held_back():
    draw, held_back = source(data=torch.arange(10.0, dtype=torch.bfloat16)[:, None])
    assert len(held_back[0]) == 2
    assert len(set(draw(1000)[0].ravel())) == 8

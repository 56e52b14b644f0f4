"""The weights are found in the dict of a whole training checkpoint, or asked for."""

from pathlib import Path

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._nested import state_dict_in
from stackens.weight_averaging.files._sources import InMemory, Tensor

TENSOR = Tensor(DTYPES["F32"], (2,), InMemory(np.zeros(2), "zeros"))
WEIGHTS = {"layer.weight": TENSOR, "layer.bias": TENSOR}
OPTIMIZER = {"state": {0: {"exp_avg": TENSOR}}, "param_groups": [{"params": [0]}]}
PATH = Path("run/last.pt")


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "optimizer": OPTIMIZER, "epoch": 3},
        {"model": {"module": WEIGHTS}, "step": TENSOR},
        {"model": WEIGHTS, "optim": {"state": {"layer.weight": {"exp_avg": TENSOR}}}},
        {"model": {**WEIGHTS, "_extra_state": None}},
        {"net.work": WEIGHTS},
    ],
)
def test_the_one_dict_of_tensors_is_found(content):
    assert state_dict_in(content, PATH, None) == WEIGHTS


def test_several_are_listed():
    content = {"model": WEIGHTS, "ema": {"model": WEIGHTS}, "optimizer": OPTIMIZER}
    with pytest.raises(ValueError, match=r"last.pt must hold one.*Got 'model', 'ema.model'"):
        state_dict_in(content, PATH, None)


@pytest.mark.parametrize("content", [{"epoch": 3}, [TENSOR], TENSOR, {0: TENSOR}, None])
def test_none_is_said(content):
    with pytest.raises(ValueError, match=r"Got none at all"):
        state_dict_in(content, PATH, None)


def test_the_key_chooses():
    other = {"w": TENSOR}
    content = {"model": WEIGHTS, "ema": {"model": other}, "optim": {"w": TENSOR}}
    assert state_dict_in(content, PATH, "ema.model") == other
    assert state_dict_in(content, PATH, "optim") == other
    assert state_dict_in(WEIGHTS, PATH, "") == WEIGHTS
    with pytest.raises(ValueError, match=r"Got 'ema'. There are 'model', 'ema.model', 'optim'"):
        state_dict_in(content, PATH, "ema")

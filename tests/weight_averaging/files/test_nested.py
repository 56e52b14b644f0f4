"""The weights are found in the dict of a whole training checkpoint, or asked for."""

from pathlib import Path

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._nested import state_dict_in
from stackens.weight_averaging.files._sources import InMemory, Tensor, Unread

TENSOR = Tensor(DTYPES["F32"], (2,), InMemory(np.zeros(2), "zeros"))
MATRIX = Tensor(DTYPES["F32"], (1, 2), InMemory(np.zeros((1, 2)), "matrix"))
WEIGHTS = {"layer.weight": TENSOR, "layer.bias": TENSOR}
NUMBER = Tensor(DTYPES["F32"], (), InMemory(np.zeros(()), "number"))
BYTES = Tensor(DTYPES["U8"], (9,), InMemory(np.zeros(9, np.uint8), "bytes"))
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
        {"model": WEIGHTS, "best_score": NUMBER, "classes": TENSOR, "rng": BYTES},
        {"model": WEIGHTS, "rng_states": {"torch": BYTES}},
        {"state_dict": WEIGHTS, "callbacks": {"Best": {"best": NUMBER, "k": {"a.ckpt": NUMBER}}}},
    ],
)
def test_the_one_dict_of_tensors_is_found(content):
    assert state_dict_in(content, PATH, None) == WEIGHTS


def test_a_model_of_numbers_is_found_where_it_is_alone():
    assert state_dict_in({"model": {"scale": NUMBER}, "epoch": 3}, PATH, None) == {"scale": NUMBER}


def test_extra_state_is_no_model_of_its_own():
    state = {**WEIGHTS, "layer._extra_state": {"scale": TENSOR}}
    assert state_dict_in(state, PATH, None) == WEIGHTS
    assert state_dict_in({"model": state}, PATH, None) == WEIGHTS


def test_weights_around_a_dict_of_weights_are_not_passed_over():
    with pytest.raises(ValueError, match=r"must hold one.*Got 'quantiser', ''"):
        state_dict_in({"w": MATRIX, "quantiser": WEIGHTS}, PATH, None)


def test_several_are_listed():
    content = {"model": WEIGHTS, "ema": {"model": WEIGHTS}, "optimizer": OPTIMIZER}
    with pytest.raises(ValueError, match=r"last.pt must hold one.*Got 'model', 'ema.model'"):
        state_dict_in(content, PATH, None)


@pytest.mark.parametrize("content", [{"epoch": 3}, [TENSOR], TENSOR, {0: TENSOR}, None])
def test_none_is_said(content):
    with pytest.raises(ValueError, match=r"Got none at all in a \w+.*\. Save the model's"):
        state_dict_in(content, PATH, None)


def test_the_key_chooses():
    other = {"w": TENSOR}
    content = {"model": WEIGHTS, "ema": {"model": other}, "optim": {"w": TENSOR}}
    assert state_dict_in(content, PATH, "ema.model") == other
    assert state_dict_in(content, PATH, "optim") == other
    assert state_dict_in(WEIGHTS, PATH, "") == WEIGHTS
    assert state_dict_in(content, PATH, "ema") == other
    with pytest.raises(ValueError, match=r"Got 'em'. There are 'model', 'ema.model', 'optim'"):
        state_dict_in(content, PATH, "em")


def test_a_key_with_several_dicts_takes_them_together():
    parts = {"encoder": WEIGHTS, "decoder": {"w": TENSOR}}
    together = {
        "encoder.layer.weight": TENSOR,
        "encoder.layer.bias": TENSOR,
        "decoder.w": TENSOR,
    }
    assert state_dict_in({**parts, "optim": {"w": TENSOR}}, PATH, "") == together
    assert state_dict_in({"net": parts, "ema": WEIGHTS}, PATH, "net") == together
    more = {"table": MATRIX}
    assert state_dict_in({**parts, **more}, PATH, "") == together | more
    assert state_dict_in({"net": {**parts, **more}}, PATH, "net") == together | more


def test_numbers_beside_several_dicts_are_weights_of_the_whole():
    parts = {"vision": WEIGHTS, "text": {"w": TENSOR}, "logit_scale": NUMBER}
    found = state_dict_in({**parts, "optim": {"w": TENSOR}}, PATH, "")
    assert set(found) == {"vision.layer.weight", "vision.layer.bias", "text.w", "logit_scale"}
    assert set(state_dict_in({"net": parts, "best": NUMBER}, PATH, "net")) == set(found)


def test_a_floating_number_beside_one_dict_is_a_weight_under_a_key_that_names_both():
    content = {"model": {"encoder": WEIGHTS, "logit_scale": NUMBER}, "loss": NUMBER}
    found = state_dict_in(content, PATH, "model")
    assert found == {
        "encoder.layer.weight": TENSOR,
        "encoder.layer.bias": TENSOR,
        "logit_scale": NUMBER,
    }
    assert state_dict_in(content, PATH, "model.encoder") == WEIGHTS
    assert state_dict_in({"ema": {"module": WEIGHTS, "step": BYTES}}, PATH, "ema") == WEIGHTS


def test_what_optimizers_keep_is_no_model_whatever_its_key_is_called():
    state = {"state": {"layer.weight": {"exp_avg": TENSOR, "exp_avg_sq": TENSOR}}}
    assert state_dict_in({"model": WEIGHTS, "opt": state}, PATH, None) == WEIGHTS


def test_long_lists_of_keys_are_cut():
    content = {f"part {i}": WEIGHTS for i in range(500)}
    with pytest.raises(ValueError, match=r"'part 9', and 490 more. Pass key") as raised:
        state_dict_in(content, PATH, None)
    assert len(str(raised.value)) < 500


def test_arrays_among_the_weights_are_not_passed_over():
    run = {"model": WEIGHTS, "curve": Unread(), "loss": NUMBER}
    assert state_dict_in(run, PATH, None) == WEIGHTS
    for content, key in (({**WEIGHTS, "scale": Unread()}, None), ({"net": {**run}}, "net")):
        with pytest.raises(ValueError, match=r"must hold its weights as tensors.*'(scale|curve)'"):
            state_dict_in(content, PATH, key)
    with pytest.raises(ValueError, match=r"Got none at all in a dict with the keys 'w'"):
        state_dict_in({"w": Unread()}, PATH, None)

"""Tests of which tensors share their mixing weights."""

import pytest

from stackens.weight_averaging.mixing._groups import groups_of

NAMES = ["body.0.weight", "body.0.bias", "body.1.weight", "head"]


def test_model_layer_and_tensor():
    assert groups_of(NAMES, "model") == {"(all)": NAMES}
    assert list(groups_of(NAMES, "layer")) == ["body.0", "body.1", "head"]
    assert groups_of(NAMES, "tensor") == {name: [name] for name in NAMES}
    assert groups_of(["dense/kernel", "dense/bias"], "layer") == {
        "dense": ["dense/kernel", "dense/bias"]
    }


def test_the_first_pattern_that_matches_takes_the_tensor():
    groups = groups_of(NAMES, [r"bias$", r"^body"])
    assert groups == {
        "^body": ["body.0.weight", "body.1.weight"],
        "bias$": ["body.0.bias"],
        "(rest)": ["head"],
    }


def test_what_can_not_be_a_division_is_refused():
    with pytest.raises(ValueError, match=r"'per' parameter must be .*Got 'layers'"):
        groups_of(NAMES, "layers")
    with pytest.raises(ValueError, match=r"Got \['tail'\] without any"):
        groups_of(NAMES, ["tail"])
    with pytest.raises(ValueError, match=r"'per' parameter must hold regular expressions.*Escape"):
        groups_of(NAMES, ["("])

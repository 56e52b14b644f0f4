"""All differences in one error, and NaN named by tensor and model."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import check_finite, check_not_quantised, check_same


class Header:
    """What a file's header knows of a tensor."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype


def message(states, labels=None):
    with pytest.raises(ValueError, match="must have the same tensors") as error:
        check_same(states, labels)
    return str(error.value)


def test_equal_models_pass_in_any_order():
    states = [{"w": np.zeros((2, 3)), "b": np.zeros(2)}, {"b": np.ones(2), "w": np.ones((2, 3))}]
    check_same(states)
    check_same(states[:1])
    check_same([{"w": Header([2, 3], "F32")}, {"w": Header((2, 3), "F32")}])
    check_same([{}, {}])


def test_all_differences_are_listed_with_the_models():
    states = [
        {"w": Header((3, 4), "F32"), "b": Header((3,), "F32"), "steps": Header((), "I64")},
        {"w": Header((5, 4), "F16"), "b": Header((3,), "F32")},
        {"w": Header((3, 4), "F32"), "steps": Header((), "I64"), "extra": Header((1,), "F32")},
    ]
    text = message(states, ["a.pt", "b.pt", "c.pt"])
    assert text.splitlines() == [
        "Models must have the same tensors to be averaged. Got 5 differences:",
        "  'w': shape (3, 4) in a.pt, c.pt; (5, 4) in b.pt",
        "  'w': dtype F32 in a.pt, c.pt; F16 in b.pt",
        "  'b': missing in c.pt",
        "  'steps': missing in b.pt",
        "  'extra': missing in a.pt, b.pt",
        "Give models of one architecture, or leave out the tensors that differ.",
    ]


def test_one_difference():
    text = message([{"w": np.zeros(2)}, {"w": np.zeros(2, "f4")}])
    assert "Got 1 difference:\n  'w': dtype float64 in model 0; float32 in model 1\n" in text


def test_hundreds_of_differences_are_listed_and_models_are_counted():
    left = {f"layer.{i}": np.zeros(1) for i in range(300)}
    right = {f"module.layer.{i}": np.zeros(1) for i in range(300)}
    text = message([left, *[right] * 99])
    assert "Got 600 differences:" in text
    assert text.count("\n") == 601
    assert text.count("missing in") == 600
    assert "'layer.0': missing in model 1, model 2, model 3, model 4, model 5 and 94 more" in text


def test_no_models():
    with pytest.raises(ValueError, match="at least one model.*Got none"):
        check_same([])


def test_types_of_different_frameworks_are_compared_as_text():
    check_same([{"w": Header((1,), "torch.bfloat16")}] * 2)
    text = message([{"w": Header((1,), "torch.bfloat16")}, {"w": Header((1,), "torch.float32")}])
    assert "dtype bfloat16 in model 0; float32 in model 1" in text
    check_same([{"w": Header((1,), "torch.bfloat16")}, {"w": Header((1,), "bfloat16")}])


# ---------------------------------------------------------------- finite


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i8", "?"])
def test_finite_numbers_pass(dtype):
    extremes = np.array([0, 1])
    if np.dtype(dtype).kind == "f":
        extremes = np.array([np.finfo(dtype).max, -np.finfo(dtype).tiny, -0.0])
    check_finite([extremes.astype(dtype)] * 2, "w")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_tensor_and_the_models_are_named(value, dtype):
    good = np.zeros((2, 3), dtype)
    bad = good.copy()
    bad[1, 1] = value
    with pytest.raises(ValueError, match=r"tensor 'fc\.weight' in b\.pt, c\.pt\. Leave"):
        check_finite([good, bad, bad], "fc.weight", ["a.pt", "b.pt", "c.pt"])
    with pytest.raises(ValueError, match="in model 0 and|in model 0\\."):
        check_finite([bad, good], "fc.weight")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_shared_mask_of_infinities_passes(dtype):
    mask = np.triu(np.full((4, 4), -np.inf), 1).astype(dtype)
    check_finite([mask, mask.copy()], "attention.mask")
    with pytest.raises(ValueError, match="in model 0, model 1"):
        check_finite([mask, -mask], "attention.mask")
    holed = mask.copy()
    holed[0, 0] = np.nan
    with pytest.raises(ValueError, match="in model 0, model 1"):
        check_finite([holed, holed], "attention.mask")


def test_half_precision_of_another_byte_order_and_layout():
    array = np.array([[1, 2], [3, np.inf]], ">f2")
    check_finite([array[:, :1]], "w")
    with pytest.raises(ValueError, match="'w' in model 1"):
        check_finite([array[:, :1], array[:, 1:]], "w")


@pytest.mark.parametrize(
    ("weight", "dtype", "scale"),
    [
        ("fc.qweight", "int32", "fc.scales"),
        ("fc.weight", "int8", "fc.SCB"),
        ("fc.weight", "uint8", "fc.weight.absmax"),
        ("fc.weight", "int8", "fc.weight_scale"),
        ("fc.weight", "int8", "fc.weight_scale_inv"),
        ("fc.weight_packed", "int32", "fc.weight_scale"),
        ("mlp.gate_up_proj_blocks", "uint8", "mlp.gate_up_proj_scales"),
        ("fc.W_q", "uint8", "fc.scale"),
        ("dense/kernel", "int8", "dense/kernel_scale"),
        ("layers/dense/vars/0", "int8", "layers/dense/vars/1"),
        ("weight", "int8", "scale"),
    ],
)
def test_quantised_weights_have_no_mean(weight, dtype, scale):
    one = {weight: np.array([[1, 2]], dtype), scale: np.ones(1)}
    other = {**one, weight: one[weight] + 1}
    with pytest.raises(ValueError, match=rf"Got '{weight}' with '{scale}'.* other in b\."):
        check_not_quantised([one, other], ["a", "b"])
    check_not_quantised([one, {**one, scale: np.full(1, 3.0)}])  # of one frozen network


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "beside"),
    [
        ("attn.relative_position_index", "int64", (3, 3), "attn.logit_scale"),
        ("norm.counts", "int32", (3,), "norm.scale"),
        ("fc.weight_mask", "uint8", (3, 3), "fc.scale"),
        ("emb.position_ids", "int32", (1, 3), "emb.scale"),
        ("quant.zero_point", "int32", (3,), "quant.scale"),
        ("a.table", "int8", (3, 3), "b.scale"),
        ("fc.weight", "float32", (3, 3), "fc.weight_scale"),
        ("layers/lookup/vars/0", "int64", (3, 3), "layers/lookup/vars/1"),
    ],
)
def test_other_integers_beside_scales_are_honest(name, dtype, shape, beside):
    states = [{name: np.full(shape, i, dtype), beside: np.ones(1)} for i in range(2)]
    check_not_quantised(states)


def test_models_that_differ_in_types_alone_are_told_what_to_do():
    with pytest.raises(ValueError, match=r"float32 in model 0; float16 in model 1\nConvert the"):
        check_same([{"w": np.ones(2, "f4")}, {"w": np.ones(2, "f2")}])

"""Whole models: buffers, ties, groups, base, checks, rounding."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import (
    Dare,
    FisherMean,
    RegMean,
    TaskArithmetic,
    Ties,
    merge_states,
)


def model(seed, dtype="f4"):
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(7, 4)).astype(dtype)
    return {
        "embed.weight": embedding,
        "fc.weight": rng.normal(size=(3, 4)).astype(dtype),
        "fc.bias": rng.normal(size=3).astype(dtype),
        "norm.steps": np.array(100 * seed),
        "mask": np.array([seed % 2 == 0, True]),
        "phase": (rng.normal(size=2) + 1j * rng.normal(size=2)).astype("c8"),
        "head.weight": embedding[:],
    }


MODELS = [model(seed) for seed in (1, 2, 3)]


def test_the_mean_of_every_tensor_in_the_order_and_types_of_the_first_model():
    weights = [0.5, 0.3, 0.2]
    merged = merge_states([MODELS[0], *[dict(reversed(m.items())) for m in MODELS[1:]]],
                          weights=weights)  # fmt: skip
    assert list(merged) == list(MODELS[0])
    for name, value in merged.items():
        assert value.dtype == MODELS[0][name].dtype
        assert value.shape == MODELS[0][name].shape
    for name in ("fc.weight", "fc.bias", "phase", "embed.weight"):
        exact = np.average([m[name].astype("c16") for m in MODELS], axis=0, weights=weights)
        np.testing.assert_allclose(merged[name], exact, rtol=2e-7, atol=1e-8)
    assert merged["norm.steps"] == 300
    np.testing.assert_array_equal(merged["mask"], [False, True])


def test_models_are_left_alone_and_share_nothing_with_the_result():
    before = [{name: value.copy() for name, value in m.items()} for m in MODELS]
    merged = merge_states(MODELS[:1])
    for value in merged.values():
        value[...] = 0
    for old, new in zip(before, MODELS, strict=True):
        for name in old:
            np.testing.assert_array_equal(old[name], new[name])


def test_majority_and_newest_first():
    assert merge_states(MODELS, newest="first")["norm.steps"] == 100
    np.testing.assert_array_equal(merge_states(MODELS, buffer="majority")["mask"], [False, True])
    linear = merge_states(MODELS, weights="linear", newest="first")
    turned = merge_states(MODELS[::-1], weights="linear")
    for name in linear:
        np.testing.assert_array_equal(linear[name], turned[name])


def test_tied_tensors_stay_tied():
    merged = merge_states(MODELS)
    assert merged["head.weight"] is merged["embed.weight"]


def test_tensors_that_are_tied_in_some_models_only_are_merged_apart():
    untied = {**MODELS[1], "head.weight": np.ones((7, 4), "f4")}
    merged = merge_states([MODELS[0], untied])
    assert not np.shares_memory(merged["head.weight"], merged["embed.weight"])
    np.testing.assert_allclose(
        merged["head.weight"], (MODELS[0]["head.weight"] + 1) / 2, rtol=1e-6, atol=1e-7
    )


def test_tied_tensors_cannot_have_different_weights():
    with pytest.raises(ValueError, match=r"Tied tensors .*'embed\.weight' and .*'head\.weight'"):
        merge_states(MODELS, weights={"^head": [1, 0, 0]})
    merge_states(MODELS, weights={"^(head|embed)": [1, 0, 0]})


def test_weights_by_group():
    merged = merge_states(MODELS, weights={"^fc": [0, 0, 1]})
    np.testing.assert_array_equal(merged["fc.weight"], MODELS[2]["fc.weight"])
    np.testing.assert_array_equal(merged["phase"], merge_states(MODELS)["phase"])


def test_all_differences_come_first():
    other = {**MODELS[1], "fc.weight": np.zeros((4, 4), "f8"), "extra": np.zeros(1)}
    del other["fc.bias"]
    with pytest.raises(ValueError, match="Got 4 differences") as error:
        merge_states([MODELS[0], other], labels=["a", "b"])
    for part in ("(3, 4) in a; (4, 4) in b", "float32 in a; float64 in b",
                 "'fc.bias': missing in b", "'extra': missing in a"):  # fmt: skip
        assert part in str(error.value)


def test_a_base_is_compared_too_and_only_where_it_is_needed():
    base = {name: value for name, value in MODELS[0].items() if name != "phase"}
    with pytest.raises(ValueError, match="'phase': missing in base"):
        merge_states(MODELS, rule="ties", base=base)
    merge_states(MODELS, rule="slerp", base=base)
    with pytest.raises(ValueError, match="needs the model that all models were fine-tuned from"):
        merge_states(MODELS, rule="ties")


def test_nan_is_named_unless_it_does_not_count():
    broken = {**MODELS[1], "fc.bias": np.array([0, np.nan, 0], "f4")}
    models = [MODELS[0], broken, MODELS[2]]
    with pytest.raises(ValueError, match=r"tensor 'fc\.bias' in b\. Leave"):
        merge_states(models, labels=["a", "b", "c"])
    merged = merge_states(models, weights=[0.5, 0, 0.5])
    assert np.isfinite(merged["fc.bias"]).all()
    with pytest.raises(ValueError, match=r"tensor 'fc\.bias' in base"):
        merge_states(MODELS, rule="task_arithmetic", base=broken)


def test_infinities_that_all_models_share_stay():
    states = [{"mask": np.array([0, -np.inf], "f2"), "w": np.ones(1, "f2")}] * 2
    np.testing.assert_array_equal(merge_states(states)["mask"], [0, -np.inf])


def test_a_result_beyond_the_range_warns():
    states = [{"w": np.array([60000], "f2")}] * 2
    with pytest.warns(RuntimeWarning, match="beyond the range of float16"):
        merged = merge_states(states, rule=TaskArithmetic(scale=3.0), base={"w": np.zeros(1, "f2")})
    assert np.isinf(merged["w"][0])


@pytest.mark.parametrize("rule", [Ties(0.5), Dare(0.5), TaskArithmetic(0.7)])
def test_rules_with_a_base_are_applied_tensor_by_tensor(rule):
    base = model(9)
    weights = np.array([0.2, 0.3, 0.5])
    merged = merge_states(MODELS, weights=weights, rule=rule, base=base)
    expected = rule(
        [m["fc.weight"] for m in MODELS], weights, base=base["fc.weight"], name="fc.weight"
    )
    np.testing.assert_array_equal(merged["fc.weight"], expected.astype("f4"))


def test_rules_with_statistics_are_bound_to_the_models():
    rng = np.random.default_rng(0)
    rows = [np.column_stack([rng.normal(size=(20, 4)), np.ones(20)]) for _ in MODELS]
    rule = RegMean([{"fc.weight": x.T @ x} for x in rows], shrink=1.0, ridge=1e-12)
    merged = merge_states(MODELS, rule=rule)
    targets = [
        x @ np.vstack([m["fc.weight"].T, m["fc.bias"]]) for x, m in zip(rows, MODELS, strict=True)
    ]
    expected = np.linalg.lstsq(np.vstack(rows), np.vstack(targets), rcond=None)[0]
    np.testing.assert_allclose(merged["fc.weight"], expected[:-1].T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(merged["fc.bias"], expected[-1], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"Got \['fc\.kernel'\], which the models do not have"):
        merge_states(MODELS, rule=FisherMean([{"fc.kernel": np.ones((3, 4))}] * 3))


def test_labels_of_the_wrong_number():
    with pytest.raises(ValueError, match=r"name each of 3 models\. Got \['a'\]"):
        merge_states(MODELS, labels=["a"])

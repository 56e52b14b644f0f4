"""The weighted mean and the Fisher-weighted mean."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import FisherMean, WeightedMean
from stackens.weight_averaging.rules._arithmetic import BLOCK


def test_weighted_mean():
    rng = np.random.default_rng(0)
    arrays = list(rng.normal(size=(3, 4, 5)))
    weights = [0.2, 0.3, 0.5]
    np.testing.assert_allclose(
        WeightedMean()(arrays, weights), np.average(arrays, axis=0, weights=weights)
    )


def test_weighted_mean_extrapolates():
    arrays = [np.array([1.0]), np.array([2.0])]
    np.testing.assert_allclose(WeightedMean()(arrays, [-0.5, 1.5]), 2.5)


def problem(seed=0, shape=(3, BLOCK), dtype="f4"):
    rng = np.random.default_rng(seed)
    arrays = [a.astype(dtype) for a in rng.normal(size=(3, *shape))]
    statistics = [{"w": rng.exponential(size=shape), "v": np.ones(2)} for _ in range(3)]
    return arrays, statistics


def test_fisher_is_equation_4():
    arrays, statistics = problem()
    weights = np.array([0.2, 0.3, 0.5])
    information = [w * s["w"] for w, s in zip(weights, statistics, strict=True)]
    expected = sum(f * a for f, a in zip(information, arrays, strict=True)) / sum(information)
    result = FisherMean(statistics)(arrays, weights, name="w")
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)


def test_fisher_slices_its_statistics_by_offset():
    arrays, statistics = problem()
    rule = FisherMean(statistics)
    weights = [0.2, 0.3, 0.5]
    whole = rule(arrays, weights, name="w")
    flat = [a.reshape(-1) for a in arrays]
    pieces = [
        rule([a[i : i + 1000] for a in flat], weights, name="w", offset=i)
        for i in range(0, whole.size, 1000)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces).reshape(whole.shape), whole)


def test_fisher_falls_back_to_the_mean_where_nothing_is_known():
    arrays, statistics = problem(shape=(10,))
    for model in statistics:
        model["w"][::2] = 0.0
    weights = [0.2, 0.3, 0.5]
    rule, mean = FisherMean(statistics), WeightedMean()(arrays, weights)
    result = rule(arrays, weights, name="w")
    np.testing.assert_array_equal(result[::2], mean[::2])
    assert (result[1::2] != mean[1::2]).all()
    np.testing.assert_array_equal(rule(arrays, weights, name="buffer"), mean)


def test_fisher_ignores_models_of_weight_zero_and_shared_infinities():
    arrays, statistics = problem(shape=(4,))
    for array in arrays:
        array[0] = -np.inf
    expected = FisherMean(statistics[1:])(arrays[1:], [0.4, 0.6], name="w")
    statistics[0]["w"][:] = np.nan
    arrays[0][1:] = np.nan
    result = FisherMean(statistics)(arrays, [0, 0.4, 0.6], name="w")
    np.testing.assert_array_equal(result, expected)
    assert result[0] == -np.inf


def test_normalise_divides_by_the_norm_over_all_tensors():
    arrays, statistics = problem(shape=(50,))
    loud = [{name: 1e6 * values for name, values in statistics[0].items()}, *statistics[1:]]
    weights = np.full(3, 1 / 3)
    quiet = FisherMean(statistics, normalise=True)(arrays, weights, name="w")
    np.testing.assert_allclose(
        FisherMean(loud, normalise=True)(arrays, weights, name="w"), quiet, rtol=1e-12
    )
    assert np.abs(FisherMean(loud)(arrays, weights, name="w") - arrays[0]).max() < 1e-3
    norms = [np.sqrt((s["w"] ** 2).sum() + (s["v"] ** 2).sum()) for s in statistics]
    by_hand = [{"w": s["w"] / norm} for s, norm in zip(statistics, norms, strict=True)]
    np.testing.assert_allclose(
        FisherMean(by_hand)(arrays, weights, name="w"), quiet, rtol=1e-12, atol=1e-15
    )


def test_a_model_without_any_information_can_be_normalised():
    nothing = [{"w": np.zeros(2)}, {"w": np.ones(2)}]
    result = FisherMean(nothing, normalise=True)([np.zeros(2), np.ones(2)], [0.5, 0.5], name="w")
    np.testing.assert_array_equal(result, [1, 1])


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_information_is_named(bad):
    arrays, statistics = problem(shape=(4,))
    statistics[1]["w"][2] = bad
    with pytest.raises(ValueError, match="at least zero. Got others for tensor 'w' of model 1"):
        FisherMean(statistics)(arrays, np.full(3, 1 / 3), name="w")


def test_fisher_refuses_negative_weights():
    arrays, statistics = problem(shape=(4,))
    with pytest.raises(ValueError, match="FisherMean takes no negative weights"):
        FisherMean(statistics)(arrays, [1, 1, -1], name="w")


def test_bind_compares_shapes():
    arrays, statistics = problem(shape=(2, 3))
    states = [{"w": a, "v": np.zeros(2), "buffer": np.zeros(1)} for a in arrays]
    rule = FisherMean(statistics)
    assert rule.bind(states) is rule
    statistics[2]["w"] = np.ones((3, 2))
    with pytest.raises(ValueError, match=r"Got \(3, 2\) for tensor 'w' of shape \(2, 3\) of mod"):
        rule.bind(states)
    with pytest.raises(ValueError, match="of each model. Got 3 of them for 2"):
        rule.bind(states[:2])


def test_repr_shows_parameters_but_no_arrays():
    assert repr(FisherMean([{"w": np.zeros(1000)}])) == "FisherMean(normalise=False)"

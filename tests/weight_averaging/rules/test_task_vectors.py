"""Task arithmetic, TIES and DARE against their formulas."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import Dare, ModelStock, TaskArithmetic, Ties, WeightedMean
from stackens.weight_averaging.rules._arithmetic import BLOCK


def problem(n=3, shape=(4, 25), dtype="f8", seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=shape).astype(dtype)
    return [(base + rng.normal(size=shape)).astype(dtype) for _ in range(n)], base


# ---------------------------------------------------------------- task arithmetic


@pytest.mark.parametrize("scale", [-0.5, 0.0, 0.3, 1.0, 2.0])
def test_task_arithmetic(scale):
    arrays, base = problem()
    weights = np.array([0.2, 0.3, 0.5])
    expected = base + scale * sum(w * (a - base) for w, a in zip(weights, arrays, strict=True))
    result = TaskArithmetic(scale)(arrays, weights, base=base)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)


def test_task_arithmetic_covers_the_sum_with_one_factor_each():
    arrays, base = problem()
    factors = np.array([0.4, 0.1, 0.3])
    expected = base + sum(f * (a - base) for f, a in zip(factors, arrays, strict=True))
    result = TaskArithmetic(scale=factors.sum())(arrays, factors / factors.sum(), base=base)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)


def test_task_arithmetic_at_scale_one_is_the_mean_to_the_bit():
    arrays, base = problem()
    weights = [0.2, 0.3, 0.5]
    np.testing.assert_array_equal(
        TaskArithmetic()(arrays, weights, base=base), WeightedMean()(arrays, weights)
    )


@pytest.mark.parametrize("rule", [TaskArithmetic, Ties])
@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_bad_scale(rule, scale):
    with pytest.raises(ValueError, match=f"'scale' parameter of {rule.__name__} must be finite"):
        rule(scale=scale)


# ---------------------------------------------------------------- TIES


def ties_by_sorting(arrays, base, density, scale, weights):
    """Algorithm 1 of the paper, element by element."""
    deltas = []
    for array in arrays:
        delta = (array - base).ravel()
        kept = np.argsort(-np.abs(delta))[: int(np.ceil(density * delta.size))]
        trimmed = np.zeros_like(delta)
        trimmed[kept] = delta[kept]
        deltas.append(trimmed)
    merged = np.zeros(base.size)
    for i in range(base.size):
        values = np.array([delta[i] for delta in deltas])
        sign = np.sign(weights @ values)
        agreeing = (np.sign(values) == sign) & (values != 0)
        if agreeing.any():
            merged[i] = weights[agreeing] @ values[agreeing] / weights[agreeing].sum()
    return base + scale * merged.reshape(base.shape)


@pytest.mark.parametrize("density", [0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("weights", [[1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]])
def test_ties_is_algorithm_1(weights, density):
    arrays, base = problem()
    weights = np.array(weights)
    expected = ties_by_sorting(arrays, base, density, 0.7, weights)
    result = Ties(density, scale=0.7)(arrays, weights, base=base)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)


def test_ties_over_several_blocks():
    arrays, base = problem(n=2, shape=(2 * BLOCK + 5,))
    weights = np.array([0.5, 0.5])
    result = Ties(0.1)(arrays, weights, base=base)
    changed = np.count_nonzero(result != base)
    assert 0.1 * base.size <= changed <= 0.2 * base.size + 2
    deltas = [a - base for a in arrays]
    least = [np.sort(np.abs(d))[-int(np.ceil(0.1 * d.size))] for d in deltas]
    trimmed = [np.where(np.abs(d) >= t, d, 0) for d, t in zip(deltas, least, strict=True)]
    agree = np.sign(trimmed[0]) * np.sign(trimmed[1])
    both = agree > 0
    np.testing.assert_allclose(result[both], base[both] + (trimmed[0] + trimmed[1])[both] / 2)
    only = (trimmed[0] != 0) & (trimmed[1] == 0)
    np.testing.assert_allclose(result[only], arrays[0][only])


def test_ties_with_votes_that_cancel_stays_at_the_base():
    base = np.array([5.0, 5.0])
    result = Ties(1.0)([base + np.array([1, 2]), base + np.array([-1, 2])], [0.5, 0.5], base=base)
    np.testing.assert_array_equal(result, [5, 7])


def test_ties_keeps_differences_as_large_as_the_smallest_kept():
    base = np.zeros(4)
    np.testing.assert_array_equal(Ties(0.25)([np.ones(4)], [1.0], base=base), np.ones(4))


def test_ties_takes_the_parts_of_complex_numbers_one_by_one():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3, 20, 2))
    as_complex = list(real.view("c16")[..., 0])
    result = Ties(0.3)(as_complex[:2], [0.5, 0.5], base=as_complex[2])
    expected = Ties(0.3)(list(real[:2]), [0.5, 0.5], base=real[2])
    np.testing.assert_array_equal(result.view("f8").reshape(20, 2), expected)


def test_ties_does_not_lose_tiny_votes():
    result = Ties(1.0)([np.array([1e-200]), np.array([2e-200])], [0.5, 0.5], base=np.zeros(1))
    assert result[0] == pytest.approx(1.5e-200)


def test_ties_ignores_models_of_weight_zero():
    arrays, base = problem(n=2)
    expected = Ties()(arrays, [0.5, 0.5], base=base)
    broken = np.full_like(base, np.nan)
    result = Ties()([broken, *arrays], [0, 0.5, 0.5], base=base)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("density", [0, -0.1, 1.1, np.nan])
def test_bad_density(density):
    with pytest.raises(ValueError, match="'density' parameter of Ties"):
        Ties(density)


def test_ties_refuses_negative_weights():
    with pytest.raises(ValueError, match="Ties takes no negative weights"):
        Ties()([np.ones(2), np.ones(2)], [1.5, -0.5], base=np.zeros(2))


# ---------------------------------------------------------------- DARE


def kept(rule, size=100_000, name="w", n=1, **arguments):
    """Which differences a rule keeps, for models one above the base, as (n, size)."""
    masks = []
    for model in range(n):
        weights = np.eye(n)[model]
        result = rule([np.ones(size)] * n, weights, base=np.zeros(size), name=name, **arguments)
        masks.append(result != 0)
    return np.array(masks)


@pytest.mark.parametrize("drop_rate", [0.1, 0.5, 0.9, 0.99])
def test_dare_drops_at_the_rate_and_rescales_the_others(drop_rate):
    result = Dare(drop_rate)([np.full(100_000, 3.0)], [1.0], base=np.ones(100_000), name="w")
    assert set(np.unique(result)) == {1.0, 1.0 + 2.0 / (1 - drop_rate)}
    deviation = np.sqrt(drop_rate * (1 - drop_rate) / 100_000)
    assert abs((result == 1.0).mean() - drop_rate) < 4 * deviation
    # Unbiased: what is dropped is made good by what is rescaled.
    assert result.mean() == pytest.approx(3.0, abs=8 * deviation / (1 - drop_rate))


def test_dare_draws_anew_for_seed_model_and_name():
    first = kept(Dare(0.5), n=2)
    others = [first[1], kept(Dare(0.5, random_state=1))[0], kept(Dare(0.5), name="v")[0]]
    for other in others:
        assert abs((first[0] == other).mean() - 0.5) < 0.01
    np.testing.assert_array_equal(kept(Dare(0.5), n=2), first)


def test_dare_is_the_same_in_pieces_of_any_size():
    rule = Dare(0.7, random_state=3)
    arrays, base = problem(n=2, shape=(BLOCK + 100,))
    whole = rule(arrays, [0.4, 0.6], base=base, name="w")
    for size in (1, 3, 8, 1000):
        span = slice(0, 50 * size)
        pieces = [
            rule([a[i : i + size] for a in arrays], [0.4, 0.6], base=base[i : i + size],
                 name="w", offset=i)
            for i in range(0, 50 * size, size)
        ]  # fmt: skip
        np.testing.assert_array_equal(np.concatenate(pieces)[: len(whole)], whole[span])
    tail = rule([a[BLOCK:] for a in arrays], [0.4, 0.6], base=base[BLOCK:], name="w", offset=BLOCK)
    np.testing.assert_array_equal(tail, whole[BLOCK:])


def test_dare_has_these_bits_everywhere():
    # The first 16 of one key, so that another platform or numpy would show.
    bits = kept(Dare(0.5, random_state=42), size=16, name="layer.weight")[0]
    assert "".join("01"[int(bit)] for bit in bits) == "1011000011110010"


def test_dare_can_be_followed_by_another_rule():
    arrays, base = problem()
    weights = np.full(3, 1 / 3)
    rule = Dare(0.5, then=Ties(0.5))
    assert not rule.elementwise
    assert Dare().elementwise
    sparse = [Dare(0.5)(arrays, np.eye(3)[model], base=base, name="w") - base for model in range(3)]
    expected = base + Ties(0.5)(sparse, weights, base=np.zeros_like(base))
    np.testing.assert_allclose(rule(arrays, weights, base=base, name="w"), expected, atol=1e-12)
    assert Dare(then=ModelStock()).bind([{}]) == Dare(then=ModelStock())


def test_dare_without_dropping_is_task_arithmetic():
    arrays, base = problem()
    weights = [0.2, 0.3, 0.5]
    result = Dare(0.0, then=TaskArithmetic(0.5))(arrays, weights, base=base)
    expected = TaskArithmetic(0.5)(arrays, weights, base=base)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14)


def test_dare_ignores_models_of_weight_zero_without_changing_the_others():
    arrays, base = problem(n=2)
    expected = Dare()([*arrays, base], [0.5, 0.5, 0.0], base=base, name="w")
    broken = np.full_like(base, np.nan)
    result = Dare()([*arrays, broken], [0.5, 0.5, 0.0], base=base, name="w")
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("drop_rate", [-0.1, 1, np.nan])
def test_bad_drop_rate(drop_rate):
    with pytest.raises(ValueError, match="'drop_rate' parameter of Dare"):
        Dare(drop_rate)


def test_a_drop_rate_next_to_one():
    assert not kept(Dare(1 - 1e-12), size=1000).any()


def test_the_kept_share_is_not_one_more_by_rounding():
    deltas = np.arange(1.0, 31.0)  # 0.1 * 30 is 3.0000000000000004
    merged = Ties(density=0.1)([deltas], np.ones(1), base=np.zeros(30))
    assert np.flatnonzero(merged).tolist() == [27, 28, 29]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Ties(density="half"), ValueError),
        (lambda: Dare(drop_rate=None), ValueError),
        (lambda: Dare(random_state=None), TypeError),
        (lambda: Dare(then="ties"), TypeError),
        (lambda: TaskArithmetic("2"), ValueError),
    ],
)
def test_parameters_of_other_types_are_refused_when_the_rule_is_made(make, error):
    with pytest.raises(error, match=r"parameter of \w+ must be .*Got .*Give"):
        make()

"""What every averaging rule keeps to, whatever it does.

- Averaging a model with itself gives that model: exactly in half and single precision, and up to
  rounding in double; for TIES with everything kept, for DARE with nothing dropped, and for all of
  them, to the bit, where the model is its own base.
- The type is kept, for real and complex tensors and buffers alike.
- Permuting models together with their weights changes nothing but rounding (DARE draws by place).
- A model of weight zero does not count.
- Elementwise rules give the same bits for a whole tensor and for pieces of it.
"""

import itertools

import numpy as np
import pytest

from stackens.weight_averaging import average
from stackens.weight_averaging.rules import (
    RULES,
    Dare,
    FisherMean,
    ModelStock,
    RegMean,
    Slerp,
    TaskArithmetic,
    Ties,
    WeightedMean,
    rounded,
)
from stackens.weight_averaging.rules._arithmetic import BLOCK

SHAPES = {"fc.weight": (6, 5), "fc.bias": (6,), "norm.scale": (), "conv": (4, 3, 2, 2)}
N = 4
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4])


def random_state(seed, dtype):
    rng = np.random.default_rng(seed)
    state = {}
    for name, shape in SHAPES.items():
        values = rng.normal(size=shape)
        if np.dtype(dtype).kind == "c":
            values = values + 1j * rng.normal(size=shape)
        state[name] = np.asarray(values, dtype)
    return {**state, "steps": np.array(seed), "mask": np.array([seed % 2 == 0])}


def fisher(n=N):
    rng = np.random.default_rng(0)
    return FisherMean(
        [{name: rng.exponential(size=shape) for name, shape in SHAPES.items()} for _ in range(n)]
    )


def regmean(n=N):
    rng = np.random.default_rng(0)
    rows = [np.column_stack([rng.normal(size=(30, 5)), np.ones(30)]) for _ in range(n)]
    return RegMean([{"fc.weight": x.T @ x} for x in rows])


# Every rule, in settings in which a model averaged with itself is that model.
FAITHFUL = {
    "mean": WeightedMean(),
    "fisher": fisher(),
    "regmean": regmean(),
    "slerp": Slerp(),
    "task_arithmetic": TaskArithmetic(),
    "ties": Ties(density=1.0),
    "dare": Dare(drop_rate=0.0),
    "model_stock": ModelStock(),
}
# And in others, in which that holds only where the model is its own base.
LOSSY = {"ties": Ties(0.3), "dare": Dare(0.5), "task_arithmetic": TaskArithmetic(0.3)}
ALL = {
    **FAITHFUL,
    **{f"{name}, lossy": rule for name, rule in LOSSY.items()},
    "dare, then ties": Dare(0.5, then=Ties(0.5)),
}
every_rule = pytest.mark.parametrize("rule", ALL.values(), ids=ALL)
every_type = pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])


def test_the_laws_run_over_every_rule():
    assert set(FAITHFUL) == set(RULES)
    assert {type(rule) for rule in ALL.values()} == set(RULES.values())


@every_type
@pytest.mark.parametrize("rule", FAITHFUL.values(), ids=FAITHFUL)
def test_a_model_averaged_with_itself_is_that_model(rule, dtype):
    state, base = random_state(1, dtype), random_state(2, dtype)
    for weights in ("equal", WEIGHTS):
        merged = average([state] * N, weights=weights, rule=rule, base=base)
        for name, value in state.items():
            if dtype in ("f8", "c16"):
                np.testing.assert_allclose(merged[name], value, rtol=0, atol=4e-15)
            else:
                np.testing.assert_array_equal(merged[name], value)


@every_type
@pytest.mark.parametrize(
    "rule", [WeightedMean(), FAITHFUL["fisher"], FAITHFUL["regmean"], TaskArithmetic()], ids=str
)
def test_means_of_one_model_are_exact_in_double_precision_too(rule, dtype):
    state, base = random_state(1, dtype), random_state(2, dtype)
    merged = average([state] * N, weights=WEIGHTS, rule=rule, base=base)
    for name, value in state.items():
        np.testing.assert_array_equal(merged[name], value)


@every_type
@every_rule
def test_models_that_never_left_their_base_are_the_base_to_the_bit(rule, dtype):
    state = random_state(1, dtype)
    merged = average([state] * N, weights=WEIGHTS, rule=rule, base=state)
    for name, value in state.items():
        if rule == Slerp() and dtype in ("f8", "c16"):  # it has no base, and takes roots
            np.testing.assert_allclose(merged[name], value, rtol=4e-15)
        else:
            np.testing.assert_array_equal(merged[name], value)


@every_type
@every_rule
def test_types_are_kept(rule, dtype):
    states = [random_state(seed, dtype) for seed in range(1, N + 1)]
    merged = average(states, weights=WEIGHTS, rule=rule, base=random_state(0, dtype))
    for name, value in states[0].items():
        assert merged[name].dtype == value.dtype
        assert merged[name].shape == value.shape
    assert merged["steps"] == N
    assert np.isfinite(merged["fc.weight"]).all()


@every_type
@every_rule
def test_rules_return_double_precision_for_one_rounding(rule, dtype):
    states = [random_state(seed, dtype) for seed in range(1, N + 1)]
    base = random_state(0, dtype)
    bound = rule.bind(states)
    for name in SHAPES:
        result = bound([s[name] for s in states], WEIGHTS, base=base[name], name=name)
        assert result.dtype == ("c16" if np.dtype(dtype).kind == "c" else "f8")
        assert rounded(result, dtype).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    "rule", [rule for rule in ALL.values() if not isinstance(rule, Dare)], ids=str
)
def test_permuting_models_with_their_weights_changes_only_rounding(rule):
    states = [random_state(seed, "f8") for seed in range(1, N + 1)]
    base, order = random_state(0, "f8"), [2, 0, 3, 1]
    permuted = rule
    if isinstance(rule, FisherMean):
        permuted = FisherMean([rule.statistics[i] for i in order])
    if isinstance(rule, RegMean):
        permuted = RegMean([rule.grams[i] for i in order])
    before = average(states, weights=WEIGHTS, rule=rule, base=base)
    after = average([states[i] for i in order], weights=WEIGHTS[order], rule=permuted, base=base)
    for name in SHAPES:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-10, atol=1e-12)


@every_rule
def test_a_model_of_weight_zero_does_not_count(rule):
    states = [random_state(seed, "f4") for seed in range(1, N + 1)]
    base = random_state(0, "f4")
    broken = {name: np.full_like(states[0][name], np.nan) for name in SHAPES}
    weights = [0.2, 0.3, 0.5, 0.0]
    before = average(states, weights=weights, rule=rule, base=base)
    after = average([*states[:3], {**states[3], **broken}], weights=weights, rule=rule, base=base)
    fewer = rule
    if isinstance(rule, FisherMean):
        fewer = FisherMean(rule.statistics[:3])
    if isinstance(rule, RegMean):
        fewer = RegMean(rule.grams[:3])
    without = average(states[:3], weights=weights[:3], rule=fewer, base=base)
    for name in SHAPES:
        np.testing.assert_array_equal(after[name], before[name])
        np.testing.assert_allclose(without[name], before[name], rtol=1e-6, atol=1e-6)


@every_type
@pytest.mark.parametrize("rule", [rule for rule in ALL.values() if rule.elementwise], ids=str)
def test_elementwise_rules_give_the_same_bits_in_pieces(rule, dtype):
    rng = np.random.default_rng(0)
    size = BLOCK + 3000
    arrays = [rng.normal(size=size).astype(dtype) for _ in range(N)]
    base = rng.normal(size=size).astype(dtype)
    if isinstance(rule, FisherMean):
        rule = FisherMean([{"w": rng.exponential(size=size)} for _ in range(N)])
    whole = rule(arrays, WEIGHTS, base=base, name="w")
    cuts = [0, 1, 7, 1000, BLOCK - 5, BLOCK + 2, size]
    pieces = [
        rule([a[i:j] for a in arrays], WEIGHTS, base=base[i:j], name="w", offset=i)
        for i, j in itertools.pairwise(cuts)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@every_rule
def test_arguments_are_not_written_to(rule):
    states = [random_state(seed, "f8") for seed in range(1, N + 1)]
    base = random_state(0, "f8")
    for state in (*states, base):
        for value in state.values():
            value.flags.writeable = False
    weights = WEIGHTS.copy()
    weights.flags.writeable = False
    average(states, weights=weights, rule=rule, base=base)

"""Schedules: formulas, order, sums, and what is refused."""

from functools import partial

import numpy as np
import pytest

import stackens as se
from stackens import schedules

SIZED = {
    "equal": schedules.equal,
    "linear": schedules.linear,
    "exponential": schedules.exponential,
    "exponential, steep": partial(schedules.exponential, decay=1e-3),
    "exponential, flat": partial(schedules.exponential, decay=1e6),
    "ema": partial(schedules.ema, decay=0.9),
    "ema, newest only": partial(schedules.ema, decay=0.0),
}


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("schedule", SIZED.values(), ids=SIZED)
def test_every_schedule_returns_weights_that_sum_to_one(schedule, n):
    weights = schedule(n)
    assert weights.shape == (n,)
    assert weights.dtype == np.float64
    assert (weights >= 0).all()
    assert weights[-1] > 0
    assert abs(weights.sum() - 1) <= n * np.finfo(float).eps
    np.testing.assert_array_equal(schedule(n, newest="first"), weights[::-1])


def test_formulas():
    np.testing.assert_allclose(schedules.equal(5), 0.2, rtol=1e-15)
    np.testing.assert_allclose(schedules.linear(4), np.array([1, 2, 3, 4]) / 10, rtol=1e-15)
    newest_first = np.exp(-np.arange(1, 11) / 2.0)
    np.testing.assert_allclose(
        schedules.exponential(10, newest="first"), newest_first / newest_first.sum(), rtol=1e-14
    )


@pytest.mark.parametrize("name", ["linear", "exponential"])
def test_the_newest_is_last_and_heaviest(name):
    assert (np.diff(schedules.SCHEDULES[name](10)) > 0).all()


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.999])
def test_ema_is_the_running_average_that_starts_at_the_oldest(decay):
    checkpoints = np.random.default_rng(0).normal(size=12)
    average = checkpoints[0]
    for checkpoint in checkpoints[1:]:
        average = decay * average + (1 - decay) * checkpoint
    assert schedules.ema(12, decay) @ checkpoints == pytest.approx(average, abs=1e-14)


def test_ema_without_what_is_left_at_the_oldest_is_exponential():
    weights = schedules.ema(6, 0.8)[1:]
    expected = schedules.exponential(5, -1 / np.log(0.8))
    np.testing.assert_allclose(weights / weights.sum(), expected)


def test_by_score():
    scores = np.array([0.8, 0.9, 0.7])
    np.testing.assert_allclose(schedules.by_score(scores), scores / 2.4)
    softmax = np.exp(scores / 0.1) / np.exp(scores / 0.1).sum()
    np.testing.assert_allclose(schedules.by_score(scores, "softmax", temperature=0.1), softmax)
    np.testing.assert_allclose(schedules.by_score(scores, np.square), scores**2 / 1.94)
    np.testing.assert_array_equal(scores, [0.8, 0.9, 0.7])


def test_by_score_takes_what_overflows_and_negative_losses_in_softmax():
    weights = schedules.by_score([-1e5, -1e5 - 1, -2e5], "softmax")
    np.testing.assert_allclose(weights, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0])
    np.testing.assert_allclose(schedules.by_score([1e308, 1e308]), 0.5)
    np.testing.assert_allclose(schedules.by_score([1e-310, 3e-310]), [0.25, 0.75])


def test_by_score_keeps_a_zero():
    np.testing.assert_array_equal(schedules.by_score([0.0, 0.5]), [0.0, 1.0])


def test_a_function_of_scores_cannot_change_them():
    def spoil(scores):
        scores[:] = 1.0
        return scores

    scores = np.array([1.0, 3.0])
    schedules.by_score(scores, spoil)
    np.testing.assert_array_equal(scores, [1.0, 3.0])


@pytest.mark.parametrize("schedule", SIZED.values(), ids=SIZED)
@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), ("two", TypeError)]
)
def test_wrong_counts_are_refused(schedule, n, error):
    with pytest.raises(error, match=r"number of checkpoints must be .*Got .*len\(checkpoints\)"):
        schedule(n)


@pytest.mark.parametrize("schedule", SIZED.values(), ids=SIZED)
def test_an_unknown_order_is_refused(schedule):
    with pytest.raises(ValueError, match="'newest' parameter must be 'last' or 'first'"):
        schedule(3, newest="middle")


@pytest.mark.parametrize("decay", [0, -1.0, np.nan, np.inf])
def test_exponential_refuses_a_bad_decay(decay):
    with pytest.raises(ValueError, match="'decay' parameter of exponential"):
        schedules.exponential(3, decay)


@pytest.mark.parametrize("decay", [-0.1, 1, 1.5, np.nan])
def test_ema_refuses_a_bad_decay(decay):
    with pytest.raises(ValueError, match="'decay' parameter of ema"):
        schedules.ema(3, decay)


@pytest.mark.parametrize(
    ("scores", "arguments", "what"),
    [
        ([], {}, r"one score for each model\. Got shape \(0,\)"),
        (0.5, {}, r"one score for each model\. Got shape \(\)"),
        ([[0.5, 0.5]], {}, r"one score for each model\. Got shape \(1, 2\)"),
        ([0.5, np.nan], {}, "must be finite"),
        ([0.5, np.inf], {"function": "softmax"}, "must be finite"),
        ([0.5, -0.1], {}, "must not be negative.*softmax"),
        ([0, 0], {}, "all zero"),
        ([0.5, 0.5], {"function": np.zeros_like}, "all zero"),
        ([0.5, 0.5], {"function": np.negative}, "weight of at least zero"),
        ([0.5, 0.5], {"function": np.sum}, "for each of 2 scores"),
        ([0.5, 0.5], {"function": lambda s: s * np.nan}, "finite weight"),
        ([0.5, 0.5], {"function": "sofmax"}, "Got 'sofmax'"),
        ([0.5, 0.5], {"function": "softmax", "temperature": 0}, "'temperature' parameter"),
        ([0.5, 0.5], {"function": "softmax", "temperature": np.nan}, "'temperature' parameter"),
    ],
)
def test_bad_scores_are_refused(scores, arguments, what):
    with pytest.raises(ValueError, match=what):
        schedules.by_score(scores, **arguments)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="'scores' parameter must be numbers"):
        schedules.by_score(["good", "bad"])


@pytest.mark.parametrize("newest", ["last", "first"])
@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_resolve_gives_a_name_the_bits_of_its_schedule(name, newest):
    for n in (1, 2, 7, 100):
        expected = schedules.SCHEDULES[name](n, newest=newest)
        np.testing.assert_array_equal(schedules.resolve(name, n, newest=newest), expected)


def test_resolve_turns_a_schedule_round_but_not_an_array():
    steep = partial(schedules.exponential, decay=1.0)
    np.testing.assert_array_equal(
        schedules.resolve(steep, 3, newest="first"), schedules.exponential(3, 1.0)[::-1]
    )
    np.testing.assert_allclose(schedules.resolve([1, 3], 2, newest="first"), [0.25, 0.75])
    own = schedules.resolve(lambda n: np.arange(n), 3)
    np.testing.assert_allclose(own, [0, 1 / 3, 2 / 3])


def test_resolve_takes_a_zero_weight_and_leaves_arguments_alone():
    weights = np.array([0.0, 3.0, 1.0])
    np.testing.assert_array_equal(schedules.resolve(weights, 3), [0.0, 0.75, 0.25])
    np.testing.assert_array_equal(weights, [0.0, 3.0, 1.0])
    exact = schedules.linear(3)
    assert schedules.resolve(exact, 3) is not exact


def test_resolve_takes_negative_weights_that_sum_to_one():
    np.testing.assert_allclose(schedules.resolve([1.5, -0.5], 2), [1.5, -0.5])


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ("quadratic", r"one of \['equal', 'exponential', 'linear'\].*Got 'quadratic'"),
        ("ema", r"functools\.partial\(schedules\.ema"),
        ([1, 2, 3], r"shape \(2,\).*Got shape \(3,\)"),
        ([[1, 2]], r"shape \(2,\).*Got shape \(1, 2\)"),
        (1.0, r"shape \(2,\).*Got shape \(\)"),
        (None, r"shape \(2,\).*Got shape \(\)"),
        ([1, np.nan], "must be finite"),
        ([np.inf, 1], "must be finite"),
        ([2, -0.5], "may be below zero only"),
        ([-1, -1], "may be below zero only"),
        ([0, 0], "must not be all zero"),
        (lambda n: np.ones(n + 1), r"shape \(2,\).*Got shape \(3,\)"),
        (lambda n: np.zeros(n), "must not be all zero"),
    ],
)
def test_resolve_refuses_bad_weights(weights, what):
    with pytest.raises(ValueError, match=what):
        schedules.resolve(weights, 2)


@pytest.mark.parametrize("weights", [["a", "b"], {"a": 1}, object()])
def test_resolve_refuses_what_is_no_number(weights):
    with pytest.raises(TypeError, match="'weights' parameter must be numbers"):
        schedules.resolve(weights, 2)


def test_schedules_are_a_public_module():
    assert se.schedules is schedules


@pytest.mark.parametrize("wrong", ["2", None, np.ones(2), 1j])
def test_decays_and_temperatures_are_numbers(wrong):
    with pytest.raises(ValueError, match="'decay' parameter of exponential must be finite"):
        schedules.exponential(3, wrong)
    with pytest.raises(ValueError, match="'decay' parameter of ema must be"):
        schedules.ema(3, wrong)
    with pytest.raises(ValueError, match="'temperature' parameter of by_score must be"):
        schedules.by_score([0.5, 0.6], "softmax", temperature=wrong)


def test_where_the_newest_stands_is_checked_for_weights_that_are_given():
    with pytest.raises(ValueError, match="'newest' parameter must be 'last' or 'first'"):
        schedules.resolve([1, 2], 2, newest="front")

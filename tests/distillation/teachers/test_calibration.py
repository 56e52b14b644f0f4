"""Tests of temperatures and sigmoids: against a search, copies of rows, and at the edges."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from stackens._core._losses import softmax
from stackens.distillation.teachers._calibration import (
    Calibration,
    fitted_calibration,
    inverse_temperature,
)


def log_loss(probabilities, codes):
    return -np.log(np.clip(probabilities[np.arange(len(codes)), codes], 1e-15, None)).mean()


def overconfident(n, n_classes=3, factor=3.0, seed=0):
    """Probabilities that are too sure by a known factor, and labels drawn from the true ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, n_classes)) * 1.5
    true = softmax(logits)
    codes = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    return softmax(factor * logits), codes


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found(n_classes, factor):
    values, codes = overconfident(20_000, n_classes, factor)
    found = fitted_calibration(values, "predict_proba", codes)
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert log_loss(found(values), codes) <= log_loss(values, codes)


@pytest.mark.parametrize("n", [5, 60, 2_000])
def test_newton_finds_what_a_search_of_the_penalised_loss_finds(n):
    values, codes = overconfident(n, seed=n)
    logits, weights = np.log(values), np.random.default_rng(n).integers(1, 4, n).astype(float)

    def penalised(factor):
        probabilities = softmax(factor * logits)[np.arange(n), codes]
        return weights @ -np.log(probabilities) + 8.0 * (factor - 1.0) ** 2

    best = minimize_scalar(penalised, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-10})
    assert inverse_temperature(logits, codes, weights) == pytest.approx(best.x, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_the_loss_on_its_rows_is_never_above_that_without(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 50)), int(rng.integers(2, 6))
    values = rng.dirichlet(np.full(k, 0.05), size=n)  # with exact and near zeros
    values[rng.random(n) < 0.2] = np.eye(k)[0]
    codes = rng.integers(0, k, n)
    found = fitted_calibration(values, "predict_proba", codes)
    calibrated = found(values)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1.0)
    assert 0.05 <= found.temperature <= 20.0
    assert log_loss(calibrated, codes) <= log_loss(values, codes) + 1e-12


def test_impossible_truths_neither_flatten_the_rest_nor_stay_impossible():
    rng = np.random.default_rng(0)
    second = rng.choice([0.0, 0.2, 0.5, 0.8, 1.0], size=2_000)
    values = np.column_stack([1.0 - second, second])
    true = np.clip(second, 0.01, 0.99)  # the sure rows are wrong once in a hundred
    codes = (rng.random(2_000) < true).astype(int)
    found = fitted_calibration(values, "predict_proba", codes)
    calibrated = found(values)[:, 1]
    np.testing.assert_allclose(calibrated, true, atol=0.06)
    assert 0.0 < calibrated.min() < 0.02
    np.testing.assert_allclose(found(values).sum(axis=1), 1.0)


def test_sure_and_right_rows_stay_sure():
    values = np.tile([[1.0, 0.0], [0.0, 1.0]], (50, 1))
    found = fitted_calibration(values, "predict_proba", np.tile([0, 1], 50))
    np.testing.assert_allclose(found(values), values, atol=1e-9)


def test_few_rows_change_little_and_many_rows_much():
    temperatures = {
        n: fitted_calibration(*_as_arguments(overconfident(n))).temperature for n in (4, 4_000)
    }
    assert 1.0 < temperatures[4] < 1.6
    assert temperatures[4_000] > 2.5


def _as_arguments(pair):
    values, codes = pair
    return values, "predict_proba", codes


def test_a_weight_of_two_is_two_rows_and_small_weights_are_scaled_to_rows():
    values, codes = overconfident(50)
    weights = np.random.default_rng(0).integers(1, 4, 50)
    rows = np.repeat(np.arange(50), weights)
    once = fitted_calibration(values, "predict_proba", codes, weights.astype(float))
    copied = fitted_calibration(values[rows], "predict_proba", codes[rows])
    assert once.temperature == pytest.approx(copied.temperature, rel=1e-9)
    small = fitted_calibration(values, "predict_proba", codes, np.full(50, 0.02))
    plain = fitted_calibration(values, "predict_proba", codes)
    assert small.temperature == pytest.approx(plain.temperature, rel=1e-9)


def test_rows_without_a_prediction_and_of_no_weight_take_no_part():
    values, codes = overconfident(40)
    wrong = np.vstack([values, np.full((2, 3), np.nan), values[:1]])
    weights = np.append(np.ones(42), 0.0)
    found = fitted_calibration(wrong, "predict_proba", np.append(codes, [0, 0, 2]), weights)
    plain = fitted_calibration(values, "predict_proba", codes)
    assert found.temperature == pytest.approx(plain.temperature, rel=1e-9)
    nothing = fitted_calibration(values, "predict_proba", codes, np.zeros(40))
    assert nothing.temperature is None


@pytest.mark.parametrize("response", ["predict_proba", "predict"])
def test_switched_off_votes_and_probabilities_stay_as_they_are(response):
    values, codes = overconfident(30)
    off = fitted_calibration(values, response, codes, calibrate=False)
    assert off(values) is values


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("accuracy", [0.55, 0.8, 1.0])
def test_votes_become_the_share_of_votes_that_are_right(n_classes, accuracy):
    rng = np.random.default_rng(0)
    codes, said = rng.integers(n_classes, size=5_000), rng.random(5_000) < accuracy
    votes = np.eye(n_classes)[np.where(said, codes, (codes + 1) % n_classes)]
    found = fitted_calibration(votes, "predict", codes)(votes)
    np.testing.assert_allclose(found.max(axis=1), said.mean(), atol=0.001)
    assert found.max() < 1.0
    np.testing.assert_array_equal(found.argmax(axis=1), votes.argmax(axis=1))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_votes_worse_than_chance_say_nothing():
    codes = np.arange(90) % 3
    found = fitted_calibration(np.eye(3)[(codes + 1) % 3], "predict", codes)(np.eye(3))
    np.testing.assert_allclose(found, 1 / 3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_binary_margins_become_the_probabilities_that_they_stand_for(scale):
    rng = np.random.default_rng(0)
    margin = rng.normal(size=20_000)
    codes = (rng.random(20_000) < expit(2.0 * margin - 0.5)).astype(int)
    values = scale * np.column_stack([-margin, margin])
    found = fitted_calibration(values, "decision_function", codes, calibrate=False)
    expected = expit(2.0 * margin - 0.5)
    np.testing.assert_allclose(found(values)[:, 1], expected, atol=0.03)
    slope, intercept = found.sigmoid
    assert slope * scale == pytest.approx(2.0, rel=0.05)
    assert intercept == pytest.approx(-0.5, abs=0.06)


def test_separable_and_reversed_margins_have_finite_sigmoids():
    margin = np.linspace(-3, 3, 20)
    values, codes = np.column_stack([-margin, margin]), (margin > 0).astype(int)
    separable = fitted_calibration(values, "decision_function", codes)
    assert np.isfinite(separable.sigmoid).all()
    assert 0.5 < separable(values)[-1, 1] < 1.0
    reversed_ = fitted_calibration(values, "decision_function", 1 - codes)
    assert reversed_.sigmoid[0] == 0.0  # never against the teacher: it says nothing then
    np.testing.assert_allclose(reversed_(values), 0.5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_margins_of_several_classes_get_a_temperature_whatever_their_scale(scale):
    values, codes = overconfident(5_000)
    margins = scale * np.log(values)
    found = fitted_calibration(margins, "decision_function", codes)
    assert found.temperature / scale == pytest.approx(3.0, rel=0.1)
    np.testing.assert_allclose(found(margins).sum(axis=1), 1.0)


def test_values_of_a_regression_pass_through():
    values = np.array([[1.0], [2.0]])
    assert Calibration("predict")(values) is values

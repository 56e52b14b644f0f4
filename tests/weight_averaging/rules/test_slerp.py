"""Spherical means: the textbook formula for two, the defining property for more."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import Slerp
from stackens.weight_averaging.rules._slerp import spherical_coefficients


def unit(array):
    return array / np.linalg.norm(array)


@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("angle", [1e-9, 1e-4, 0.5, np.pi / 2, 3.0])
def test_two_models_follow_shoemake(angle, t):
    a, b = np.array([1.0, 0.0, 0.0]), np.array([np.cos(angle), np.sin(angle), 0.0])
    expected = np.array([np.cos(t * angle), np.sin(t * angle), 0.0])
    np.testing.assert_allclose(Slerp()([a, b], [1 - t, t]), expected, atol=1e-10)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_large_tensors_of_different_lengths(dtype):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 1000)).astype(dtype)
    b = (b * 3).astype(dtype)
    result = Slerp()([a, b], [0.7, 0.3])
    u, v = unit(a.astype(float)), unit(b.astype(float))
    angle = np.arccos((u * v).sum())
    direction = (np.sin(0.7 * angle) * u + np.sin(0.3 * angle) * v) / np.sin(angle)
    length = 0.7 * np.linalg.norm(a.astype(float)) + 0.3 * np.linalg.norm(b.astype(float))
    np.testing.assert_allclose(result, length * direction, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_at_the_mean_of_many_the_weighted_arcs_cancel(n):
    rng = np.random.default_rng(n)
    points = [unit(rng.normal(size=50) + 1) for _ in range(n)]
    weights = rng.dirichlet(np.ones(n))
    mean = unit(Slerp()(points, weights))
    pull = np.zeros(50)
    for point, weight in zip(points, weights, strict=True):
        angle = np.arccos(np.clip(point @ mean, -1, 1))
        pull += weight * angle * unit(point - (point @ mean) * mean)
    assert np.linalg.norm(pull) < 1e-10


def test_the_length_is_the_mean_length_not_shorter():
    rng = np.random.default_rng(0)
    arrays = list(rng.normal(size=(4, 1000)))
    lengths = np.linalg.norm(arrays, axis=1)
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    result = Slerp()(arrays, weights)
    assert np.linalg.norm(result) == pytest.approx(weights @ lengths)
    assert np.linalg.norm(weights @ np.array(arrays)) < 0.6 * np.linalg.norm(result)


def test_complex_tensors_count_as_real_ones_of_twice_the_size():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3, 20, 2))
    weights = [0.2, 0.3, 0.5]
    as_complex = Slerp()(list(real.view("c16")[..., 0]), weights)
    np.testing.assert_allclose(as_complex.view("f8").reshape(20, 2), Slerp()(list(real), weights))


@pytest.mark.parametrize(
    "arrays",
    [
        [np.zeros(3), np.ones(3)],
        [np.ones(3), -np.ones(3)],
        [np.array(2.0), np.array(-1.0)],
        [np.array([1.0, 0.0]), np.array([-1.0, 1e-9])],
        [np.zeros(0), np.zeros(0)],
    ],
    ids=["zeros", "opposite", "scalars of opposite sign", "nearly opposite", "empty"],
)
def test_without_a_direction_it_is_the_weighted_mean(arrays):
    expected = 0.25 * arrays[0] + 0.75 * arrays[1]
    np.testing.assert_allclose(Slerp()(arrays, [0.25, 0.75]), expected, atol=1e-9)


def test_scalars_of_one_sign():
    np.testing.assert_allclose(Slerp()([np.array(-2.0), np.array(-4.0)], [0.5, 0.5]), -3.0)


def test_a_model_of_weight_zero_does_not_count():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    broken = np.full(2, np.nan)
    np.testing.assert_array_equal(
        Slerp()([a, broken, b], [0.5, 0, 0.5]), Slerp()([a, b], [0.5, 0.5])
    )


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="Slerp takes no negative weights"):
        Slerp()([np.ones(2), np.ones(2)], [1.5, -0.5])


def test_coefficients_of_one_vector():
    np.testing.assert_allclose(spherical_coefficients(np.eye(1), np.ones(1)), [1.0])


def test_three_vectors_that_cancel_have_no_mean():
    angles = np.array([0, 2, 4]) * np.pi / 3
    cosines = np.cos(angles[:, None] - angles)
    assert spherical_coefficients(cosines, np.full(3, 1 / 3)) is None


def test_a_shared_mask_of_infinities_stays():
    mask = np.triu(np.full((3, 3), -np.inf), 1)
    np.testing.assert_array_equal(Slerp()([mask, mask.copy()], [0.3, 0.7]), mask)

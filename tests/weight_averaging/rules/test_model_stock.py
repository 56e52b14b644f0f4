"""Model Stock: the formula of the paper, and what it generalises to."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import ModelStock


def around(centre, radius, n, dimension, seed=0):
    """Models at one distance from each other around a centre, as the paper finds them."""
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.normal(size=(dimension, n + 1)))
    centre = centre * directions[:, n]
    return centre, [centre + radius * directions[:, i] for i in range(n)]


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("radius", [0.1, 1.0, 3.0])
def test_formula_of_the_paper(n, radius):
    base = np.random.default_rng(1).normal(size=40)
    centre, models = around(2.0, radius, n, 40)
    cosine = 4.0 / (4.0 + radius**2)
    t = n * cosine / (1 + (n - 1) * cosine)
    result = ModelStock()([base + m for m in models], np.full(n, 1 / n), base=base)
    np.testing.assert_allclose(result, t * (base + np.mean(models, axis=0)) + (1 - t) * base)
    # What the formula is for: no other point between base and mean is nearer to the centre.
    foot = result - base
    assert foot @ (foot - centre) == pytest.approx(0, abs=1e-10)


def test_unequal_weights_still_give_the_point_nearest_to_the_centre():
    centre, models = around(2.0, 1.0, 3, 40)
    weights = np.array([0.6, 0.3, 0.1])
    foot = ModelStock()(models, weights, base=np.zeros(40))
    assert foot @ (foot - centre) == pytest.approx(0, abs=1e-10)
    share = foot @ foot / (foot @ (weights @ np.array(models)))
    np.testing.assert_allclose(foot, share * (weights @ np.array(models)))


def test_a_model_of_weight_zero_does_not_count():
    _, models = around(2.0, 1.0, 3, 10)
    expected = ModelStock()(models[:2], [0.5, 0.5], base=np.zeros(10))
    broken = np.full(10, np.nan)
    result = ModelStock()([*models[:2], broken], [0.5, 0.5, 0.0], base=np.zeros(10))
    np.testing.assert_allclose(result, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "models",
    [
        [np.array([1.0, 0.1]), np.array([-1.0, 0.1])],
        [np.array([1.0, 0.0]), np.array([0.0, 1.0])],
        [np.zeros(2), np.zeros(2)],
        [np.zeros(2), np.ones(2)],
    ],
    ids=["apart", "at right angles", "all at the base", "one at the base"],
)
def test_models_with_nothing_in_common_give_the_base(models):
    base = np.array([3.0, 4.0])
    result = ModelStock()([base + m for m in models], [0.5, 0.5], base=base)
    np.testing.assert_allclose(result, base, atol=1e-15)


def test_one_model_has_no_angle():
    with pytest.raises(ValueError, match="at least two models.*Got 1 with a weight"):
        ModelStock()([np.ones(2), np.ones(2)], [1.0, 0.0], base=np.zeros(2))


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="ModelStock takes no negative weights"):
        ModelStock()([np.ones(2), np.ones(2)], [1.5, -0.5], base=np.zeros(2))

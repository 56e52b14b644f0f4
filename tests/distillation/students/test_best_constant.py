"""Constants of least mixed loss, against a fine grid and known quantiles."""

import numpy as np
import pytest

from stackens.distillation.students._best_constant import best_constant

RNG = np.random.default_rng(0)


def loss(constant, soft, taught, hard, told, level):
    error = hard - constant
    pinball = np.maximum(level * error, (level - 1) * error)
    return (taught * (constant - soft) ** 2).sum() + (told * pinball).sum()


@pytest.mark.parametrize("level", [0.05, 0.5, 0.8])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_no_number_on_a_grid_is_better(level, share, n):
    soft, hard = RNG.normal(size=(2, n))
    weight = RNG.uniform(0.1, 3.0, n)
    given = (soft, share * weight, hard, (1 - share) * weight, level)
    found = loss(best_constant(*given), *given)
    assert found <= min(loss(c, *given) for c in np.linspace(-3, 3, 6001)) + 1e-12


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 0.9])
def test_truth_alone_gives_the_weighted_quantile(level):
    hard = RNG.normal(size=20)
    told = RNG.integers(1, 5, 20)
    found = best_constant(np.full(20, np.nan), np.zeros(20), hard, told.astype(float), level)
    assert found == np.quantile(np.repeat(hard, told), level, method="inverted_cdf")


def test_the_teacher_alone_gives_its_mean():
    soft, nothing = np.array([1.0, 2.0, np.nan]), np.full(3, np.nan)
    assert best_constant(soft, np.array([3.0, 1.0, 0.0]), nothing, np.zeros(3), 0.1) == 1.25

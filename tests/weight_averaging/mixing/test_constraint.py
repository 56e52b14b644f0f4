"""Tests of what mixing weights may be."""

import numpy as np
import pytest

from stackens.weight_averaging.mixing._constraint import (
    CONSTRAINTS,
    free_parameters,
    slopes_by_parameters,
    weights_from,
)

WEIGHTS = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_parameters_give_the_weights_back(constraint):
    parameters = free_parameters(WEIGHTS, constraint)
    np.testing.assert_allclose(weights_from(parameters, constraint), WEIGHTS)
    assert parameters is not WEIGHTS


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_slopes_follow_the_chain_rule(constraint):
    parameters = np.random.default_rng(0).normal(size=(2, 3))
    target = np.arange(6.0).reshape(2, 3)

    def loss(parameters):
        return float((np.sin(weights_from(parameters, constraint)) * target).sum())

    weights = weights_from(parameters, constraint)
    slopes = slopes_by_parameters(np.cos(weights) * target, weights, constraint)
    for cell in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[cell] = 1e-6
        numeric = (loss(parameters + step) - loss(parameters - step)) / 2e-6
        assert slopes[cell] == pytest.approx(numeric, abs=1e-6)


def test_a_single_model_as_a_start_can_still_be_left():
    weights = weights_from(free_parameters(np.eye(3), "simplex"), "simplex")
    assert (weights > 1e-4).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)

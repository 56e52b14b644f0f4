"""Losses of rows agree with scikit-learn's means and with their definitions."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from stackens._core._losses import (
    PROBABILITY_FLOOR,
    looks_like_probabilities,
    normalised_weights,
    output_scales,
    renormalise,
    row_losses,
    softmax,
    true_probabilities,
)
from stackens._core._task import Task

BINARY = Task("binary", 2, np.array([0, 1]))
MULTICLASS = Task("multiclass", 4, np.arange(4))
MULTILABEL = Task("multilabel", 3, y_ndim=2)


@pytest.mark.parametrize("task", [BINARY, MULTICLASS])
def test_log_loss_as_in_scikit_learn(task):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(task.n_outputs), 50)
    p[0] = np.eye(task.n_outputs)[0]
    y = rng.integers(0, task.n_outputs, 50)
    y[0] = 1  # certain and wrong
    losses = row_losses(p, y, task)
    assert losses.mean() == pytest.approx(log_loss(y, p, labels=task.classes))
    assert losses[0] == pytest.approx(-np.log(PROBABILITY_FLOOR))


def test_multilabel_loss_is_the_mean_over_labels():
    rng = np.random.default_rng(1)
    p, y = rng.uniform(size=(20, 3)), rng.integers(0, 2, (20, 3)).astype(float)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(row_losses(p, y, MULTILABEL), expected)


def test_squared_error_with_scales():
    rng = np.random.default_rng(2)
    p, y = rng.normal(size=(2, 30, 2))
    task = Task("regression", 2, y_ndim=2)
    assert row_losses(p, y, task).mean() == pytest.approx(mean_squared_error(y, p))
    scaled = row_losses(p, y, task, scales=np.array([4.0, 0.5]))
    expected = (((p - y) ** 2) / [4.0, 0.5]).mean(axis=1)
    np.testing.assert_allclose(scaled, expected)


@pytest.mark.parametrize("n", [1, 511, 512, 1300])
def test_true_probabilities_across_blocks(n):
    rng = np.random.default_rng(n)
    values, y = rng.uniform(size=(n, 5, 4)), rng.integers(0, 4, n)
    found = true_probabilities(values, y, MULTICLASS)
    expected = [[values[i, m, y[i]] for i in range(n)] for m in range(5)]
    np.testing.assert_array_equal(found, expected)


def test_true_probabilities_of_labels_go_row_by_row():
    rng = np.random.default_rng(0)
    values, y = rng.uniform(size=(600, 2, 3)), rng.integers(0, 2, (600, 3)).astype(float)
    found = true_probabilities(values, y, MULTILABEL)
    expected = np.where(y[:, None] == 1, values, 1 - values).transpose(1, 0, 2).reshape(2, -1)
    np.testing.assert_array_equal(found, expected)


def test_normalised_weights():
    np.testing.assert_allclose(normalised_weights(None, 4), [0.25] * 4)
    np.testing.assert_allclose(normalised_weights(np.array([1.0, 3.0]), 2), [0.25, 0.75])


def test_output_scales_are_variances_and_one_for_constants():
    rng = np.random.default_rng(0)
    y = np.column_stack([rng.normal(size=40) * 7, np.full(40, 3.0)])
    found = output_scales(y, normalised_weights(None, 40))
    np.testing.assert_allclose(found, [y[:, 0].var(), 1.0])


def test_softmax_does_not_overflow():
    found = softmax(np.array([[1000.0, 1000.0], [0.0, np.log(3)]]))
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.25, 0.75]])


def test_renormalise_clips_and_divides():
    found = renormalise(np.array([[-0.5, 0.5], [2.0, 1.0], [-1.0, -2.0]]), BINARY)
    np.testing.assert_allclose(found, [[0, 1], [0.5, 0.5], [0.5, 0.5]])


def test_renormalise_leaves_labels_apart():
    found = renormalise(np.array([[-0.5, 0.5, 1.5]]), MULTILABEL)
    np.testing.assert_allclose(found, [[0.0, 0.5, 1.0]])


def test_probabilities_are_told_from_logits():
    probabilities = softmax(np.random.default_rng(0).normal(size=(20, 3)))
    assert looks_like_probabilities(probabilities)
    assert looks_like_probabilities(probabilities.astype(np.float16))
    assert not looks_like_probabilities(np.log(probabilities))
    assert not looks_like_probabilities(probabilities * 2)
    assert not looks_like_probabilities(np.zeros((20, 3)))
    assert not looks_like_probabilities(probabilities[:0])

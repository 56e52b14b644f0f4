"""Simplex weights reach the optimum of the convex problem, with a certificate."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from stackens._core._losses import row_losses
from stackens.combiners import SimplexWeights, simplex_weights
from stackens.combiners._base import weighted_mean
from stackens.combiners._simplex import least_squares_weights, mixture_weights

KINDS = ["binary", "multiclass", "multilabel", "regression", "multi-output"]


def scipy_optimum(loss, n_models):
    """Least loss over the simplex, by a general solver from several starts."""
    results = [
        minimize(
            loss,
            start,
            method="SLSQP",
            bounds=[(0, 1)] * n_models,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        ).x
        for start in (np.full(n_models, 1 / n_models), np.eye(n_models)[0] * 0.9 + 0.1 / n_models)
    ]
    points = [np.clip(x, 0, None) / np.clip(x, 0, None).sum() for x in results]
    return min(loss(x) for x in points)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_no_worse_than_a_general_solver(make_table, kind, weighted, seed):
    table = make_table(kind, n=80, n_models=3 + seed, seed=seed, weighted=weighted)
    rows = table.sample_weight if weighted else np.ones(80)
    target = table.target
    mean = np.average(target, axis=0, weights=rows) if kind == "multi-output" else 0
    scales = None
    if kind == "multi-output":
        scales = np.average((target - mean) ** 2, axis=0, weights=rows)

    def loss(w):
        losses = row_losses(weighted_mean(table.values, w), target, table.task, scales=scales)
        return np.average(losses, weights=rows)

    weights, gap = simplex_weights(table.values, target, table.task, table.sample_weight)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert gap <= 1e-8
    assert loss(weights) <= scipy_optimum(loss, table.n_models) + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_gap_bounds_the_distance_from_above(seed):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.01, 1, (8, 300))
    rows = np.full(300, 1 / 300)

    def loss(w):
        return -rows @ np.log(w @ p)

    best, tight = mixture_weights(p, rows, tol=1e-12)
    rough, gap = mixture_weights(p, rows, tol=1e-3, max_iter=1)
    assert tight <= 1e-11
    assert 0 <= loss(rough) - loss(best) <= gap + 1e-12


@pytest.mark.parametrize("n_models", [65, 150])
def test_more_models_than_the_working_set(n_models):
    rng = np.random.default_rng(0)
    skill = rng.uniform(0.2, 1.5, (n_models, 1))
    p = 1 / (1 + np.exp(-skill - rng.normal(size=(n_models, 400)) - rng.normal(size=400)))
    rows = np.full(400, 1 / 400)
    weights, gap = mixture_weights(p, rows)
    assert gap <= 1e-9
    assert (p @ (rows / (weights @ p))).max() <= 1 + 1e-9


def test_blocks_change_nothing_and_save_memory(most_memory, monkeypatch):
    rng = np.random.default_rng(0)
    p, rows = rng.uniform(0.01, 1, (20, 5000)), np.full(5000, 1 / 5000)
    whole, _ = mixture_weights(p, rows)
    monkeypatch.setattr("stackens.combiners._simplex._BLOCK_ELEMENTS", 1 << 10)
    np.testing.assert_allclose(mixture_weights(p, rows)[0], whole, atol=1e-9)
    assert most_memory(lambda: mixture_weights(p, rows)) < 0.6 * p.nbytes


def test_rows_that_every_model_calls_impossible(make_table):
    table = make_table("binary")
    values = table.values.copy()
    wrong = np.arange(5)
    values[wrong] = 1.0
    values[wrong, :, table.target[wrong]] = 0.0
    weights, gap = simplex_weights(values, table.target, table.task)
    others = np.setdiff1d(np.arange(60), wrong)
    expected, _ = simplex_weights(values[others], table.target[others], table.task)
    assert gap <= 1e-8
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_zeros_of_some_models(make_table):
    table = make_table("multiclass", n=100)
    values = table.values.copy()
    values[:, :3] = values[:, :3] == values[:, :3].max(axis=2, keepdims=True)
    weights, gap = simplex_weights(values, table.target, table.task)
    assert gap <= 1e-8
    assert weights[3] > 0  # the only model that never calls the truth impossible


def test_a_perfect_model_takes_all(make_table):
    table = make_table("regression")
    values = table.values.copy()
    values[:, 2, 0] = table.y
    weights, gap = simplex_weights(values, table.target, table.task)
    assert weights.tolist() == [0, 0, 1, 0]
    assert gap == 0.0


def test_errors_that_cancel_exactly():
    error = np.random.default_rng(0).normal(size=40)
    gram = np.array([[1.0, -1.0], [-1.0, 1.0]]) * (error @ error)
    np.testing.assert_allclose(least_squares_weights(gram)[0], [0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_of_the_target_do_not_matter(make_table, scale):
    table = make_table("regression", n_models=6)
    scaled = replace(table, values=table.values * scale, y=table.y * scale)
    np.testing.assert_allclose(
        SimplexWeights().fit(scaled).weights_, SimplexWeights().fit(table).weights_, atol=1e-9
    )


def test_tolerance_is_reached_and_recorded(make_table):
    table = make_table("binary", n=300, n_models=10)
    combiner = SimplexWeights(tol=1e-11).fit(table)
    assert 0 <= combiner.gap_ <= 1e-11
    assert combiner.names_ == table.names

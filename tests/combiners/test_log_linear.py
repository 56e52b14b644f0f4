"""Newton steps for log-linear models: derivatives, optimum, bounds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from stackens.combiners._log_linear import (
    BinaryProblem,
    LogLinearProblem,
    log_linear_scores,
    solve_log_linear,
)


def make_problem(seed, *, shared, n=60, n_models=3, n_classes=4, penalty=1.0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, n_models, n_classes))
    scores = features.sum(axis=1) + rng.gumbel(size=(n, n_classes))
    prior = np.full(n_models if shared else (n_models, n_classes), 0.3)
    weights = rng.uniform(0.5, 2, n)
    return LogLinearProblem(features, scores.argmax(axis=1), weights, prior, penalty)


@pytest.mark.parametrize("shared", [True, False])
def test_gradient_and_hessian(shared, monkeypatch):
    monkeypatch.setattr("stackens.combiners._log_linear._BLOCK_ELEMENTS", 250)
    problem = make_problem(0, shared=shared)
    point = problem.start + np.random.default_rng(1).normal(size=problem.start.shape) / 3
    _, gradient = problem.loss_and_gradient(point)
    numeric = approx_fprime(point, lambda x: problem.loss_and_gradient(x)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-3)
    hessian = problem.hessian(point)
    columns = approx_fprime(point, lambda x: problem.loss_and_gradient(x)[1], 1e-7)
    np.testing.assert_allclose(hessian, columns, atol=1e-3)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)


@pytest.mark.parametrize("class_major", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_order_in_memory_does_not_matter(shared, class_major):
    problem = make_problem(0, shared=shared)
    features = np.ascontiguousarray(problem.features.transpose(2, 0, 1)).transpose(1, 2, 0)
    turned = replace(problem, features=features if class_major else np.asfortranarray(features))
    point = np.random.default_rng(1).normal(size=problem.start.shape)
    for found, expected in zip(
        (*turned.loss_and_gradient(point), turned.hessian(point)),
        (*problem.loss_and_gradient(point), problem.hessian(point)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def make_binary_problem(seed, penalty=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(90, 3))
    y = (x.sum(axis=1) + rng.logistic(size=90) > 0).astype(int)
    return BinaryProblem(x, y, rng.uniform(0.1, 3, 90), np.full(3, 0.3), penalty)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["shared", "own", "binary"])
def test_conjugate_gradients_find_what_newton_finds(kind, penalty, monkeypatch):
    monkeypatch.setattr("stackens.combiners._log_linear._BLOCK_ELEMENTS", 250)
    if kind == "binary":
        problem = make_binary_problem(6, penalty)
    else:
        problem = make_problem(6, shared=kind == "shared", n=200, penalty=penalty)
    point = np.random.default_rng(1).normal(size=problem.start.shape)
    vector = np.random.default_rng(2).normal(size=problem.start.shape)
    product = problem.hessian_product(point)(vector)
    np.testing.assert_allclose(product, problem.hessian(point) @ vector, atol=1e-10)
    expected = solve_log_linear(problem)
    monkeypatch.setattr("stackens.combiners._log_linear._EXACT_PARAMETERS", 0)
    found = solve_log_linear(problem)
    scores = log_linear_scores(problem.features, *found)
    wanted = log_linear_scores(problem.features, *expected)
    if kind != "binary":  # all classes may move together
        scores, wanted = scores - scores[:, :1], wanted - wanted[:, :1]
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


@pytest.mark.parametrize("target", [0, 1])
def test_sure_and_wrong_scores_neither_overflow_nor_vanish(target):
    x = np.array([[-800.0], [-40.0], [0.0], [40.0], [800.0]])
    problem = BinaryProblem(x, np.full(5, target), np.ones(5), np.zeros(1), 0.0)
    loss, gradient = problem.loss_and_gradient(np.array([1.0, 0.0]))
    signed = -x[:, 0] if target else x[:, 0]
    assert loss == pytest.approx(np.logaddexp(0.0, signed).sum(), rel=1e-14)
    slope = expit(x[:, 0]) - target
    np.testing.assert_allclose(gradient, [slope @ x[:, 0], slope.sum()], rtol=1e-14)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("limit", [1500, 0])
def test_newton_and_lbfgs_reach_the_optimum(shared, limit, monkeypatch):
    monkeypatch.setattr("stackens.combiners._log_linear._NEWTON_PARAMETERS", limit)
    problem = make_problem(2, shared=shared, n=200)
    weights, intercept = solve_log_linear(problem)
    point = np.concatenate([weights.ravel(), intercept])
    gradient = problem.loss_and_gradient(point)[1]
    assert np.abs(gradient).max() < (1e-6 if limit else 1e-2)


def test_two_classes_as_scikit_learn_fits_them():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 3))
    y = (x @ [1.0, -2.0, 0.5] + rng.logistic(size=150) > 0).astype(int)
    features = np.stack([np.zeros_like(x), x], axis=2)
    problem = LogLinearProblem(features, y, np.ones(150), np.zeros(3), 1.0)
    weights, intercept = solve_log_linear(problem)
    # Two intercepts under one penalty act as their difference under half of it.
    expected = LogisticRegression(C=1.0, tol=1e-10, fit_intercept=False).fit(
        np.column_stack([x, np.full(150, np.sqrt(2.0))]), y
    )
    np.testing.assert_allclose(weights, expected.coef_[0, :3], atol=1e-5)
    difference = expected.coef_[0, 3] * np.sqrt(2.0)
    assert intercept[1] - intercept[0] == pytest.approx(difference, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_binary_problem_is_the_one_with_two_classes(seed, monkeypatch):
    monkeypatch.setattr("stackens.combiners._log_linear._BLOCK_ELEMENTS", 100)
    rng = np.random.default_rng(seed)
    x, y, rows = rng.normal(size=(90, 3)), rng.integers(0, 2, 90), rng.uniform(0.1, 3, 90)
    prior = rng.normal(size=3)
    both = LogLinearProblem(np.stack([np.zeros_like(x), x], axis=2), y, rows, prior, 2.0)
    binary = BinaryProblem(x, y, rows, prior, 2.0)
    (w2, b2), (w1, b1) = solve_log_linear(both), solve_log_linear(binary)
    np.testing.assert_allclose(w1, w2, atol=1e-6)
    np.testing.assert_allclose(b1, b2[1] - b2[0], atol=1e-6)
    point = rng.normal(size=4)
    numeric = approx_fprime(point, lambda p: binary.loss_and_gradient(p)[0], 1e-7)
    np.testing.assert_allclose(binary.loss_and_gradient(point)[1], numeric, atol=1e-3)
    columns = approx_fprime(point, lambda p: binary.loss_and_gradient(p)[1], 1e-7)
    np.testing.assert_allclose(binary.hessian(point), columns, atol=1e-3)


def test_nonnegative_weights():
    problem = make_problem(3, shared=True, n=200)
    flipped = problem.features * np.array([1.0, -1.0, 1.0])[:, None]
    problem = LogLinearProblem(flipped, problem.target, problem.weights, problem.prior, 1.0)
    free, _ = solve_log_linear(problem)
    bound, intercept = solve_log_linear(problem, nonnegative=True)
    assert free[1] < 0
    assert bound[1] == 0.0
    gradient = problem.loss_and_gradient(np.concatenate([bound, intercept]))[1]
    assert gradient[1] > 0
    assert np.abs(np.delete(gradient, 1)).max() < 1e-2


def test_no_penalty_leaves_a_singular_problem_solvable():
    problem = make_problem(4, shared=True, penalty=0.0)
    weights, intercept = solve_log_linear(problem)
    point = np.concatenate([weights, intercept])
    assert np.abs(problem.loss_and_gradient(point)[1]).max() < 1e-6


def test_a_class_without_rows():
    problem = make_problem(5, shared=True)
    target = np.where(problem.target == 2, 0, problem.target)
    problem = LogLinearProblem(problem.features, target, problem.weights, problem.prior, 1.0)
    weights, intercept = solve_log_linear(problem)
    assert np.isfinite(weights).all()
    assert intercept.argmin() == 2


def test_scores():
    rng = np.random.default_rng(0)
    features, b = rng.normal(size=(5, 3, 2)), rng.normal(size=2)
    w = rng.normal(size=(3, 2))
    np.testing.assert_allclose(log_linear_scores(features, w, b), (features * w).sum(axis=1) + b)
    np.testing.assert_allclose(
        log_linear_scores(features, w[:, 0], b), (features * w[:, :1]).sum(axis=1) + b
    )
    flat = features[:, :, 0].copy()
    np.testing.assert_allclose(log_linear_scores(flat, w[:, 0], b[:1]), flat @ w[:, 0] + b[0])
    flat[:, 1] = np.nan
    w[1] = 0.0
    assert np.isfinite(log_linear_scores(flat, w[:, 0], b[:1])).all()

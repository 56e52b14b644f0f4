"""Closed forms against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import Ridge

from stackens.combiners import NonNegativeLeastSquares, RidgeLeaveOneOut
from stackens.combiners._linear import ridge_leave_one_out

ALPHAS = np.logspace(-4, 2, 7)


def brute_force(features, targets, weights, penalty):
    """Errors of ridge fits with one unit of weight left out, row by row."""
    errors = np.zeros(targets.shape)
    for i in range(len(features)):
        w = weights.copy()
        w[i] -= min(1.0, w[i])
        model = Ridge(alpha=penalty, solver="cholesky").fit(features, targets, sample_weight=w)
        errors[i] = targets[i] - np.reshape(model.predict(features[[i]]), -1)
    return weights @ errors**2 / weights.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_leave_one_out_against_brute_force(seed, weighted):
    rng = np.random.default_rng(seed)
    n, m = 40, 4
    features = rng.normal(size=(n, m)) * [1, 3, 10, 0.1] + rng.normal(size=(n, 1))
    targets = features @ rng.normal(size=(m, 2)) + rng.normal(size=(n, 2))
    weights = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    if seed == 2 and weighted:
        weights[:5] = 0.5
    coef, intercept, best, errors = ridge_leave_one_out(features, targets, weights, ALPHAS)
    centred = (features - np.average(features, axis=0, weights=weights)) * weights[:, None] ** 0.5
    penalties = ALPHAS * (centred**2).sum() / m
    expected = [brute_force(features, targets, weights, penalty) for penalty in penalties]
    np.testing.assert_allclose(errors, expected, rtol=1e-8)
    assert best == np.argmin((expected / np.min(expected, axis=0)).sum(axis=1))
    model = Ridge(alpha=penalties[best]).fit(features, targets, sample_weight=weights)
    np.testing.assert_allclose(coef, model.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(intercept, model.intercept_, rtol=1e-6, atol=1e-9)


def test_blocks_do_not_change_the_errors(monkeypatch):
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    whole = ridge_leave_one_out(features, targets, np.ones(50), ALPHAS)[3]
    monkeypatch.setattr("stackens.combiners._linear._BLOCK_ELEMENTS", 60)
    pieces = ridge_leave_one_out(features, targets, np.ones(50), ALPHAS)[3]
    np.testing.assert_allclose(pieces, whole)


def test_ridge_holds_no_copies_of_its_features(most_memory, monkeypatch):
    rng = np.random.default_rng(0)
    features, targets, ones = rng.normal(size=(6000, 10)), rng.normal(size=(6000, 1)), np.ones(6000)
    monkeypatch.setattr("stackens.combiners._linear._BLOCK_ELEMENTS", 1 << 12)
    taken = most_memory(lambda: ridge_leave_one_out(features, targets, ones, ALPHAS))
    assert taken < 0.6 * features.nbytes


def test_ridge_pulls_toward_the_plain_mean(make_table):
    table = make_table("regression", n=100)
    strong = RidgeLeaveOneOut(alphas=[1e9]).fit(table)
    np.testing.assert_allclose(strong.coef_, 0.25, atol=1e-6)
    residual = table.y - table.values.mean(axis=1)[:, 0]
    assert strong.intercept_[0] == pytest.approx(residual.mean(), abs=1e-6)


def test_ridge_without_penalty_is_least_squares(make_table):
    table = make_table("multi-output", n=100)
    weak = RidgeLeaveOneOut(alphas=[1e-13]).fit(table)
    design = np.column_stack([table.matrix(), np.ones(100)])
    expected = np.linalg.lstsq(design, table.y, rcond=None)[0]
    np.testing.assert_allclose(weak.combine(table), design @ expected, rtol=1e-5, atol=1e-5)


def test_ridge_on_classes_gives_probabilities(make_table):
    for kind in ("binary", "multiclass"):
        table = make_table(kind, n=120)
        combined = RidgeLeaveOneOut().fit(table).combine(table)
        np.testing.assert_allclose(combined.sum(axis=1), 1.0)
        assert combined.min() >= 0
        accuracy = (combined.argmax(axis=1) == table.target).mean()
        single = (table.values.argmax(axis=2) == table.target[:, None]).mean(axis=0)
        assert accuracy > single.mean()


def test_ridge_reads_margins(make_table):
    table = make_table("binary", n=200, noise=0.5)
    logit = np.log(table.values[:, :, 1] / table.values[:, :, 0])
    margins = replace(
        table,
        values=np.stack([-logit, logit], axis=2),
        response=("decision_function",) * 4,
    )
    combined = RidgeLeaveOneOut().fit(margins).combine(margins)
    assert (combined.argmax(axis=1) == table.target).mean() > 0.7


@pytest.mark.parametrize("alphas", [[], [0.0, 1.0], [[1.0]], [-1.0]])
def test_bad_alphas(make_table, alphas):
    with pytest.raises(ValueError, match=r"'alphas' parameter .* Got .* Leave it"):
        RidgeLeaveOneOut(alphas).fit(make_table("regression"))


@pytest.mark.parametrize("seed", range(5))
def test_nnls_against_scipy_on_the_rows(make_table, seed):
    table = make_table("regression", n=90, n_models=7, seed=seed, weighted=True)
    root = np.sqrt(table.sample_weight)
    expected, _ = nnls(table.values[:, :, 0] * root[:, None], table.y * root)
    found = NonNegativeLeastSquares().fit(table).weights_
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_nnls_on_classes_minimises_the_brier_score(make_table):
    table = make_table("multiclass", n=90, seed=1)
    indicator = np.eye(4)[table.target]
    columns = table.values.transpose(0, 2, 1).reshape(-1, 4)
    expected, _ = nnls(columns, indicator.ravel())
    combiner = NonNegativeLeastSquares().fit(table)
    np.testing.assert_allclose(combiner.weights_, expected / expected.sum(), atol=1e-8)
    raw = NonNegativeLeastSquares(normalize=False).fit(table)
    np.testing.assert_allclose(raw.weights_, expected, atol=1e-8)
    np.testing.assert_allclose(raw.combine(table).sum(axis=1), 1.0)


def test_nnls_normalises_regression_on_request(make_table):
    table = make_table("regression")
    assert NonNegativeLeastSquares(normalize=True).fit(table).weights_.sum() == pytest.approx(1)
    assert NonNegativeLeastSquares().fit(table).weights_.sum() != pytest.approx(1, abs=1e-3)


def test_nnls_of_models_that_are_all_wrong(make_table):
    table = make_table("binary")
    never = np.zeros_like(table.values)
    found = NonNegativeLeastSquares().fit(replace(table, values=never)).weights_
    np.testing.assert_allclose(found, 0.25)

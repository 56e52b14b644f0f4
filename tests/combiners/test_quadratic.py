"""Small quadratic problems against scipy on the full rows."""

import numpy as np
import pytest
from scipy.optimize import nnls

from stackens.combiners._quadratic import gram_matrix, nonnegative_quadratic


@pytest.mark.parametrize("seed", range(30))
def test_against_nnls_on_the_rows(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(20, 200), rng.integers(1, 15)
    matrix = rng.normal(size=(n, m)) + rng.normal(size=(n, 1)) * rng.uniform(0, 5)
    matrix *= 10 ** rng.uniform(-3, 3, m)
    target = matrix @ rng.normal(size=m) + rng.normal(size=n)
    found = nonnegative_quadratic(matrix.T @ matrix, matrix.T @ target)
    expected, _ = nnls(matrix, target)
    scale = np.linalg.norm(matrix, axis=0)
    np.testing.assert_allclose(found * scale, expected * scale, atol=1e-6 * np.abs(target).sum())
    assert (found >= 0).all()


def test_copies_and_empty_columns_are_harmless():
    rng = np.random.default_rng(0)
    column = rng.uniform(1, 2, 50)
    matrix = np.column_stack([column, column, np.zeros(50)])
    found = nonnegative_quadratic(matrix.T @ matrix, matrix.T @ (3 * column))
    assert found[:2].sum() == pytest.approx(3.0)
    assert found[2] == 0.0


def test_gram_matrix_over_blocks(monkeypatch):
    rng = np.random.default_rng(1)
    values, target = rng.normal(size=(101, 4, 2)), rng.normal(size=(101, 2))
    weights, scales = rng.uniform(size=101), np.array([2.0, 0.5])
    monkeypatch.setattr("stackens.combiners._quadratic._BLOCK_ELEMENTS", 40)
    for residuals in (False, True):
        gram, cross = gram_matrix(values, target, weights, scales, residuals=residuals)
        for o in range(2):
            columns = values[:, :, o] - target[:, [o]] * residuals
            expected = columns.T @ (columns * weights[:, None]) / scales[o]
            np.testing.assert_allclose(gram[o], expected)
            np.testing.assert_allclose(cross[o], (weights * target[:, o]) @ columns / scales[o])

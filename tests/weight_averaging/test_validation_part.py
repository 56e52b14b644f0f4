"""Tests of the rows on which weights are chosen."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from stackens._core._task import infer_task
from stackens.weight_averaging._validation_part import validation_part

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = RNG.choice(["a", "b", "c"], 200, p=[0.7, 0.2, 0.1])


def parts(X=X, y=Y, fraction=0.2, **options):
    task, y = infer_task(y)
    return validation_part(X, y, task, fraction, **options)


def test_every_row_is_in_one_part_and_classes_are_in_both():
    training, held_out = parts()
    assert sorted([*training, *held_out]) == list(range(200))
    assert len(held_out) == 40
    for label in "abc":
        assert (Y[held_out] == label).mean() == pytest.approx((label == Y).mean(), abs=0.02)


def test_a_numeric_target_has_its_range_in_both_parts():
    y = np.exp(RNG.normal(size=200))
    training, held_out = parts(y=y)
    quantiles = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(
        np.quantile(y[held_out], quantiles), np.quantile(y[training], quantiles), rtol=0.25
    )


def test_copies_of_a_row_stay_together():
    rows = np.repeat(np.arange(200), RNG.integers(1, 4, 200))
    training, held_out = parts(X[rows], Y[rows])
    once = parts()
    assert set(rows[held_out]) == set(once[1])
    assert set(rows[training]) == set(once[0])


def test_copies_in_sparse_matrices_stay_together():
    table = sparse.random(50, 8, 0.4, format="csr", random_state=0)
    rows = np.repeat(np.arange(50), 2)
    once = parts(table, Y[:50])
    training, held_out = parts(sparse.csc_matrix(table[rows]), Y[:50][rows])
    assert set(rows[held_out]) == set(once[1])
    assert set(rows[training]) == set(once[0])


def test_order_means_nothing_and_weight_zero_is_left_out():
    order = RNG.permutation(200)
    _, held_out = parts(X[order], Y[order])
    assert set(order[held_out]) == set(parts()[1])
    weights = np.ones(200)
    weights[:50] = 0
    training, held_out = parts(sample_weight=weights)
    assert sorted([*training, *held_out]) == list(range(50, 200))
    assert set(held_out - 50) == set(parts(X[50:], Y[50:])[1])


def test_seeds():
    assert parts(random_state=1)[1].tolist() == parts(random_state=1)[1].tolist()
    assert parts(random_state=1)[1].tolist() != parts(random_state=2)[1].tolist()


def test_frames_sparse_matrices_and_rows_without_a_hash():
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", None)})
    for table in (frame, sparse.csr_matrix(X), pd.DataFrame({"a": [[i] for i in range(200)]})):
        training, held_out = parts(table)
        assert sorted([*training, *held_out]) == list(range(200))


def test_a_class_is_never_missing_from_training():
    y = Y.copy()
    y[:] = "a"
    y[[5, 7]] = ["b", "c"]
    training, _ = parts(y=y)
    assert {5, 7} <= set(training)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match=r"at least two distinct rows.*n_samples=3"):
        parts(np.ones((3, 2)), np.full(3, 0.5))
    with pytest.raises(ValueError, match="Every class needs two distinct rows"):
        parts(X[:3], np.array(["a", "b", "c"]))

"""The pool on two scales: logarithms where they help, bounded probabilities where labels lie."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from stackens._core._losses import row_losses
from stackens.combiners import LogisticOnLogits, LogLinearPool, TwoScalePool
from stackens.combiners._logistic import LOGIT_FLOOR


def loss(combiner, train, test):
    combined = combiner.fit(train).combine(test)
    return row_losses(combined, test.target, test.task).mean()


def halves(table):
    rows = np.arange(table.n_samples)
    return table.rows(rows[::2]), table.rows(rows[1::2])


def with_wrong_labels(table, share):
    """Give a share of the rows another label, drawn at random."""
    rng = np.random.default_rng(0)
    y = np.array(table.y)
    wrong = rng.random(len(y)) < share
    y[wrong] = rng.choice(np.unique(y), wrong.sum())
    return replace(table, y=y)


def sharpened(table, power):
    """Make every model more sure of itself."""
    values = table.values**power
    return replace(table, values=values / values.sum(axis=2, keepdims=True))


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_better_than_logarithms_alone_where_labels_are_wrong(make_table, kind):
    table = with_wrong_labels(sharpened(make_table(kind, n=6000, seed=3), 6), 0.1)
    train, test = halves(table)
    assert loss(TwoScalePool(), train, test) < loss(LogLinearPool(), train, test) - 0.001


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_hardly_worse_where_they_are_right(make_table, kind):
    train, test = halves(make_table(kind, n=3000, seed=4))
    assert loss(TwoScalePool(), train, test) < loss(LogLinearPool(), train, test) + 0.01


def test_binary_solution_is_the_penalised_optimum(make_table):
    table = make_table("binary", n=200)
    p = table.values[:, :, 1]
    clipped = np.clip(p, LOGIT_FLOOR, 1 - LOGIT_FLOOR)
    design = np.column_stack([np.log(clipped / (1 - clipped)), 4 * (p - 0.5), np.ones(200)])
    n = table.n_models
    prior = np.concatenate([np.full(n, 1 / n), np.zeros(n + 1)])
    pull = np.concatenate([np.full(2 * n, 3.0), [1.5]])
    sign = 2 * table.target - 1

    def objective(v):
        return np.logaddexp(0, -sign * (design @ v)).sum() + 0.5 * pull @ (v - prior) ** 2

    expected = minimize(objective, prior, method="BFGS", options={"gtol": 1e-8}).x
    found = TwoScalePool().fit(table)
    np.testing.assert_allclose(found.coef_.T.ravel(), expected[:-1], atol=1e-4)
    np.testing.assert_allclose(found.intercept_, expected[-1:], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape"), [("binary", (4, 2)), ("multiclass", (4, 2)), ("multilabel", (4, 2, 3))]
)
def test_shapes(make_table, kind, shape):
    found = TwoScalePool().fit(make_table(kind, n_models=4))
    assert found.coef_.shape == shape
    # Weights of single models would be taken for all there is to a model.
    assert not hasattr(found, "weights_")


def test_margins_have_one_weight_only(make_table):
    table = make_table("binary")
    margins = replace(table, response=("decision_function",) * table.n_models)
    assert not TwoScalePool().accepts(margins)
    mixed = replace(table, response=("decision_function", *table.response[1:]))
    found = TwoScalePool().fit(mixed)
    assert found.coef_[0, 1] == 0
    assert (found.coef_[1:, 1] != 0).all()
    assert np.isfinite(found.combine(mixed)).all()


@pytest.mark.parametrize("penalty", [-1.0, "3", np.inf])
def test_wrong_penalty(make_table, penalty):
    with pytest.raises(ValueError, match=r"'penalty' parameter of TwoScalePool .* Got"):
        TwoScalePool(penalty=penalty).fit(make_table("binary"))


def test_numbers_are_refused(make_table):
    table = replace(make_table("multiclass"), response=("value",) * 4)
    with pytest.raises(ValueError, match="TwoScalePool needs a number for each class"):
        TwoScalePool().fit(table)
    assert LogisticOnLogits().accepts(table)

"""Log-linear meta-learners on every kind of table."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stackens._core._losses import row_losses
from stackens.combiners import LogisticOnLogits, LogLinearPool, TwoScalePool
from stackens.combiners._logistic import LOGIT_FLOOR

BOTH = [LogisticOnLogits, LogLinearPool]


def as_margins(table):
    values = np.log(table.values / (1 - table.values))
    if table.task.kind == "binary":
        values = np.stack([-values[..., 1], values[..., 1]], axis=2)
    return replace(table, values=values * 7, response=("decision_function",) * table.n_models)


@pytest.mark.parametrize("combiner", BOTH)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_better_than_every_model_on_many_rows(make_table, combiner, kind):
    table = make_table(kind, n=1500, n_models=4, seed=2)
    train, test = table.rows(np.arange(1000)), table.rows(np.arange(1000, 1500))
    combined = combiner().fit(train).combine(test)
    loss = row_losses(combined, test.target, test.task).mean()
    singles = [row_losses(test.values[:, m], test.target, test.task).mean() for m in range(4)]
    assert loss < min(singles)


def test_binary_logistic_as_scikit_learn_fits_it(make_table):
    table = make_table("binary", n=300, weighted=True)
    p = np.clip(table.values[:, :, 1], LOGIT_FLOOR, 1 - LOGIT_FLOOR)
    found = LogisticOnLogits(C=0.1).fit(table)
    # Our intercept is under the penalty too, as one more column with the coefficient's scale.
    design = np.column_stack([np.log(p / (1 - p)), np.full(300, np.sqrt(2.0))])
    expected = LogisticRegression(C=0.1, tol=1e-10, fit_intercept=False).fit(
        design, table.y, sample_weight=table.sample_weight
    )
    np.testing.assert_allclose(found.coef_, expected.coef_[0, :4], atol=1e-4)
    np.testing.assert_allclose(found.combine(table), expected.predict_proba(design), atol=1e-4)


def test_shapes(make_table):
    binary, multiclass = make_table("binary"), make_table("multiclass")
    multilabel = make_table("multilabel")
    assert LogisticOnLogits().fit(binary).coef_.shape == (4,)
    assert LogisticOnLogits().fit(multiclass).coef_.shape == (4, 4)
    assert LogisticOnLogits().fit(multilabel).coef_.shape == (4, 3)
    assert LogisticOnLogits().fit(multilabel).intercept_.shape == (3,)
    assert LogLinearPool().fit(binary).weights_.shape == (4,)
    assert LogLinearPool().fit(multiclass).weights_.shape == (4,)
    assert LogLinearPool().fit(multiclass).intercept_.shape == (4,)
    assert LogLinearPool().fit(multilabel).weights_.shape == (4, 3)


def test_strong_penalty_gives_the_geometric_mean(make_table):
    table = make_table("multiclass")
    pool = LogLinearPool(penalty=1e9).fit(table)
    np.testing.assert_allclose(pool.weights_, 0.25, atol=1e-6)
    mean = np.exp(np.log(np.clip(table.values, LOGIT_FLOOR, 1 - LOGIT_FLOOR)).mean(axis=1))
    np.testing.assert_allclose(
        pool.combine(table), mean / mean.sum(axis=1, keepdims=True), atol=1e-5
    )


def test_zero_and_one_are_floored(make_table):
    table = make_table("multiclass", n=100)
    hard = (table.values == table.values.max(axis=2, keepdims=True)).astype(float)
    table = replace(table, values=hard)
    for combiner in BOTH:
        combined = combiner().fit(table).combine(table)
        assert np.isfinite(np.log(combined)).all()


@pytest.mark.parametrize("combiner", BOTH)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_margins_of_any_scale(make_table, combiner, kind):
    table = as_margins(make_table(kind, n=400))
    scaled = replace(table, values=table.values * 1000)
    first, second = combiner().fit(table), combiner().fit(scaled)
    np.testing.assert_allclose(first.combine(table), second.combine(scaled), atol=1e-8)
    uniform = np.full_like(first.combine(table), 1 / table.n_outputs)
    if kind == "multilabel":
        uniform[:] = 0.5
    loss = row_losses(first.combine(table), table.target, table.task).mean()
    assert loss < 0.9 * row_losses(uniform, table.target, table.task).mean()


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_numbers_of_a_regressor_take_part(make_table, kind):
    table = make_table(kind, n=400)
    values = table.values.copy()
    rng = np.random.default_rng(0)
    number = 100.0 + 50.0 * table.target + rng.normal(size=400)
    values[:, 3] = number[:, None]
    mixed = replace(table, values=values, response=("predict_proba",) * 3 + ("value",))
    combined = LogisticOnLogits(C=10).fit(mixed).combine(mixed)
    assert row_losses(combined, table.target, table.task).mean() < 0.35


def test_pool_refuses_numbers_of_a_regressor(make_table):
    table = replace(make_table("multiclass"), response=("predict_proba",) * 3 + ("value",))
    with pytest.raises(ValueError, match=r"LogLinearPool needs .* Got .*\['m3'\].* LogisticOn"):
        LogLinearPool().fit(table)
    assert not LogLinearPool().accepts(table)
    assert LogisticOnLogits().accepts(table)


def test_nonnegative_pool(make_table):
    table = make_table("binary", n=300, seed=3)
    values = table.values.copy()
    values[:, 0] = values[:, 0, ::-1]  # a model that is wrong on purpose
    table = replace(table, values=values)
    free, bound = LogLinearPool().fit(table), LogLinearPool(nonnegative=True).fit(table)
    assert free.weights_[0] < 0
    assert bound.weights_[0] == 0
    assert bound.weights_.min() == 0


def test_models_of_weight_zero_are_not_read(make_table):
    table = make_table("binary", n=300, seed=3)
    values = table.values.copy()
    values[:, 0] = values[:, 0, ::-1]
    table = replace(table, values=values)
    pool = LogLinearPool(nonnegative=True).fit(table)
    missing = values.copy()
    missing[:, 0] = np.nan
    np.testing.assert_array_equal(pool.combine(replace(table, values=missing)), pool.combine(table))


@pytest.mark.parametrize("combiner", BOTH)
def test_regression_is_refused(make_table, combiner):
    with pytest.raises(ValueError, match=r"combines classifiers\. Got a regression table"):
        combiner().fit(make_table("regression"))
    assert not combiner().accepts(make_table("regression"))


@pytest.mark.parametrize("bad", [0, -1.0, np.inf, "big"])
def test_bad_c(make_table, bad):
    with pytest.raises(ValueError, match=r"'C' parameter .* Got .* Use 1"):
        LogisticOnLogits(C=bad).fit(make_table("binary"))


@pytest.mark.parametrize("bad", [-1.0, np.inf, None])
def test_bad_penalty(make_table, bad):
    with pytest.raises(ValueError, match=r"'penalty' parameter .* Got .* Use 3"):
        LogLinearPool(penalty=bad).fit(make_table("binary"))


@pytest.mark.parametrize("combiner", [*BOTH, TwoScalePool])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_features_are_made_block_by_block(make_table, most_memory, monkeypatch, combiner, kind):
    table = make_table(kind, n=4000, n_models=20)
    mixed = replace(table, response=("decision_function", *table.response[1:]))
    whole = [combiner().fit(t).combine(t) for t in (table, mixed)]
    monkeypatch.setattr("stackens.combiners._log_linear._BLOCK_ELEMENTS", 1 << 12)
    fitted = combiner()
    features = table.values.nbytes // (2 if kind == "binary" else 1)
    features *= 2 if combiner is TwoScalePool else 1
    assert most_memory(lambda: fitted.fit(table)) < 1.4 * features
    assert most_memory(lambda: fitted.combine(table)) < 0.4 * table.values.nbytes
    for expected, t in zip(whole, (table, mixed), strict=True):
        np.testing.assert_allclose(combiner().fit(t).combine(t), expected, atol=1e-7)

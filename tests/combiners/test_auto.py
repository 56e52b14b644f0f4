"""The automatic choice: what it chooses from, the rule, and what it records."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stackens._core._losses import row_losses
from stackens.combiners import (
    AutoCombiner,
    BestSingle,
    FixedWeights,
    LogLinearPool,
    SimplexWeights,
    UniformMean,
    cross_fitted_predictions,
)
from stackens.combiners._auto import default_candidates


def as_margins(table):
    logit = np.log(table.values[..., 1] / table.values[..., 0])
    values = np.stack([-logit, logit], axis=2)
    return replace(table, values=values, response=("decision_function",) * table.n_models)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_candidates_for_classification(make_table, kind):
    table = make_table(kind)
    assert list(default_candidates(table)) == ["log_pool", "two_scale", "simplex", "uniform"]
    with_scorer = default_candidates(table, "accuracy")
    assert list(with_scorer) == ["log_pool", "two_scale", "greedy", "simplex", "uniform"]
    assert with_scorer["greedy"].scoring == "accuracy"


def test_candidates_for_regression_and_margins(make_table):
    assert list(default_candidates(make_table("regression"))) == ["ridge", "simplex", "uniform"]
    margins = as_margins(make_table("binary"))
    assert list(default_candidates(margins)) == ["log_pool"]
    numbers = replace(make_table("multiclass"), response=("value",) * 4)
    assert list(default_candidates(numbers)) == ["logistic"]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_scores_are_losses_of_cross_fitted_predictions(make_table, kind):
    table = make_table(kind, n=120, weighted=True)
    auto = AutoCombiner().fit(table)
    assert auto.scores_["chosen"].sum() == 1
    assert auto.scores_.index[auto.scores_["chosen"]][0] == auto.best_name_
    predictions = cross_fitted_predictions(SimplexWeights(), table)
    losses = row_losses(predictions, table.target, table.task)
    expected = np.average(losses, weights=table.sample_weight)
    if kind == "regression":
        expected /= np.cov(table.y, aweights=table.sample_weight, ddof=0)
    assert auto.scores_.loc["simplex", "loss"] == pytest.approx(expected)


def test_standard_errors_are_those_of_paired_differences(make_table):
    table = make_table("binary", n=150)
    auto = AutoCombiner().fit(table)
    losses = {
        name: row_losses(cross_fitted_predictions(c, table), table.target, table.task)
        for name, c in default_candidates(table).items()
    }
    best = min(losses, key=lambda name: losses[name].mean())
    for name, row in auto.scores_.iterrows():
        difference = losses[name] - losses[best]
        assert row["difference"] == pytest.approx(difference.mean(), abs=1e-12)
        assert row["difference_se"] == pytest.approx(difference.std(ddof=1) / 150**0.5)
        assert row["loss_se"] == pytest.approx(losses[name].std(ddof=1) / 150**0.5)


def test_the_rule(make_table):
    rng = np.random.default_rng(0)
    auto = AutoCombiner(n_standard_errors=1.0)

    def chosen(means, spread):
        from stackens.combiners._auto import _Trial

        noise = rng.normal(size=400)
        noise = (noise - noise.mean()) / noise.std(ddof=1) * spread
        losses = [5.0 + mean + noise * (i + 1) for i, mean in enumerate(means)]
        trials = [_Trial(str(i), [], loss, np.ones(400)) for i, loss in enumerate(losses)]
        return int(auto._compare(trials).query("chosen").index[0])

    # Differences have a standard error of spread / 20 for each step between candidates.
    assert chosen([0.0, 0.0], 1.0) == 0
    assert chosen([0.04, 0.0], 1.0) == 0
    assert chosen([0.06, 0.0], 1.0) == 1
    assert chosen([0.2, 0.04, 0.0], 1.0) == 1
    auto.n_standard_errors = 0.0
    assert chosen([0.04, 0.0], 1.0) == 1


def test_a_clear_winner_is_chosen_over_the_preferred(make_table):
    table = make_table("regression", n=200)
    values = table.values.copy()
    values[:, 1, 0] = table.y
    candidates = [("uniform", UniformMean()), ("best", BestSingle())]
    auto = AutoCombiner(candidates).fit(replace(table, values=values))
    assert auto.best_name_ == "best"
    np.testing.assert_array_equal(auto.weights_, [0, 1, 0, 0])
    np.testing.assert_array_equal(auto.combine(replace(table, values=values))[:, 0], table.y)


def test_best_combiner_is_fitted_on_all_covered_rows(make_table):
    table = make_table("binary")
    covered = np.ones(60, dtype=bool)
    covered[:10] = False
    table = replace(table, covered=covered)
    auto = AutoCombiner({"simplex": SimplexWeights()}).fit(table)
    expected = SimplexWeights().fit(table)
    np.testing.assert_array_equal(auto.best_combiner_.weights_, expected.weights_)


def test_candidates_are_not_touched(make_table):
    pool = LogLinearPool()
    AutoCombiner({"pool": pool, "uniform": UniformMean()}).fit(make_table("binary"))
    assert not hasattr(pool, "weights_")


def test_weights_only_where_the_choice_has_them(make_table):
    auto = AutoCombiner().fit(make_table("regression", seed=1))
    if auto.best_name_ == "ridge":
        assert not hasattr(auto, "weights_")
    fixed = AutoCombiner({"fixed": FixedWeights([1, 0, 0, 1])}).fit(make_table("binary"))
    assert fixed.weights_.tolist() == [0.5, 0, 0, 0.5]


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy"])
def test_scorers_are_computed_on_every_split(make_table, scoring):
    from sklearn.metrics import get_scorer

    from stackens.out_of_fold import as_fitted_estimator

    table = make_table("binary", n=160, weighted=True)
    auto = AutoCombiner(scoring=scoring).fit(table)
    scores = []
    for train, test in table.splits:
        combined = SimplexWeights().fit(table.rows(train)).combine(table.rows(test))
        scores.append(
            get_scorer(scoring)(
                as_fitted_estimator(table.task),
                combined,
                table.y[test],
                sample_weight=table.sample_weight[test],
            )
        )
    assert auto.scores_.loc["simplex", "loss"] == pytest.approx(-np.mean(scores))
    assert auto.scores_.loc["simplex", "loss_se"] == pytest.approx(
        np.std(scores, ddof=1) / len(scores) ** 0.5
    )


def test_a_split_without_a_class_is_not_judged(make_table):
    table = make_table("multiclass")
    without = np.flatnonzero(table.y != table.task.classes[0])[:9]
    split = (np.setdiff1d(np.arange(table.n_samples), without), without)
    more = replace(table, splits=(split, *table.splits))
    for scoring, judged in (("roc_auc_ovr", False), ("neg_log_loss", True)):
        auto = AutoCombiner(scoring=scoring)
        expected = auto.fit(table).scores_
        assert auto.fit(more).scores_["loss"].equals(expected["loss"]) != judged
    with pytest.raises(ValueError, match="Number of classes"):
        AutoCombiner(scoring="roc_auc_ovr").fit(replace(table, splits=(split,)))


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_log_loss_by_name_is_that_of_the_combiners(make_table, kind):
    table = make_table(kind)
    found = AutoCombiner(scoring="neg_log_loss").fit(table).scores_
    losses = []
    for train, test in table.splits:
        p = UniformMean().fit(table.rows(train)).combine(table.rows(test))
        target = table.target[test]
        right = p[np.arange(len(test)), target] if kind == "binary" else abs(p - 1 + target)
        losses.append(-np.log(right).mean())
    assert found.loc["uniform", "loss"] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_cross_fitted_chooses_without_the_rows_it_predicts(make_table, scoring):
    table = make_table("binary", n=100)
    auto = AutoCombiner(scoring=scoring)
    found = cross_fitted_predictions(auto, table)
    candidates = {
        name: cross_fitted_predictions(c, table)
        for name, c in default_candidates(table, scoring).items()
    }
    for _, test in table.splits:
        assert any(np.array_equal(found[test], p[test]) for p in candidates.values())
    assert not hasattr(auto, "best_name_")


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_fit_cross_fitted_is_a_fit_as_well(make_table, kind):
    table = make_table(kind, n=100)
    both, fitted = AutoCombiner(), AutoCombiner().fit(table)
    found = both.fit_cross_fitted(table)
    assert both.best_name_ == fitted.best_name_
    pd.testing.assert_frame_equal(both.scores_, fitted.scores_)
    np.testing.assert_array_equal(both.combine(table), fitted.combine(table))
    np.testing.assert_array_equal(found, cross_fitted_predictions(AutoCombiner(), table))


def test_candidates_are_fitted_once_for_each_split_and_once_more(make_table, monkeypatch):
    calls = []
    original = SimplexWeights.fit
    monkeypatch.setattr(
        SimplexWeights, "fit", lambda self, table: calls.append(1) or original(self, table)
    )
    AutoCombiner([("simplex", SimplexWeights()), ("uniform", UniformMean())]).fit_cross_fitted(
        make_table("binary", n=100, noise=0.3)
    )
    assert 4 <= len(calls) <= 5


def test_rows_of_weight_zero_get_cross_fitted_answers_but_do_not_count(make_table):
    table = make_table("binary", n=100)
    heavy = np.arange(100) % 3 != 0
    weighted = replace(table, sample_weight=heavy.astype(float))
    auto = AutoCombiner()
    found = auto.fit_cross_fitted(weighted)
    assert np.isfinite(found).all()
    without = replace(table, covered=heavy, values=np.where(heavy[:, None, None], table.values, 0))
    expected = AutoCombiner().fit(without)
    assert auto.best_name_ == expected.best_name_
    np.testing.assert_allclose(auto.combine(table), expected.combine(table))


def test_margins_only(make_table):
    table = as_margins(make_table("binary", n=300))
    auto = AutoCombiner().fit(table)
    combined = auto.combine(table)
    np.testing.assert_allclose(combined.sum(axis=1), 1.0)
    assert (combined.argmax(axis=1) == table.target).mean() > 0.7


def test_nothing_to_judge_by_leaves_the_preferred(make_table):
    table = make_table("regression", n=30, splits=False).rows(np.array([4]))
    auto = AutoCombiner().fit(table)
    assert auto.best_name_ == "ridge"
    assert auto.scores_["loss"].isna().all()


@pytest.mark.parametrize("bad", [{}, [], {"a": 3}, {"a": "simplex"}])
def test_bad_candidates(make_table, bad):
    with pytest.raises(ValueError, match=r"'candidates' parameter of AutoCombiner must .* Got"):
        AutoCombiner(bad).fit(make_table("binary"))


def test_unknown_scorer(make_table):
    with pytest.raises(ValueError, match=r"'scoring' parameter of .* Got 'nonsense'"):
        AutoCombiner(scoring="nonsense").fit(make_table("binary"))
